"""Owners of a partition that ended where they began are counted, and models isolated by that."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from ounce_edge.broker.reading.offset_note import OffsetNote
from ounce_edge.broker.reading.starts import Start
from ounce_edge.models.runtimes.isolation import Isolation
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_edge.telemetry.events import Events
from ounce_edge.telemetry.metrics import Metrics
from ounce_edge.wire.records import Headers
from ounce_edge.worker.reading.attempts import MOST_ATTEMPTS, Attempts
from ounce_edge.worker.reading.news import ReadingNews
from ounce_schemas.event import EventKind

from tests.support.clock import Clock
from tests.support.edge import bad_runtime as bad

A, B, C = ("t", 0), ("t", 1), ("t", 2)


class FakeGroup:
    """A consumer whose commits are kept; there is no broker."""

    def __init__(self) -> None:
        self.offsets: dict[tuple[str, int], tuple[int, str]] = {}
        self.is_away = False
        self.read = 0
        """Offset up to which each partition is read."""

    def commit(self, offsets: list[TopicPartition], asynchronous: bool) -> list[TopicPartition]:
        assert not asynchronous
        if self.is_away:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        self.offsets |= {(at.topic, at.partition): (at.offset, at.metadata or "") for at in offsets}
        return offsets

    def assignment(self) -> list[TopicPartition]:
        return [TopicPartition(*place) for place in self.offsets]

    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        if self.is_away:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        return [TopicPartition(*place, *at) for place, at in self.offsets.items()]

    def position(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        return [TopicPartition(p.topic, p.partition, self.read) for p in partitions]

    def start(self, place: tuple[str, int], end: int) -> Mapping[tuple[str, int], Start]:
        """What the next owner finds."""
        offset, text = self.offsets[place]
        note = OffsetNote.parse(text)
        return {place: Start(offset, topic_id=note.topic_id, attempts=note.attempts, end=end)}


class Own:
    """Attempts with a clock, and what people are told."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.told: list[EventKind] = []
        self.texts: list[str] = []
        self.isolation = Isolation(OnnxCpuRuntime, clock=self.clock)
        self.group: Any = FakeGroup()
        self.attempts = self.another()

    def another(self) -> Attempts:
        """Of the next owner."""

        def send(key: bytes, value: bytes, headers: Headers) -> None:
            self.texts.append(json.loads(value)["text"])

        events = Events(send, lambda task, kind: self.told.append(kind))
        news = ReadingNews(events, Metrics(), {"t": "digits"}, "g", "beginning")
        return Attempts(self.isolation, news, most_open=100)


@pytest.fixture
def own() -> Iterator[Own]:
    found = Own()
    yield found
    found.isolation.end()


def test_only_where_requests_wait_or_a_start_was_chosen_something_is_committed(own: Own) -> None:
    starts = {
        A: Start(5, topic_id="id", end=9),
        B: Start(5, topic_id="id", end=5),
        C: Start(3, n_kept=0, topic_id="id", end=3),
        ("t", 3): Start(7),  # where it ends was not told
        ("t", 4): Start(None),
    }
    assert set(own.attempts.begin(own.group, starts)) == {A, C, ("t", 3)}
    assert own.group.offsets == {
        A: (5, "id attempts=1"),
        C: (3, "id"),
        ("t", 3): (7, " attempts=1"),
    }
    assert not own.isolation.is_on


def test_the_third_owner_in_a_row_isolates_the_models(own: Own) -> None:
    own.group.offsets[A] = (5, "id")
    for n in range(4):
        own.another().begin(own.group, own.group.start(A, end=9))
        assert own.group.offsets[A] == (5, f"id attempts={n + 1}")
        assert own.isolation.is_on == (n >= 2)
    assert set(own.told) == {EventKind.MODELS_ISOLATED}


def test_one_event_tells_of_many_partitions(own: Own) -> None:
    starts = {("t", p): Start(10 + p, attempts=2 + p, end=99) for p in range(7)}
    own.attempts.begin(own.group, starts)
    [text] = own.texts
    assert text == (
        "workers ended, or one hung, where reading of t begins, partition 0 at offset 10, "
        "partition 1 at offset 11, partition 2 at offset 12, partition 3 at offset 13, partition 4 "
        "at offset 14 and 2 more; attempts=8; a request there may be fatal to a model, and models "
        "run in a process of their own until it is answered"
    )


def test_the_count_has_an_end(own: Own) -> None:
    own.group.offsets[A] = (5, f"id attempts={MOST_ATTEMPTS}")
    own.attempts.begin(own.group, own.group.start(A, end=9))
    assert own.group.offsets[A] == (5, f"id attempts={MOST_ATTEMPTS}")


