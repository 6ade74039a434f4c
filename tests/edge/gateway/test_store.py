"""The store keeps what it took, in order, within its bounds, whenever its process dies."""

import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ounce_edge.gateway.arrivals import KafkaRecord
from ounce_edge.gateway.bounds import Bounds, DropFirst
from ounce_edge.gateway.store import Store, StoreError
from ounce_edge.gateway.stored import Most, Which

MAX_BYTES = 12_000
"""Of about ten records."""


class Killed(BaseException):
    """The process died before a statement."""


class Fragile(sqlite3.Connection):
    """A connection whose process dies before its n-th statement from now, and stays dead."""

    n_left: float = float("inf")

    def _live(self) -> None:
        if Fragile.n_left <= 0:
            raise Killed
        Fragile.n_left -= 1

    def execute(self, *args: Any) -> sqlite3.Cursor:
        self._live()
        return super().execute(*args)

    def executemany(self, *args: Any) -> sqlite3.Cursor:
        self._live()
        return super().executemany(*args)


class FragileStore(Store):
    """On such connections."""

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False, factory=Fragile
        )


def record(
    name: int, device: int = 0, size: int = 10, deadline_ms: int | None = None
) -> KafkaRecord:
    headers = [] if deadline_ms is None else [("ce_maxlatencyms", b"%d" % deadline_ms)]
    return KafkaRecord("ounce.t.requests", b"d%d" % device, b"%d" % name + bytes(size), headers, 5)  # type: ignore[arg-type]


def kept(path: Path) -> list[KafkaRecord]:
    """The records on the disk, in order of place, as the next process finds them."""
    store = Store(path, Bounds(10**9, 1e9))
    try:
        if (batch := store.open_batch()) is not None:
            store.settle(batch, is_sent=False)
        found = store.begin_batch(Most(10**6, 10**6)).rows
        assert [s.place for s in found] == sorted({s.place for s in found})
        assert len(store) == len(found)
        assert store.n_bytes == sum(s.record.size_bytes for s in found)
        return [s.record for s in found]
    finally:
        store.close()


def image_of(path: Path) -> Path:
    """A copy of the files as a process that is killed now leaves them."""
    target = Path(tempfile.mkdtemp(dir=path.parent)) / path.name
    for suffix in ("", "-wal"):
        if Path(f"{path}{suffix}").exists():
            shutil.copy(f"{path}{suffix}", f"{target}{suffix}")
    return target


def urgency(record: KafkaRecord) -> float:
    return record.max_latency_ms or 1e12


def added(model: list[KafkaRecord], new: list[KafkaRecord], first: DropFirst) -> list[KafkaRecord]:
    """What is left of records and new ones."""
    left = [*model, *new]
    while sum(r.size_bytes for r in left) > MAX_BYTES:
        victim = left[0] if first is DropFirst.OLDEST else max(left, key=urgency)
        left.remove(victim)
    return left


ADD = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3000), st.sampled_from([None, 20, 500])),
    min_size=1,
    max_size=6,
)
BATCH = st.tuples(st.integers(1, 5), st.booleans(), st.lists(st.integers(0, 3), max_size=2))
STEPS = st.lists(
    st.tuples(st.one_of(ADD, BATCH), st.one_of(st.none(), st.integers(0, 12))), max_size=10
)


@given(STEPS, st.sampled_from(DropFirst))
@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_killed_store_is_as_before_or_as_after_and_goes_on(
    tmp_path: Path, steps: list[Any], first: DropFirst
) -> None:
    bounds, names = Bounds(MAX_BYTES, 1e9, first), iter(range(10**6))
    path = Path(tempfile.mkdtemp(dir=tmp_path)) / "store.db"
    model: list[KafkaRecord] = []
    store = FragileStore(path, bounds)
    for step, killed_at in steps:
        before, is_killed = model, False
        Fragile.n_left = float("inf") if killed_at is None else killed_at
        if isinstance(step, list):
            new = [record(next(names), *details) for details in step]
            model = added(model, new, first)
            try:
                _, dropped = store.add(new)
                assert dropped == len(before) + len(new) - len(model)
            except Killed:
                is_killed = True
        elif model:
            n, is_sent, devices = step
            chosen = batch_of(model, n, [b"d%d" % device for device in devices])
            model = [r for r in model if r not in chosen] if is_sent else model
            try:
                number, rows, _ = store.begin_batch(
                    Most(n, n), [b"d%d" % device for device in devices]
                )
                assert [s.record for s in rows] == chosen
                store.settle(number, is_sent)
            except Killed:
                is_killed = True
        Fragile.n_left = float("inf")
        found = kept(image_of(path))
        if is_killed:
            assert found in (before, model)
            model = found
            path = image_of(path)
            store.close()
            store = FragileStore(path, bounds)
            if (batch := store.open_batch()) is not None:
                store.settle(batch, is_sent=False)
        else:
            assert found == model
        assert store.n_bytes == sum(r.size_bytes for r in model) <= MAX_BYTES
        assert len(store) == len(model)
    store.close()


