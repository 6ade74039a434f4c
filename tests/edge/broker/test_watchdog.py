"""A consumer that reads nothing although there is something to read."""

from collections.abc import Collection
from typing import cast

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from ounce_edge.broker.watchdog import STUCK_AFTER_S, Ends, Watchdog

from tests.support.kafka.topics import OwnTopics

A, B = ("t", 0), ("t", 1)


def test_only_a_partition_that_does_not_move_and_has_records_is_stuck() -> None:
    dog = Watchdog()
    ends = {A: 10, B: 10}
    assert dog.stuck({A: 5, B: 10}, ends, 0.0) == []
    assert dog.stuck({A: 5, B: 10}, ends, STUCK_AFTER_S - 1) == []
    assert dog.stuck({A: 5, B: 10}, ends, STUCK_AFTER_S) == [A]


def test_moving_or_reading_all_or_losing_the_partition_begins_anew() -> None:
    for meanwhile in ({A: 6}, {A: 10}, {}):
        dog = Watchdog()
        dog.stuck({A: 5}, {A: 10}, 0.0)
        dog.stuck(meanwhile, {A: 10}, 10.0)
        assert dog.stuck({A: meanwhile.get(A, 5)}, {A: 10}, STUCK_AFTER_S) == []


def test_an_end_that_is_not_known_says_nothing() -> None:
    dog = Watchdog()
    for at_s in (0.0, 100.0):
        assert dog.stuck({A: 5}, {}, at_s) == []


@pytest.mark.kafka
def test_the_broker_is_asked_for_ends(kafka: str, topics: OwnTopics) -> None:
    topic = topics.of_task("digits", 2)[0]
    producer = Producer({"bootstrap.servers": kafka})
    for _ in range(3):
        producer.produce(topic, b"x", partition=1)
    producer.flush()
    settings = {"bootstrap.servers": kafka, "group.id": "watchdog", "log_level": 0}
    ends = Ends(lambda: Consumer(settings))
    assert ends.of([]) == {}
    assert ends.of([(topic, 0), (topic, 1)]) == {(topic, 0): 0, (topic, 1): 3}
    assert ends.of([(topic, 0), (topic, 7), (topic, 1)]) == {(topic, 0): 0, (topic, 1): 3}


class _FakeClient:
    """Stands in for a `Consumer` that remembers partitions without a leader."""

    def __init__(self, leaderless: Collection[int]) -> None:
        self._leaderless = leaderless
        self.is_closed = False

    def get_watermark_offsets(self, at: TopicPartition, timeout: float) -> tuple[int, int]:
        assert 0.0 <= timeout <= 5.0
        if at.partition in self._leaderless:
            raise KafkaException(KafkaError(KafkaError._UNKNOWN_PARTITION))
        return 0, 10

    def close(self) -> None:
        self.is_closed = True


def test_a_client_that_does_not_know_an_end_is_asked_no_more() -> None:
    made = [_FakeClient([0]), _FakeClient([])]
    clients = iter(made)
    ends = Ends(lambda: cast("Consumer", next(clients)))
    assert ends.of([A, B]) == {B: 10}
    assert ends.of([A, B]) == ends.of([A, B]) == {A: 10, B: 10}
    assert [client.is_closed for client in made] == [True, False]
