"""A store that another version of Ounce has made."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from ounce_edge.gateway.arrivals import KafkaRecord
from ounce_edge.gateway.bounds import Bounds
from ounce_edge.gateway.store import Store, StoreError

BOUNDS = Bounds(10**9, 1e9)


def test_a_store_of_a_later_form_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = Store(path, BOUNDS)
    store.add([KafkaRecord("ounce.t.requests", b"d", b"x", [], 5)])
    store.close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 2")
        with pytest.raises(StoreError, match="has form 2, and this version of Ounce reads 1"):
            Store(path, BOUNDS)
        db.execute("PRAGMA user_version = 0")  # nobody has said it
    store = Store(path, BOUNDS)
    assert len(store) == 1
    store.close()
