"""Commits between polls: only what was acknowledged, and one at a time."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from ounce_edge.broker.delivery.at_least_once import AtLeastOnce
from ounce_edge.broker.delivery.publishing import Publishing
from ounce_edge.worker.reading.partitions import Partitions

from tests.support.edge.ladders import DIGITS, served
from tests.support.edge.partitions import partitions_of
from tests.support.edge.pipelines import pipeline
from tests.support.edge.serving import NOWHERE, serving_of


class FakeConsumer:
    """Remembers commits; there is no broker."""

    def __init__(self) -> None:
        self.commits: list[list[tuple[int, int]]] = []
        self.notes: list[list[tuple[int, int, str | None]]] = []
        """Commits that were waited for, which hold where reading begins."""
        self.error: KafkaException | None = None
        self.has_left = False

    def commit(self, offsets: list[TopicPartition], asynchronous: bool) -> None:
        if not asynchronous:
            self.notes.append([(p.partition, p.offset, p.metadata) for p in offsets])
            return
        if self.error is not None:
            raise self.error
        self.commits.append([(p.partition, p.offset) for p in offsets])

    def unsubscribe(self) -> None:
        self.has_left = True

    def position(self, partitions: Any) -> list[Any]:
        return []

    def get_watermark_offsets(self, at: TopicPartition, cached: bool) -> None:
        assert cached


@pytest.fixture
def delivery() -> Iterator[AtLeastOnce]:
    """It finds no broker, and sends nothing."""
    own = AtLeastOnce(Publishing({"bootstrap.servers": NOWHERE}))
    yield own
    own.close()


@pytest.fixture
def partitions(delivery: AtLeastOnce, monkeypatch: pytest.MonkeyPatch) -> Partitions:
    """Two of the topic `t`; commits need not wait for others."""
    monkeypatch.setattr("ounce_edge.worker.reading.commits.COMMIT_EVERY_S", 0.0)
    serving = serving_of(pipeline(served(DIGITS, "a")), delivery=delivery)
    own = partitions_of(serving, {"t": "digits"})
    consumer: Any = FakeConsumer()
    own.on_assign(consumer, [TopicPartition("t", 0), TopicPartition("t", 1)])
    return own


def acknowledge(delivery: AtLeastOnce, partition: int, offset: int) -> None:
    delivery._acknowledged.append([TopicPartition("t", partition, offset)])


def test_nothing_acknowledged_is_nothing_committed(partitions: Partitions) -> None:
    consumer: Any = FakeConsumer()
    partitions.look_after(consumer)
    assert consumer.commits == []


def test_one_commit_at_a_time_and_the_next_takes_all_that_gathered(
    partitions: Partitions, delivery: AtLeastOnce
) -> None:
    consumer: Any = FakeConsumer()
    acknowledge(delivery, 0, 5)
    partitions.look_after(consumer)
    for offset in (6, 7):
        acknowledge(delivery, 0, offset)
        acknowledge(delivery, 1, offset)
        partitions.look_after(consumer)
    assert consumer.commits == [[(0, 5)]]
    partitions.on_commit(False)
    partitions.look_after(consumer)
    assert consumer.commits == [[(0, 5)], [(0, 7), (1, 7)]]


def test_commits_come_now_and_then_and_the_next_takes_all_that_gathered(
    partitions: Partitions, delivery: AtLeastOnce, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 50.0
    clock = SimpleNamespace(monotonic=lambda: now_s)
    monkeypatch.setattr("ounce_edge.worker.reading.commits.time", clock)
    monkeypatch.setattr("ounce_edge.worker.reading.commits.COMMIT_EVERY_S", 0.1)
    consumer: Any = FakeConsumer()
    for offset in range(100):
        acknowledge(delivery, 0, offset)
        partitions.look_after(consumer)
        partitions.on_commit(False)
        now_s += 0.011
    assert consumer.commits == [[(0, offset)] for offset in range(0, 100, 10)]


def test_a_commit_that_could_not_be_sent_does_not_end_all_commits(
    partitions: Partitions, delivery: AtLeastOnce
) -> None:
    consumer: Any = FakeConsumer()
    consumer.error = KafkaException(KafkaError(KafkaError._STATE))
    acknowledge(delivery, 0, 5)
    partitions.look_after(consumer)
    consumer.error = None
    acknowledge(delivery, 0, 6)
    partitions.look_after(consumer)
    assert consumer.commits == [[(0, 6)]]


def test_offsets_of_partitions_that_others_own_are_not_committed(
    partitions: Partitions, delivery: AtLeastOnce
) -> None:
    consumer: Any = FakeConsumer()
    acknowledge(delivery, 0, 5)
    acknowledge(delivery, 1, 6)
    partitions.on_lost(consumer, [TopicPartition("t", 0)])
    partitions.look_after(consumer)
    assert consumer.commits == [[(1, 6)]]


def test_a_refused_commit_is_made_again_of_what_is_still_ours(
    partitions: Partitions, delivery: AtLeastOnce
) -> None:
    consumer: Any = FakeConsumer()
    acknowledge(delivery, 0, 5)
    acknowledge(delivery, 1, 5)
    partitions.look_after(consumer)
    partitions.on_commit(True)
    acknowledge(delivery, 1, 6)
    partitions.look_after(consumer)
    partitions.on_lost(consumer, [TopicPartition("t", 0)])
    partitions.on_commit(True)
    partitions.look_after(consumer)
    assert consumer.commits == [[(0, 5), (1, 5)], [(0, 5), (1, 6)], [(1, 6)]]


def test_what_was_lost_and_came_back_is_not_committed_as_it_was(
    partitions: Partitions, delivery: AtLeastOnce
) -> None:
    consumer: Any = FakeConsumer()
    acknowledge(delivery, 0, 5)
    partitions.on_lost(consumer, [TopicPartition("t", 0)])
    partitions.on_assign(consumer, [TopicPartition("t", 0)])
    partitions.look_after(consumer)
    assert consumer.commits == []


def test_who_gives_up_takes_back_its_notes_of_what_it_did_not_answer(
    partitions: Partitions,
) -> None:
    consumer: Any = FakeConsumer()
    partitions.on_assign(consumer, [TopicPartition("t", 2)])
    assert consumer.notes == [[(2, 3, " attempts=1")]]
    partitions._serving._open.handed_over["t", 1] = 7
    partitions.on_revoke(consumer, [TopicPartition("t", p) for p in (0, 1)])
    assert consumer.notes[1:] == [[(0, 3, "")]]
    partitions.on_lost(consumer, [TopicPartition("t", 2)])
    assert len(consumer.notes) == 2


def test_what_is_read_anew_is_not_committed_as_it_was_noted(partitions: Partitions) -> None:
    consumer: Any = FakeConsumer()
    partitions.read_anew("t", "second")
    consumer.seek = lambda at: None
    partitions.look_after(consumer)
    partitions.on_revoke(consumer, [TopicPartition("t", p) for p in (0, 1)])
    assert consumer.notes == []


class FakeTransactions:
    """A delivery whose transaction was aborted."""

    def __init__(self) -> None:
        self.has_started_over = False

    def wait(self, timeout_s: float) -> bool:
        return True

    def start_over(self) -> None:
        self.has_started_over = True


def test_after_an_abort_an_offset_that_is_not_told_is_not_one_that_is_not_there(
    partitions: Partitions,
) -> None:
    unstable = KafkaError(KafkaError.UNSTABLE_OFFSET_COMMIT)
    told = [
        SimpleNamespace(topic="t", partition=0, offset=7, error=None),
        SimpleNamespace(topic="t", partition=1, offset=-1001, error=unstable),
    ]
    sought: list[tuple[int, int]] = []
    consumer: Any = SimpleNamespace(
        committed=lambda asked, timeout: told,
        seek=lambda at: sought.append((at.partition, at.offset)),
    )
    delivery: Any = FakeTransactions()
    partitions._delivery = partitions._rereading._delivery = delivery
    partitions._rereading.rewind(consumer, partitions._assigned)
    assert (sought, delivery.has_started_over) == ([], False)
    told[1].error = None
    partitions._rereading.rewind(consumer, partitions._assigned)
    assert (sought, delivery.has_started_over) == ([(0, 7), (1, 3)], True)


@pytest.mark.parametrize("why", [None, "can't read t: it is gone"])
def test_only_a_loss_by_a_topic_that_can_not_be_read_ends_the_worker_and_leaves_the_group(
    partitions: Partitions, monkeypatch: pytest.MonkeyPatch, why: str | None
) -> None:
    consumer: Any = FakeConsumer()
    told: list[str] = []
    monkeypatch.setattr(partitions, "_fail", lambda error: told.append(str(error)))
    monkeypatch.setattr(partitions._starts, "unreadable", lambda topics: why)
    partitions.on_lost(consumer, [TopicPartition("t", 0)])
    assert (told, consumer.has_left) == (([why], True) if why else ([], False))


def test_who_ends_can_wait_until_a_commit_is_answered_also_of_what_was_lost(
    partitions: Partitions, delivery: AtLeastOnce
) -> None:
    consumer: Any = FakeConsumer()
    answered = partitions._commits.answered
    assert answered.is_set()
    acknowledge(delivery, 0, 5)
    partitions.look_after(consumer)
    partitions.on_lost(consumer, [TopicPartition("t", 0)])
    partitions.wait_for_commit(0.01)
    assert not answered.is_set()
    partitions.on_commit(True)
    partitions.wait_for_commit(60)
    assert answered.is_set()
    consumer.error = KafkaException(KafkaError(KafkaError._STATE))
    acknowledge(delivery, 1, 5)
    partitions.look_after(consumer)
    assert answered.is_set()
