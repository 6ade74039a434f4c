"""What waits for Kafka, on disk: SQLite with a write-ahead log, bounded by bytes and age.

Every public method is one transaction: a process that dies between two statements leaves what was
before, and what is added is on the disk when `add` returns.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from heapq import merge
from itertools import islice, takewhile
from pathlib import Path
from uuid import uuid4

import msgspec

from ounce_edge.gateway.arrivals import KafkaRecord
from ounce_edge.gateway.bounds import Bounds, DropFirst
from ounce_edge.gateway.store_file import StoreError, StoreFile
from ounce_edge.gateway.store_tables import TOPICS, Change
from ounce_edge.gateway.stored import ALL, Batch, Most, Stored, Which

__all__ = ["MOST_BATCH_BYTES", "Store", "StoreError"]

MOST_BATCH_BYTES = 1_000_000
"""Of more than one record: on a slow line a larger transaction never ends in time."""
_WITHOUT_DEADLINE_MS = 1e12
_STEPS_AT_ONCE = 8
"""Of giving room back: some tens of milliseconds."""
_MOST_ASIDE = 100
_MOST_DROPPED = 1000
"""Records at once: many need room in the log."""
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(KafkaRecord).decode


class Store(StoreFile):
    """Keeps records in the order in which they were added; safe on several threads.

    Age is time that a gateway ran with the store: a clock that is set, or wrong at start, drops
    nothing.

    Args:
        path: of the database's file.
        bounds: how much may wait.
        clock: seconds on any steady clock.

    Raises:
        StoreError: it can't be opened.
    """

    def __init__(
        self, path: Path, bounds: Bounds, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(path, bounds.reserve_bytes)
        self._bounds = bounds
        self._lock = threading.Lock()
        self.id, self._batch = self._about()
        """The first is of this store, for good."""
        self._n: int
        self._bytes: int
        last_s: float
        ((self._n, self._bytes, last_s),) = self._ask(
            "SELECT count(*), coalesce(sum(bytes), 0), coalesce(max(at_s), 0) FROM records"
        )
        self._clock, self._zero_s = clock, clock() - last_s

    def __len__(self) -> int:
        """Records that wait."""
        return self._n

    @property
    def n_bytes(self) -> int:
        """What they take, roughly."""
        return self._bytes

    def oldest_age_s(self) -> float:
        """How long the first has waited; 0 where none does."""
        row = self._ask("SELECT at_s FROM records ORDER BY place LIMIT 1").fetchone()
        return 0.0 if row is None else max(self._now_s() - row[0], 0.0)

    def has(self, device: bytes) -> bool:
        """Whether records of a device wait; does not wait for a writer."""
        found = self._ask("SELECT 1 FROM records WHERE device = ? LIMIT 1", (device,)).fetchone()
        return found is not None

    def add(self, records: Sequence[KafkaRecord]) -> tuple[list[int], int]:
        """Keep records, and drop what is over the bounds then.

        Returns:
            The places of the records, and how many were dropped.

        Raises:
            StoreError: none is kept, and none dropped.
        """
        with self._lock:
            self._hold_reserve()
        with self._transaction(is_adding=True) as change:
            db, now_s, places = change.db, self._now_s(), list[int]()
            for record in records:
                patience_ms = record.max_latency_ms or _WITHOUT_DEADLINE_MS
                row = (record.key, patience_ms, record.size_bytes, now_s, _encode(record))
                added = db.execute(
                    "INSERT INTO records (device, patience_ms, bytes, at_s, record, topic) "
                    "VALUES (?, ?, ?, ?, ?, ?)",
                    (*row, record.topic),
                )
                places.append(int(added.lastrowid or 0))
                change.n += 1
                change.n_bytes += record.size_bytes
            over = self._bytes + change.n_bytes - self._bounds.max_bytes
            return places, change.delete([*self._over(db, over)])

    def drop_old(self) -> int:
        """Drop what is too old; how many.

        Raises:
            StoreError: none is dropped.
        """
        n_dropped = 0
        while self.oldest_age_s() > self._bounds.max_age_s:  # waits for no writer
            n = self._drop_old()
            n_dropped += n
            if n < _MOST_DROPPED:
                break
        return n_dropped

    def _drop_old(self) -> int:
        with self._transaction() as change:
            since_s = self._now_s() - self._bounds.max_age_s
            # Records stand in the order of their age: only those that are dropped are looked at.
            ordered = change.db.execute("SELECT place, at_s, batch FROM records ORDER BY place")
            old = takewhile(lambda row: row[1] < since_s, ordered)
            free = (place for place, _, batch in old if batch is None)
            return change.delete([*islice(free, _MOST_DROPPED)])

    def tidy(self) -> None:
        """Take up the room that sending needs on a full disk, where it was used. An empty store
        gives its own back, by and by.

        Raises:
            StoreError: the disk has too little: what is stored may go, and nothing is added.
        """
        with self._lock:
            for _ in range(0 if self._n else _STEPS_AT_ONCE):
                if not self._shrink():
                    break
            self._hold_reserve()

    def remove(self, places: Sequence[int]) -> None:
        """These are safe elsewhere.

        Raises:
            StoreError: all are still there.
        """
        with self._transaction() as change:
            change.delete(places)

    def topics(self) -> list[str]:
        """Topics of records that wait, sorted."""
        return [topic for (topic,) in self._ask(TOPICS).fetchall()]

    def devices_over(self, n_bytes: float) -> list[bytes]:
        """Devices of records that are larger than so much, and than what is small for any line."""
        asked = "SELECT DISTINCT device FROM records WHERE bytes > 40000 AND bytes > ? LIMIT ?"
        return [device for (device,) in self._ask(asked, (n_bytes, _MOST_ASIDE)).fetchall()]

    def begin_batch(
        self,
        most: Most,
        first: Sequence[bytes] = (),
        which: Which = ALL,
    ) -> Batch:
        """Put the next records into a batch, which has to be settled before the next one.

        Args:
            most: records; fewer where they take over `MOST_BATCH_BYTES`.
            first: devices whose records go before others; within a device order holds.
            which: may go.

        Raises:
            StoreError: there is no batch.
        """
        with self._transaction() as change:
            db, rows, n_bytes, is_full = change.db, dict[int, bytes](), 0, False
            for place, content in self._in_turn(db, most, first, which):
                n_bytes += 0 if place in rows else len(content)
                is_full = len(rows) == most.in_all or bool(rows and n_bytes > MOST_BATCH_BYTES)
                if is_full:
                    break
                rows[place] = content
            chosen = [(self._batch + 1, place) for place in rows]
            db.executemany("UPDATE records SET batch = ? WHERE place = ?", chosen)
            db.execute("UPDATE about SET batch = batch + 1")
        self._batch += 1
        found = [Stored(place, _decode(rows[place])) for _, place in chosen]
        return Batch(self._batch, found, is_full)

    def open_batch(self) -> int | None:
        """The batch that is not settled, where there is one."""
        row = self._ask("SELECT max(batch) FROM records WHERE batch IS NOT NULL").fetchone()
        return None if row is None else row[0]

    def settle(self, batch: int, is_sent: bool) -> None:
        """Remove a batch that Kafka has, or put it back. A power cut may undo that: then the batch
        is open again, and Kafka knows whether it has it.

        Raises:
            StoreError: it is as it was.
        """
        with self._transaction(is_synced=False) as change:
            if is_sent:
                change.delete_batch(batch)
            else:
                change.db.execute("UPDATE records SET batch = NULL WHERE batch = ?", (batch,))

    def replace(self, batch: int, record: KafkaRecord) -> None:
        """Put a batch of one record back, in another form.

        Raises:
            StoreError: it is as it was.
        """
        with self._transaction() as change:
            query = "SELECT bytes FROM records WHERE batch = ?"
            ((n_bytes,),) = change.db.execute(query, (batch,)).fetchall()
            change.n_bytes += record.size_bytes - n_bytes
            change.db.execute(
                "UPDATE records SET record = ?, bytes = ?, topic = ?, batch = NULL WHERE batch = ?",
                (_encode(record), record.size_bytes, record.topic, batch),
            )

    def _now_s(self) -> float:
        """Seconds that gateways ran with this store."""
        return self._clock() - self._zero_s

    @contextmanager
    def _transaction(self, *, is_synced: bool = True, is_adding: bool = False) -> Iterator[Change]:
        with self._lock:
            with self._writing(is_synced=is_synced, is_adding=is_adding) as db:
                change = Change(db)
                yield change
            self._n += change.n
            self._bytes += change.n_bytes

    def _about(self) -> tuple[str, int]:
        """The store's id, and its last batch."""
        with self._writing() as db:
            query = "INSERT INTO about SELECT ?, 0 WHERE NOT EXISTS (SELECT 1 FROM about)"
            db.execute(query, (uuid4().hex,))
        ((id_, batch),) = self._ask("SELECT id, batch FROM about")
        return id_, batch

    @staticmethod
    def _in_turn(
        db: sqlite3.Connection, most: Most, first: Sequence[bytes], which: Which
    ) -> Iterator[tuple[int, bytes]]:
        """Records as they go, some of them twice."""
        query, (may_go, values) = "SELECT place, record FROM records WHERE ", which.condition
        for device in first:
            yield from db.execute(
                f"{query} device = ? {may_go} ORDER BY place LIMIT ?",
                (device, *values, most.in_all + 1),
            )
        if which.topics is None:
            yield from db.execute(
                f"{query} TRUE {may_go} ORDER BY place LIMIT ?", (*values, most.others)
            )
            return
        # One walk for each topic: what may not go is not looked at.
        each = f"{query} topic = ? {may_go} ORDER BY place LIMIT ?"
        walks = [db.execute(each, (topic, *values, most.others)) for topic in which.topics]
        yield from islice(merge(*walks), most.others)

    def _over(self, db: sqlite3.Connection, n_bytes: int) -> Iterator[int]:
        """The first records to drop, until they make up so many bytes."""
        order = "place"
        if self._bounds.drop_first is DropFirst.LEAST_URGENT:
            order = "patience_ms DESC, place"
        if n_bytes > 0:
            query = f"SELECT place, bytes FROM records WHERE batch IS NULL ORDER BY {order}"
            for place, own in db.execute(query):
                yield place
                n_bytes -= own
                if n_bytes <= 0:
                    return
