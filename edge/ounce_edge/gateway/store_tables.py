"""The tables of the store, and what a transaction changes in them."""

import sqlite3
from collections.abc import Sequence

FORM = 1
"""Of the tables, kept as `user_version`: it rises when they change. 0: nobody has said it yet."""
SCHEMA = f"""
PRAGMA user_version = {FORM};
CREATE TABLE IF NOT EXISTS about (id TEXT NOT NULL, batch INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS records (
  place INTEGER PRIMARY KEY AUTOINCREMENT, device BLOB NOT NULL, patience_ms REAL NOT NULL,
  bytes INTEGER NOT NULL, at_s REAL NOT NULL, batch INTEGER, record BLOB NOT NULL,
  topic TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS of_device ON records (device, place);
CREATE INDEX IF NOT EXISTS of_topic ON records (topic, place);
CREATE INDEX IF NOT EXISTS of_batch ON records (batch) WHERE batch IS NOT NULL;
CREATE INDEX IF NOT EXISTS of_large ON records (bytes) WHERE bytes > 40000;
CREATE INDEX IF NOT EXISTS by_patience ON records (patience_ms DESC, place);
"""
TOPICS = """
WITH RECURSIVE known(topic) AS (
  SELECT min(topic) FROM records
  UNION ALL
  SELECT (SELECT min(topic) FROM records WHERE topic > known.topic) FROM known
  WHERE known.topic IS NOT NULL
)
SELECT topic FROM known WHERE topic IS NOT NULL
"""
"""Each topic once, by one look at the index for each."""


class Change:
    """What a transaction does to the number of records and their bytes."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        self.n = 0
        self.n_bytes = 0

    def delete(self, places: Sequence[int]) -> int:
        """Delete records; how many were there."""
        n_before = self.n
        for place in places:
            query = "DELETE FROM records WHERE place = ? RETURNING bytes"
            for (n_bytes,) in self.db.execute(query, (place,)).fetchall():
                self.n -= 1
                self.n_bytes -= n_bytes
        return n_before - self.n

    def delete_batch(self, batch: int) -> None:
        """Delete the records of a batch."""
        query = "SELECT count(*), coalesce(sum(bytes), 0) FROM records WHERE batch = ?"
        ((n, n_bytes),) = self.db.execute(query, (batch,)).fetchall()
        self.db.execute("DELETE FROM records WHERE batch = ?", (batch,))
        self.n -= n
        self.n_bytes -= n_bytes
