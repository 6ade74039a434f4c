"""Where messages go: at once, or by the disk."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from ounce_edge.gateway.arrivals import Arrived, KafkaRecord
from ounce_edge.gateway.bounds import Bounds
from ounce_edge.gateway.forwarder import Forwarder
from ounce_edge.gateway.forwarding import Order, Rules
from ounce_edge.gateway.store import Store, StoreError
from ounce_edge.gateway.stored import Most


class FakeLine:
    """Sends nothing; a test says what is confirmed."""

    def __init__(self) -> None:
        self.sent: list[tuple[KafkaRecord, Callable[[str | None], None]]] = []

    has_room = True

    def send(self, record: KafkaRecord, confirmed: Callable[[str | None], None]) -> bool:
        if self.has_room:
            self.sent.append((record, confirmed))
        return self.has_room

    def poll(self) -> None:
        pass

    def drop(self) -> None:
        self.confirm(len(self.sent), "given up")

    def confirm(self, n: int = 1, why_not: str | None = None) -> None:
        for _ in range(n):
            self.sent.pop(0)[1](why_not)

    @property
    def names(self) -> list[bytes | None]:
        return [record.value for record, _ in self.sent]


class FakeBacklog:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.may_send = False
        self.first: list[bytes] = []

    def allow(self, is_up: bool, held_s: float = 0.0) -> None:
        self.may_send = is_up

    def hurry(self, device: bytes) -> None:
        self.first.append(device)


class Rig:
    """A forwarder, and what is around it."""

    def __init__(
        self, path: Path, order: Order = Order.DEVICE, device_per_s: float = 1000.0
    ) -> None:
        self.now_s = 0.0
        self.line, self.backlog = FakeLine(), FakeBacklog()
        self.store = Store(path, Bounds(10**6, 1e9))
        self.safe: list[bytes] = []
        self.forwarder = Forwarder(
            self.line,
            self.store,
            self.backlog,
            Rules(order, 1.0, device_per_s, lambda: self.now_s),
            lambda arrived: self.safe.append(arrived.payload),
        )

    def take(self, name: bytes, device: bytes = b"d", must_store: bool = False) -> None:
        record = KafkaRecord("t", device, name, [], 0)
        self.forwarder.take(record, Arrived("t", name, 0, 1), must_store)

    def turn(self, later_s: float = 0.0) -> None:
        self.now_s += later_s
        self.forwarder.turn()

    def stored(self) -> list[bytes | None]:
        number, rows, _ = self.store.begin_batch(Most(1000, 1000))
        self.store.settle(number, is_sent=False)
        return [row.record.value for row in rows]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path / "store.db")
    yield made
    made.store.close()


def test_a_message_is_safe_once_kafka_has_it(rig: Rig) -> None:
    rig.take(b"1")
    rig.turn()
    assert rig.safe == []
    rig.line.confirm()
    rig.turn()
    assert rig.safe == [b"1"]
    assert rig.stored() == []
    assert rig.backlog.may_send


def test_what_is_in_doubt_is_stored_before_what_comes_then_and_goes_when_kafka_has_it(
    rig: Rig,
) -> None:
    rig.take(b"1")
    rig.turn(0.9)
    assert not rig.forwarder.is_away
    rig.turn(0.2)
    rig.take(b"2")
    rig.turn()
    assert rig.forwarder.is_away
    assert rig.safe == [b"1", b"2"]
    assert rig.stored() == [b"1", b"2"]
    assert not rig.backlog.may_send
    rig.line.confirm()
    rig.turn()
    assert rig.stored() == [b"2"]
    assert rig.safe == [b"1", b"2"]
    assert not rig.forwarder.is_away
    assert rig.backlog.may_send


def test_the_backlog_stops_before_anything_in_doubt_is_stored(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.turn()
    assert rig.backlog.may_send
    add, allowed = rig.store.add, list[bool]()

    def noting(records: Sequence[KafkaRecord]) -> tuple[list[int], int]:
        allowed.append(rig.backlog.may_send)
        return add(records)

    monkeypatch.setattr(rig.store, "add", noting)
    rig.take(b"1")
    rig.turn(2)
    assert allowed == [False]


def test_a_device_with_stored_messages_waits_behind_them_and_is_hurried(rig: Rig) -> None:
    rig.take(b"1", must_store=True)
    rig.turn()
    rig.take(b"2")
    rig.take(b"other", device=b"e")
    rig.turn()
    assert rig.stored() == [b"1", b"2"]
    assert rig.line.names == [b"other"]
    assert rig.backlog.first == [b"d"]


def test_live_first_passes_what_is_stored(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "store.db", Order.LIVE)
    rig.take(b"1", must_store=True)
    rig.turn()
    rig.take(b"2")
    assert rig.line.names == [b"2"]
    rig.store.close()


def test_what_kafka_can_not_take_now_is_stored(rig: Rig) -> None:
    rig.take(b"1")
    rig.line.confirm(why_not="fatal")
    rig.turn()
    assert rig.stored() == [b"1"]
    assert rig.safe == [b"1"]


def test_what_does_not_fit_the_queue_is_stored_behind_what_is_in_it(rig: Rig) -> None:
    rig.take(b"1")
    rig.line.has_room = False
    rig.take(b"2")
    rig.turn()
    assert rig.forwarder.is_away
    assert rig.stored() == [b"1", b"2"]
    rig.line.confirm()
    rig.turn()
    assert rig.stored() == [b"2"]


def test_a_doubtful_one_that_fails_stays_stored_once(rig: Rig) -> None:
    rig.take(b"1")
    rig.turn(2)
    rig.line.confirm(why_not="purged")
    rig.turn()
    assert rig.stored() == [b"1"]


def test_on_a_full_disk_nothing_is_acknowledged_until_it_is_safe(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreError("store: can't be written: full")

    with monkeypatch.context() as patch:
        patch.setattr(rig.store, "add", full)
        rig.take(b"1")
        rig.turn(2)
        rig.take(b"2")
        rig.turn()
        assert rig.safe == []
        assert "full" in (rig.forwarder.store_trouble or "")
        rig.line.confirm()
        rig.turn(2)  # Kafka is back: what the disk did not take goes at once
        assert rig.safe == [b"1"]
        assert rig.line.names == [b"2"]
        rig.line.confirm()
        rig.turn()
        assert rig.safe == [b"1", b"2"]
    assert rig.stored() == []


def test_on_a_full_disk_what_waits_behind_stored_messages_goes_when_those_are_gone(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.store.add([KafkaRecord("t", b"d", b"0", [], 0)])
    monkeypatch.setattr(rig.store, "add", lambda *_: (_ for _ in ()).throw(StoreError("full")))
    rig.take(b"1")
    rig.turn()
    assert rig.line.names == []
    number = rig.store.begin_batch(Most(1, 1)).number
    rig.store.settle(number, is_sent=True)
    rig.turn(2)
    rig.take(b"2")
    assert rig.line.names == [b"1", b"2"]


def test_on_a_full_disk_what_kafka_has_leaves_the_store(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.take(b"1")
    rig.turn(2)
    assert rig.safe == [b"1"]
    monkeypatch.setattr(rig.store, "add", lambda *_: (_ for _ in ()).throw(StoreError("full")))
    rig.forwarder.absent = {"t"}
    rig.take(b"2")
    rig.line.confirm()
    rig.turn(2)
    assert rig.backlog.may_send
    assert rig.stored() == []


def test_what_the_disk_takes_later_is_safe_then(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(rig.store, "add", lambda *_: (_ for _ in ()).throw(StoreError("full")))
        rig.take(b"1")
        rig.turn(2)
    rig.turn(0.5)
    assert rig.safe == []
    rig.turn(1)
    assert rig.safe == [b"1"]
    assert rig.forwarder.store_trouble is None
    assert rig.stored() == [b"1"]


def test_what_is_for_an_absent_topic_is_kept_at_once(rig: Rig) -> None:
    rig.forwarder.absent = {"t"}
    rig.take(b"1")
    rig.turn()
    assert rig.line.names == []
    assert rig.safe == rig.stored() == [b"1"]
    rig.forwarder.absent = ()
    rig.take(b"2", b"other")
    assert rig.line.names == [b"2"]


def test_a_disk_that_is_nearly_full_takes_what_fits_and_is_told_until_it_has_all(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    add, room = rig.store.add, 2
    rig.forwarder.absent = {"t"}

    def nearly_full(records: Sequence[KafkaRecord]) -> tuple[list[int], int]:
        if len(rig.safe) + len(records) > room:
            raise StoreError("full")
        return add(records)

    monkeypatch.setattr(rig.store, "add", nearly_full)
    names = [b"%d" % i + bytes(240_000) for i in range(4)]
    for name in names:
        rig.take(name)
    rig.turn()
    assert rig.safe == names[:2]
    rig.forwarder.drop_old()
    assert "full" in (rig.forwarder.store_trouble or "")
    room = 4
    rig.turn(2.0)
    assert rig.safe == names
    assert rig.forwarder.store_trouble is None
