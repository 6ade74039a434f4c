"""A line that is far, and carries little in the time of a transaction."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from ounce_edge.broker.delivery.refusals import Refusal
from ounce_edge.broker.delivery.transaction_failures import AbortedError
from ounce_edge.gateway import backlog as room
from ounce_edge.gateway.arrivals import KafkaRecord
from ounce_edge.gateway.backlog import Backlog
from ounce_edge.gateway.bounds import Bounds
from ounce_edge.gateway.store import Store
from ounce_edge.wire.records import Outgoing

from tests.edge.gateway.fake_kafka import FakeKafka
from tests.support.edge.backlogs import send_all

_MOST = 3


class SlowKafka(FakeKafka):
    """A fake on which a transaction of more than a few records never ends in time."""

    def commit(self, batch: Sequence[Outgoing], offsets: Any, group: Any) -> list[Refusal]:
        if sum(len(outgoing.values) for outgoing in batch) > _MOST:
            raise AbortedError("timed out")
        return super().commit(batch, offsets, group)


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> SlowKafka:
    fake = SlowKafka()
    monkeypatch.setattr(room, "TransactionalProducer", fake.producer)
    monkeypatch.setattr(room, "_PAUSE_S", 0.01)
    monkeypatch.setattr(room, "Consumer", FarConsumer)
    monkeypatch.setattr(Backlog, "_committed", lambda _: fake.committed)
    return fake


class FarConsumer:
    """A fake whose connection takes longer than an attempt to ask over it."""

    def __init__(self, _: Any) -> None:
        self._is_connected = False

    def list_topics(self, *_: Any) -> None:
        if not self._is_connected:
            self._is_connected = True
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))

    def consumer_group_metadata(self) -> None:
        """Nobody looks at it."""

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "store.db", Bounds(10**9, 1e9))
    yield made
    made.close()


@pytest.mark.parametrize("is_urgent", [False, True])
def test_all_that_is_stored_goes_in_smaller_transactions(
    kafka: SlowKafka, store: Store, is_urgent: bool
) -> None:
    values = [b"%d" % i for i in range(60)]
    store.add([KafkaRecord("t", b"d", value, [], 5) for value in values])
    backlog = Backlog(
        {"bootstrap.servers": "x:1"}, ["t"], store, 5000, lambda _: None, lambda *_: None
    )
    if is_urgent:
        backlog.hurry(b"d")
    send_all(backlog, store)
    assert kafka.taken == values