def test_who_gives_up_in_order_leaves_what_was_found(own: Own) -> None:
    own.group.offsets |= {A: (5, "id attempts=1"), B: (5, "id"), C: (5, "id")}
    starts = {place: own.group.start(place, end=9)[place] for place in (A, B, C)}
    own.attempts.begin(own.group, starts)
    own.group.offsets[C] = (8, "id")  # a later commit: it is not untouched
    own.attempts.give_back(own.group, [A, B])
    assert own.group.offsets == {A: (5, "id attempts=1"), B: (5, "id"), C: (8, "id")}


def test_whoever_follows_an_owner_that_hangs_isolates_the_models_at_once(own: Own) -> None:
    own.attempts.blame()  # nothing is read yet
    own.group.offsets |= {A: (5, "id"), B: (8, "id attempts=7"), C: (9, "id")}
    own.attempts.begin(own.group, own.group.start(A, end=9))
    own.group.offsets[A] = (7, "id")  # some were answered
    own.group.read = 9
    own.attempts.blame()
    assert own.group.offsets == {A: (7, "id attempts=2"), B: (8, "id attempts=7"), C: (9, "id")}
    own.another().begin(own.group, own.group.start(A, end=9))
    assert own.isolation.is_on


def test_an_owner_that_hangs_ends_where_kafka_does_not_answer(own: Own) -> None:
    own.group.offsets[A] = (5, "id")
    own.attempts.begin(own.group, own.group.start(A, end=9))
    own.group.is_away = True
    own.attempts.blame()
    assert own.group.offsets[A] == (5, "id attempts=1")


def test_what_others_own_is_theirs_to_note(own: Own) -> None:
    own.group.offsets[A] = (5, "id")
    own.attempts.begin(own.group, own.group.start(A, end=9))
    own.attempts.forget([A])
    own.attempts.give_back(own.group, [A])
    assert own.group.offsets[A] == (5, "id attempts=1")


def test_a_note_that_can_not_be_written_keeps_nobody_from_reading(own: Own) -> None:
    own.group.offsets[A] = (5, "id attempts=2")
    own.group.is_away = True
    assert own.attempts.begin(own.group, own.group.start(A, end=9)) == ()
    assert own.isolation.is_on
    own.attempts.give_back(own.group, [A])
    assert own.group.offsets[A] == (5, "id attempts=2")


def test_isolation_ends_once_what_may_be_fatal_is_answered(own: Own) -> None:
    own.group.offsets[A] = (5, "id attempts=2")
    own.attempts.begin(own.group, own.group.start(A, end=9))
    for answered in ({}, {B: 20}, {A: 8}):
        own.attempts.look(answered)
        assert own.isolation.is_on
    own.attempts.look({A: 9})
    assert not own.isolation.is_on
    own.attempts.look({A: 9})
    assert own.told == [EventKind.MODELS_ISOLATED, EventKind.ISOLATION_OVER]


def test_of_a_long_backlog_only_what_may_have_been_open_counts(own: Own) -> None:
    own.group.offsets[A] = (5, "id attempts=2")
    own.attempts.begin(own.group, own.group.start(A, end=10**9))
    own.attempts.look({A: 104})
    assert own.isolation.is_on
    own.attempts.look({A: 105})
    assert not own.isolation.is_on


def test_that_models_can_not_be_isolated_is_told_once(own: Own) -> None:
    own.group.offsets[A] = (5, "id attempts=2")
    own.isolation = Isolation(bad.make_absent, clock=own.clock)
    own.attempts = own.another()
    own.attempts.begin(own.group, own.group.start(A, end=9))
    own.isolation.load(1, Path("model.onnx"), b"")
    for _ in range(2):
        own.attempts.look({})
    assert own.told == [EventKind.MODELS_ISOLATED, EventKind.ISOLATION_FAILED]
    assert "models can't be isolated, and run in the worker: no such GPU;" in own.texts[-1]


def test_isolation_lasts_a_while_behind_a_crash(own: Own) -> None:
    own.group.offsets[A] = (5, "id attempts=2")
    own.attempts.begin(own.group, own.group.start(A, end=9))
    own.isolation._note_crash()
    for passed_s, is_on in ((290, True), (10, False)):
        own.clock.now_s += passed_s
        own.attempts.look({A: 9})
        assert own.isolation.is_on == is_on


def test_isolation_ends_where_the_partition_is_given_up(own: Own) -> None:
    own.group.offsets[A] = (5, "id attempts=2")
    own.attempts.begin(own.group, own.group.start(A, end=9))
    own.attempts.forget([A])
    own.attempts.look({})
    assert not own.isolation.is_on
