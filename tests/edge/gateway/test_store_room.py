"""The store's room on the disk: taken, used where the disk is full, and given back."""

from pathlib import Path

import pytest
from ounce_edge.gateway.arrivals import KafkaRecord
from ounce_edge.gateway.bounds import Bounds
from ounce_edge.gateway.reserve import Reserve
from ounce_edge.gateway.store import Store, StoreError
from ounce_edge.gateway.stored import Most

from tests.support.process.small_disk import SmallDisk

RECORDS = [KafkaRecord("t", b"d", bytes(10_000), [], 0)] * 400
ALL = Most(1000, 1000)


def emptied(store: Store) -> None:
    while len(store):
        store.settle(store.begin_batch(ALL).number, is_sent=True)


def test_an_empty_store_gives_its_room_back(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = Store(path, Bounds(10**9, 1e9))
    store.add(RECORDS)
    emptied(store)
    size_bytes = path.stat().st_size
    assert size_bytes > 3_000_000
    for _ in range(3):
        store.tidy()
    assert path.stat().st_size < size_bytes / 10
    store.add(RECORDS[:1])
    assert len(store) == 1
    store.close()


def test_a_store_that_can_not_be_written_uses_its_reserve_to_send_and_then_takes_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "store.db"
    reserve = Path(f"{path}.reserve")
    bounds = Bounds(10**9, 1e9)
    store = Store(path, bounds)
    store.add(RECORDS)
    assert reserve.stat().st_size == bounds.reserve_bytes
    store._db.execute("PRAGMA query_only = 1")  # as a disk that is full
    with pytest.raises(StoreError, match="can't be written"):
        store.add(RECORDS)
    assert reserve.exists(), "what is added leaves it to what is sent"
    with pytest.raises(StoreError, match="can't be written"):
        store.begin_batch(ALL)
    assert not reserve.exists()
    store._db.execute("PRAGMA query_only = 0")
    with monkeypatch.context() as patch:
        patch.setattr(Reserve, "hold", full)
        emptied(store)
        with pytest.raises(StoreError, match="No space"):
            store.add(RECORDS)
        with pytest.raises(StoreError, match="No space"):
            store.tidy()
    store.add(RECORDS)
    assert reserve.stat().st_size == bounds.reserve_bytes
    store.close()


def full(_: Reserve) -> None:
    raise OSError(28, "No space left on device")


def test_a_store_that_was_closed_opens_on_a_disk_that_is_full_and_gives_what_it_has(
    tmp_path: Path,
) -> None:
    bounds = Bounds(10**9, 1e9)
    with SmallDisk(tmp_path / "disk", 12_000) as disk:
        disk.need_mount()
        path = disk.folder / "store.db"
        store = Store(path, bounds)
        store.add(RECORDS[:50])
        store.close()
        disk.fill()
        again = Store(path, bounds)
        assert len(again) == 50
        emptied(again)
        again.close()


def test_a_store_that_was_closed_takes_records_on_a_disk_with_little_room(tmp_path: Path) -> None:
    bounds = Bounds(10**9, 1e9)
    with SmallDisk(tmp_path / "disk", bounds.reserve_bytes // 1024 + 3000) as disk:
        disk.need_mount()
        store = Store(disk.folder / "store.db", bounds)
        store.close()
        disk.fill(but=1_000_000)
        again = Store(disk.folder / "store.db", bounds)
        again.add(RECORDS[:10])
        again.tidy()
        assert len(again) == 10
        again.close()


def test_where_the_reserve_can_not_be_removed_a_write_fails_as_any_other(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db", Bounds(10**9, 1e9))
    store.add(RECORDS[:1])
    reserve = tmp_path / "store.db.reserve"
    reserve.unlink()
    reserve.mkdir()  # as on a disk that has become read-only: it can't be unlinked
    store._db.execute("PRAGMA query_only = 1")
    with pytest.raises(StoreError, match="can't be written"):
        store.begin_batch(ALL)
    store.close()


def test_a_reserve_is_not_taken_of_a_disk_that_has_little_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage:
        free = 1499

    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage)
    reserve = Reserve(tmp_path / "reserve", 1000, 500)
    with pytest.raises(OSError, match="of the disk are free"):
        reserve.hold()
    assert not (tmp_path / "reserve").exists()
    Usage.free = 1500
    reserve.hold()
    Usage.free = 0
    again = Reserve(tmp_path / "reserve", 1000, 500)
    again.hold()  # it was left by a process that was killed
    again.release()
    assert not again.is_held
    assert not (tmp_path / "reserve").exists()
