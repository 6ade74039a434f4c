"""A device that floods does not take the place of others."""

from pathlib import Path

import pytest
from ounce_edge.gateway.device_pace import DevicePace
from ounce_edge.gateway.store import StoreError

from tests.edge.gateway.test_forwarder import Rig


def test_a_device_may_send_so_many_a_second() -> None:
    pace = DevicePace(10)
    assert [pace.may_go(b"a", 5.0) for _ in range(12)] == [True] * 10 + [False] * 2
    assert pace.may_go(b"b", 5.0)
    assert pace.sends_much(b"a", 5.0)
    assert not pace.sends_much(b"b", 5.0)
    assert [pace.may_go(b"a", 5.21) for _ in range(3)] == [True, True, False]
    assert not pace.sends_much(b"a", 6.0)
    assert all(pace.may_go(b"a", 7.0 + i / 10) for i in range(100))


def test_devices_that_are_silent_are_forgotten() -> None:
    pace = DevicePace(1)
    for i in range(25_000):
        pace.may_go(b"%d" % i, i / 100)
    assert len(pace._until_s) <= 10_001
    assert not pace.may_go(b"24999", 249.99)


def test_many_devices_that_all_send_are_seldom_gone_through() -> None:
    pace, n_times = DevicePace(0.001), 0
    for i in range(50_000):
        before = pace._until_s
        pace.may_go(b"%d" % i, 0.0)
        n_times += pace._until_s is not before
    assert n_times == 3
    assert not pace.may_go(b"0", 0.0)
    pace.may_go(b"more", 2000.0)
    for i in range(50_000):
        pace.may_go(b"%d" % i, 2000.0 + 1000.0 * i)
    assert len(pace._until_s) <= 80_001


def test_what_is_beyond_is_stored_and_others_go_at_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "store.db", device_per_s=2)
    for i in range(4):
        rig.take(b"%d" % i, b"floods")
    rig.take(b"calm", b"other")
    rig.turn()
    assert rig.line.names == [b"0", b"1", b"calm"]
    rig.line.confirm(2)
    rig.turn()
    assert rig.line.names == [b"calm"]
    assert rig.stored() == [b"2", b"3"]
    assert (rig.forwarder.held_back, rig.forwarder.floods) == (2, b"floods")
    rig.now_s += 0.4
    rig.take(b"4", b"floods")
    rig.turn()
    assert rig.stored() == [b"2", b"3", b"4"]  # in their order, and in no hurry
    assert rig.backlog.first == []
    rig.now_s += 1
    rig.take(b"5", b"floods")
    rig.turn()
    assert rig.backlog.first == [b"floods"]
    rig.store.close()


def test_on_a_full_disk_nothing_is_held_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(tmp_path / "store.db", device_per_s=2)
    monkeypatch.setattr(rig.store, "add", lambda *_: (_ for _ in ()).throw(StoreError("full")))
    for i in range(3):
        rig.take(b"%d" % i, b"floods")
    rig.line.confirm(2)
    rig.turn()
    rig.take(b"3", b"floods")
    assert rig.line.names == [b"2", b"3"]
    rig.store.close()


@pytest.mark.parametrize("comes", [False, True])
def test_what_is_beyond_passes_nothing_that_its_device_sent_before(
    tmp_path: Path, comes: bool
) -> None:
    rig = Rig(tmp_path / "store.db", device_per_s=2)
    for i in range(4):
        rig.take(b"%d" % i, b"floods")
    rig.turn(0.9)
    assert rig.stored() == rig.safe == []
    if comes:
        rig.line.confirm(2)
        rig.turn()
        assert rig.safe == [b"0", b"1", b"2", b"3"]
        assert rig.stored() == [b"2", b"3"]
    else:
        rig.turn(0.2)
        assert rig.forwarder.is_away
        assert rig.stored() == rig.safe == [b"0", b"1", b"2", b"3"]
    rig.store.close()
