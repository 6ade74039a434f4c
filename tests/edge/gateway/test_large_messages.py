"""A message that is too large for its line goes apart; the others do not wait for it."""

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from ounce_edge.gateway.bounds import Bounds
from ounce_edge.gateway.line_speed import LineSpeed
from ounce_edge.gateway.store import Store, StoreError
from ounce_edge.gateway.stored import Most, Which

from tests.edge.gateway.test_forwarder import Rig
from tests.edge.gateway.test_store import record

LARGE = bytes(300_000)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path / "store.db")
    yield made
    made.store.close()


def test_a_large_message_that_does_not_pass_is_given_up_and_kept(rig: Rig) -> None:
    rig.take(LARGE, b"large")
    rig.take(b"behind")
    rig.turn(57)
    rig.take(b"later", b"other")
    rig.turn()
    assert rig.line.names == [LARGE, b"behind"]
    rig.turn(1)
    assert rig.line.names == []
    assert rig.stored() == [LARGE, b"behind", b"later"]
    assert rig.safe == [LARGE, b"behind", b"later"]
    rig.turn(60)
    assert rig.forwarder.is_away  # nobody knows whether Kafka is there
    rig.forwarder.note_reached()
    rig.turn()
    assert not rig.forwarder.is_away
    assert rig.backlog.may_send


def test_large_messages_go_by_the_store_until_it_has_carried_some_soon(rig: Rig) -> None:
    rig.take(LARGE)
    rig.turn(65)
    rig.forwarder.note_reached()
    rig.turn()
    rig.take(LARGE[1:], b"another")
    rig.take(bytes(35_000), b"a small one")
    assert rig.line.names == [bytes(35_000)]
    rig.line.confirm()
    rig.forwarder.speed.carried(300_000, 75.0)
    rig.take(LARGE[2:], b"a third")
    assert rig.line.names == []
    rig.forwarder.speed.carried(300_000, 0.5)
    rig.take(LARGE[3:], b"a fourth")
    assert rig.line.names == [LARGE[3:]]


def test_small_messages_are_waited_for_however_long_kafka_is_away(rig: Rig) -> None:
    rig.take(b"1")
    rig.take(LARGE)
    for _ in range(10):
        rig.turn(100)
    assert rig.line.names == [b"1", LARGE]


def test_the_time_of_a_large_message_begins_when_it_is_the_first(rig: Rig) -> None:
    rig.take(b"1")
    rig.take(LARGE, b"large")
    rig.turn(50)
    rig.line.confirm()
    rig.turn()
    rig.turn(57)
    assert rig.line.names == [LARGE]
    rig.turn(1)
    assert rig.line.names == []


def test_a_large_message_that_held_up_others_goes_by_the_store_the_next_time(rig: Rig) -> None:
    rig.take(LARGE)
    rig.turn(40)
    rig.line.confirm()
    rig.turn()
    assert not rig.forwarder.is_away
    rig.take(LARGE)
    assert rig.line.names == []


def test_on_a_full_disk_small_messages_go_on_when_a_large_one_is_given_up(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rig.store, "add", lambda *_: (_ for _ in ()).throw(StoreError("full")))
    rig.take(LARGE, b"large")
    rig.take(b"small")
    rig.turn(66)
    rig.forwarder.note_reached()
    rig.turn(2)
    assert rig.line.names == [b"small"]
    assert rig.safe == []


def test_a_quick_line_is_no_reason_to_send_apart() -> None:
    speed = LineSpeed(patience_s=1.0)
    for took_s in (0.0, 0.9):
        speed.held_up(900_000, took_s)
    assert not speed.is_too_large(1_000_000)
    speed.held_up(900_000, 9.0)
    assert speed.is_too_large(100_001)
    assert not speed.is_too_large(99_999)
    speed.carried(40_000, 0.0)
    assert speed.is_too_large(100_001)
    speed.carried(40_001, 0.0)
    assert not speed.is_too_large(999_999)
    speed.held_up(900_000, 900.0)
    assert not speed.is_too_large(40_000)


def test_devices_with_large_records_are_found_and_let_others_go(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db", Bounds(10**9, 1e9))
    store.add([record(0, 0, 300_000), record(1, 0), record(2, 1), record(3, 2, 100_000)])
    assert store.devices_over(math.inf) == []
    assert store.devices_over(200_000) == [b"d0"]
    assert sorted(store.devices_over(1000)) == [b"d0", b"d2"]
    batch = store.begin_batch(Most(9, 9), [b"d0", b"d2"], Which(not_of=[b"d0"]))
    assert [row.place for row in batch.rows] == [4, 3]
    store.settle(batch.number, is_sent=True)
    assert not store.begin_batch(Most(9, 9), which=Which(["t"], [b"d0"])).rows
    store.close()
