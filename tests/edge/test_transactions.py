"""Answers and the offsets that they answer are in one transaction, whatever happens between."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from ounce_edge import transactions
from ounce_edge.transactions import TransactionalDelivery
from ounce_schemas.errors import BrokerError


class FakeProducer:
    """Remembers transactions; each commit waits for leave."""

    def __init__(self, settings: Any, logger: Any) -> None:
        self.committed: list[tuple[list[bytes], list[int]]] = []
        self.may_commit = threading.Event()
        self._values: list[bytes] = []
        self._offsets: list[int] = []

    def init_transactions(self, timeout: float) -> None:
        pass

    def begin_transaction(self) -> None:
        self._values, self._offsets = [], []

    def produce(self, topic: str, value: bytes, *rest: Any) -> None:
        self._values.append(value)

    def send_offsets_to_transaction(
        self, offsets: list[TopicPartition], metadata: Any, timeout: float
    ) -> None:
        self._offsets += [at.offset for at in offsets]

    def commit_transaction(self, timeout: float) -> None:
        self.may_commit.wait(30)
        self.committed.append((self._values, self._offsets))

    def purge(self) -> None:
        pass

    def flush(self, timeout: float) -> None:
        pass


@pytest.fixture
def delivery(monkeypatch: pytest.MonkeyPatch) -> Iterator[TransactionalDelivery]:
    monkeypatch.setattr(transactions, "Producer", FakeProducer)
    own = TransactionalDelivery({}, transactional_id="t")
    yield own
    producer_of(own).may_commit.set()
    own.close()


def producer_of(delivery: TransactionalDelivery) -> FakeProducer:
    producer = delivery._producer
    assert isinstance(producer, FakeProducer)
    return producer


def publish(delivery: TransactionalDelivery, value: bytes) -> None:
    delivery.publish("answers", [value], [None], None, None)


def at(offset: int) -> list[TopicPartition]:
    return [TopicPartition("requests", 0, offset)]


def test_cancelled_while_it_waits_it_leaves_answers_and_offsets_together(
    delivery: TransactionalDelivery,
) -> None:
    async def cancelled() -> None:
        publish(delivery, b"one")
        await delivery.confirm(at(1))
        publish(delivery, b"two")
        waiting = asyncio.create_task(delivery.confirm(at(2)))
        await asyncio.sleep(0.05)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(cancelled())
    producer_of(delivery).may_commit.set()
    delivery.start_confirming([])  # as a revocation does
    delivery.wait()
    assert producer_of(delivery).committed == [([b"one"], [1]), ([b"two"], [2])]


def test_answers_without_offsets_are_never_committed(delivery: TransactionalDelivery) -> None:
    producer_of(delivery).may_commit.set()
    publish(delivery, b"one")
    delivery.start_confirming([])
    with pytest.raises(BrokerError, match="without offsets"):
        delivery.wait()
    assert producer_of(delivery).committed == []
