"""A line that is far, and carries little in the time of a transaction."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from ounce_edge.broker.delivery.publishing import Publishing
from ounce_edge.broker.delivery.refusals import Refusal
from ounce_edge.broker.delivery.transaction_failures import AbortedError
from ounce_edge.gateway import backlog as room
from ounce_edge.gateway import store_group
from ounce_edge.gateway.arrivals import KafkaRecord
from ounce_edge.gateway.backlog import Backlog
from ounce_edge.gateway.bounds import Bounds
from ounce_edge.gateway.line import Line
from ounce_edge.gateway.store import Store
from ounce_edge.gateway.store_group import StoreGroup
from ounce_edge.wire.records import Outgoing
from ounce_schemas.errors import BrokerError

from tests.edge.gateway.fake_kafka import FakeKafka
from tests.support.edge.backlogs import send_all

_MOST = 3
_BYTES_PER_S = 8000


class SlowKafka(FakeKafka):
    """A fake on which a transaction of more than a few records never ends in time, nor one that
    carries more than a slow line does meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.timeouts_s: list[float] = []
        """Of the transactions of each producer."""
        self.idle_s = 0.0
        """After so long a connection is closed, and its request sent again."""
        self.most_s = 900.0
        """Of a transaction."""

    def producer(self, publishing: Publishing, *_: Any, **more: Any) -> FakeKafka:
        of = publishing.settings
        timeout_s = of["transaction.timeout.ms"] / 1e3
        if timeout_s > self.most_s:
            raise BrokerError("Transaction timeout is larger than the maximum value")
        self.timeouts_s.append(timeout_s)
        self.idle_s = of["connections.max.idle.ms"] / 1e3
        return super().producer(**more)

    def commit(self, batch: Sequence[Outgoing], offsets: Any, group: Any) -> list[Refusal]:
        values = [bytes(value or b"") for outgoing in batch for value in outgoing.values]
        took_s = sum(map(len, values)) / _BYTES_PER_S
        if len(values) > _MOST or took_s > min(self.timeouts_s[-1], self.idle_s):
            raise AbortedError("timed out")
        return super().commit(batch, offsets, group)


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> SlowKafka:
    fake = SlowKafka()
    monkeypatch.setattr(room, "TransactionalProducer", fake.producer)
    monkeypatch.setattr(room, "_PAUSE_S", 0.01)
    monkeypatch.setattr(store_group, "Consumer", FarConsumer)
    monkeypatch.setattr(StoreGroup, "committed", lambda _: fake.committed)
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


@pytest.mark.parametrize(("most_s", "n_bytes"), [(900.0, 300_000), (60.0, 300_000), (900.0, 10**6)])
def test_a_record_that_takes_longer_than_a_transaction_gets_the_time_that_it_needs(
    kafka: SlowKafka, store: Store, most_s: float, n_bytes: int
) -> None:
    kafka.most_s = most_s
    values = [b"before", bytes(n_bytes), bytes(30_000), b"behind"]
    store.add([KafkaRecord("t", b"d", value, [], 5) for value in values])
    backlog = Backlog(
        {"bootstrap.servers": "x:1"}, ["t"], store, 5000, lambda _: None, lambda *_: None
    )
    send_all(backlog, store)
    assert kafka.taken == values
    assert kafka.timeouts_s[0] == 10
    assert n_bytes / _BYTES_PER_S < max(kafka.timeouts_s) < 10 + n_bytes / 3000


def test_what_goes_at_once_passes_a_slow_line_before_it_is_sent_again() -> None:
    settings = Line({"bootstrap.servers": "127.0.0.1:1", "log_level": 0}, 1_000_000)._settings
    socket_timeout_s = settings.get("socket.timeout.ms", 60_000) / 1e3
    assert 5 * settings["batch.size"] <= 4000 * socket_timeout_s


def test_large_records_go_last_and_alone_and_a_device_keeps_its_order(
    kafka: SlowKafka, store: Store
) -> None:
    large, others = bytes(200_000), [b"%d" % i for i in range(9)]
    store.add([KafkaRecord("t", b"large", large, [], 5), KafkaRecord("t", b"large", b"x", [], 5)])
    store.add([KafkaRecord("t", b"d%d" % i, value, [], 5) for i, value in enumerate(others)])
    backlog = Backlog(
        {"bootstrap.servers": "x:1"}, ["t"], store, 5000, lambda _: None, lambda *_: None
    )
    backlog.speed.held_up(200_000, 60.0)
    backlog.hurry(b"large")
    send_all(backlog, store)
    assert kafka.taken == [*others, large, b"x"]


def test_several_records_get_no_more_time_on_a_line_that_is_known_to_be_slow(
    kafka: SlowKafka, store: Store
) -> None:
    values = [b"%d" % i + bytes(30_000) for i in range(6)]
    store.add([KafkaRecord("t", b"d", value, [], 5) for value in values])
    backlog = Backlog(
        {"bootstrap.servers": "x:1"}, ["t"], store, 5000, lambda _: None, lambda *_: None
    )
    backlog.speed.held_up(200_000, 25.0)
    send_all(backlog, store)
    assert kafka.taken == values
    assert set(kafka.timeouts_s) == {10.0}
