"""Where reading stands, as the client, its ends and the group's offsets tell."""

from types import SimpleNamespace
from typing import Any

from confluent_kafka import TopicPartition
from ounce_edge.broker.reading.positions import Positions

A, B = ("t", 0), ("t", 1)


def client_at(**offsets: int) -> Any:
    """A consumer whose position in partition N is that of the name `pN`, else unknown."""

    def position(asked: list[TopicPartition]) -> list[TopicPartition]:
        return [
            TopicPartition(at.topic, at.partition, offsets.get(f"p{at.partition}", -1001))
            for at in asked
        ]

    return SimpleNamespace(position=position)


def test_before_a_record_was_taken_the_start_counts() -> None:
    positions = Positions()
    positions.begin({A: 1000, B: None})
    positions.follow(client_at())
    assert positions.known() == positions.starts() == {A: 1000}


def test_an_end_that_was_reached_counts_where_no_record_says_more() -> None:
    positions = Positions()
    positions.begin({A: 3, B: None})
    assert not positions.reach_end(A, 3)
    assert positions.reach_end(A, 6)
    assert positions.reach_end(B, 0)
    positions.follow(client_at(p0=5))
    assert positions.known() == {A: 6, B: 0}
    positions.follow(client_at(p0=8))
    assert positions.known() == {A: 8, B: 0}


def test_going_back_forgets_how_far_it_was() -> None:
    positions = Positions()
    positions.begin({A: 3})
    positions.reach_end(A, 9)
    positions.follow(client_at(p0=9))
    positions.begin({A: 4})
    assert positions.known() == {A: 4}
    positions.follow(client_at(p0=5))
    assert positions.known() == {A: 5}


def test_others_partitions_have_no_position() -> None:
    positions = Positions()
    positions.begin({A: 3, B: 4})
    positions.forget([A])
    assert not positions.reach_end(A, 9)
    positions.follow(client_at(p0=9, p1=5))
    assert positions.known() == {B: 5}