def batch_of(model: list[KafkaRecord], n: int, devices: list[bytes]) -> list[KafkaRecord]:
    """The next batch: records of these devices, then the oldest."""
    own = [r for device in dict.fromkeys(devices) for r in model if r.key == device]
    return [*own, *(r for r in model if r not in own)][:n]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def test_what_is_too_old_goes_by_the_time_that_a_gateway_ran(path: Path) -> None:
    now_s = [1000.0]
    store = Store(path, Bounds(10**9, 60), lambda: now_s[0])
    store.add([record(0)])
    now_s[0] += 50
    store.add([record(1)])
    store.close()
    now_s[0] = -5e9  # another boot: the steady clock begins anew
    store = Store(path, Bounds(10**9, 60), lambda: now_s[0])
    assert store.oldest_age_s() == pytest.approx(50)
    assert store.drop_old() == 0
    now_s[0] += 11
    assert store.drop_old() == 1
    assert len(store) == 1
    store.close()


def test_what_is_old_is_found_without_a_look_at_what_is_young(path: Path) -> None:
    now_s, steps = [0.0], list[int]()
    store = Store(path, Bounds(10**9, 60), lambda: now_s[0])
    store.add([record(0), record(1)])
    now_s[0] = 50
    store.add([record(i) for i in range(2, 3000)])
    store._db.set_progress_handler(lambda: steps.append(1), 100)
    assert (store.drop_old(), len(steps)) == (0, 0)
    now_s[0] = 70
    assert (store.drop_old(), len(store)) == (2, 2998)
    assert len(steps) < 20
    store.close()


def test_a_full_disk_keeps_what_was_there_and_takes_no_more(path: Path) -> None:
    store = Store(path, Bounds(10**9, 60))
    store.add([record(0)])
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(StoreError, match="full"):
        store.add([record(i, size=5000) for i in range(1, 5)])
    assert (len(store), store.n_bytes) == (1, record(0).size_bytes)
    store._db.execute("PRAGMA max_page_count = 1000000")
    store.add([record(1)])
    store.close()
    assert kept(path) == [record(0), record(1)]


def test_a_batch_that_is_under_way_is_not_dropped(path: Path) -> None:
    store = Store(path, Bounds(5_000, 1e9))
    store.add([record(0), record(1)])
    number = store.begin_batch(Most(1, 1)).number
    store.add([record(2, size=2_000)])
    assert store.open_batch() == number
    store.settle(number, is_sent=False)
    store.close()
    assert kept(path) == [record(0), record(2, size=2_000)]


def test_a_record_is_replaced_where_it_stands(path: Path) -> None:
    store = Store(path, Bounds(10**9, 1e9))
    store.add([record(0), record(1)])
    number = store.begin_batch(Most(1, 1)).number
    store.replace(number, record(7, size=500))
    store.close()
    assert kept(path) == [record(7, size=500), record(1)]


def test_two_gateways_can_not_have_one_store(path: Path) -> None:
    store = Store(path, Bounds(10**9, 60))
    with pytest.raises(StoreError, match="another gateway has it"):
        Store(path, Bounds(10**9, 60))
    store.close()
    Store(path, Bounds(10**9, 60)).close()


@pytest.mark.parametrize("content", [b"no database", b"SQLite format 3\0" + bytes(5000)])
def test_a_file_that_is_no_store_is_named(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"store\.db: can't be opened"):
        Store(path, Bounds(10**9, 60))


@pytest.mark.parametrize("deadline", [b"nan", b"inf", b"-inf", b"1e999", b"soon", b"\xff"])
def test_a_deadline_that_is_no_number_is_none_and_hinders_no_other(
    tmp_path: Path, deadline: bytes
) -> None:
    store = Store(tmp_path / "store.db", Bounds(10**9, 1e9, DropFirst.LEAST_URGENT))
    odd = record(1)._replace(headers=[("ce_maxlatencyms", deadline)])
    assert odd.max_latency_ms is None
    store.add([record(0), odd, record(2)])
    store.close()
    assert kept(tmp_path / "store.db") == [record(0), odd, record(2)]


def test_a_batch_of_large_records_is_small(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db", Bounds(10**9, 1e9))
    store.add([record(i, device=i % 2, size=400_000) for i in range(5)])
    store.add([record(9, device=2, size=2_000_000)])
    batches = []
    for first in ([b"d1"], [b"d1"], [], []):
        number, rows, _ = store.begin_batch(Most(100, 100), first)
        batches.append([row.place for row in rows])
        store.settle(number, is_sent=True)
    store.close()
    assert batches == [[2, 4], [1, 3], [5], [6]]


def test_only_records_of_some_topics_go_in_their_order(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db", Bounds(10**9, 1e9))
    store.add([record(i, i % 2)._replace(topic="abc"[i % 3]) for i in range(12)])
    assert store.topics() == ["a", "b", "c"]
    batch = store.begin_batch(Most(5, 5), which=Which(["a", "c"]))
    assert [row.place for row in batch.rows] == [1, 3, 4, 6, 7]
    store.settle(batch.number, is_sent=True)
    batch = store.begin_batch(Most(9, 0), [b"d1"], Which(["a"]))
    assert [row.place for row in batch.rows] == [10]
    store.close()


def test_a_file_whose_tables_are_others_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE records (name TEXT)")
        db.execute("INSERT INTO records VALUES ('theirs')")
        db.commit()
    with pytest.raises(StoreError, match=r"no column named|no such column.*choose another --store"):
        Store(path, Bounds(10**9, 1e9))
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT name FROM records").fetchall() == [("theirs",)]
