"""The store's file: SQLite with a write-ahead log, and a reserve for a disk that is full."""

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

from ounce_schemas.errors import OunceError

from ounce_edge.gateway.bounds import LOG_BYTES
from ounce_edge.gateway.reserve import Reserve
from ounce_edge.gateway.store_tables import FORM, SCHEMA

_PAGE_BYTES = 4096
_PAGES_AT_ONCE = 250
"""Given back to the disk in one step: moving them takes room in the log."""


class StoreError(OunceError):
    """The store can't be read or written, as on a full disk."""


class StoreFile:
    """Base of `Store`. One process has it; one thread writes at a time, any may read beside.

    Args:
        path: of the database.
        reserve_bytes: room to send what is stored, whoever fills the disk.

    Raises:
        StoreError: it can't be opened.
    """

    def __init__(self, path: Path, reserve_bytes: int) -> None:
        self._path = path
        self._reserve = Reserve(Path(f"{path}.reserve"), reserve_bytes, 2 * LOG_BYTES)
        try:
            with ExitStack() as opened:
                self._open(opened)
                self._opened = opened.pop_all()
        except BlockingIOError as e:
            raise StoreError(
                f"store {path}: another gateway has it; give each its own --store"
            ) from e
        except (OSError, sqlite3.Error) as e:
            raise StoreError(f"store {path}: can't be opened: {e}; choose another --store") from e

    def _open(self, opened: ExitStack) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        guard = opened.enter_context(Path(f"{self._path}.lock").open("wb"))  # noqa: SIM115
        fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._db = opened.enter_context(closing(self._connect()))
        try:
            self._set_up()
        except sqlite3.Error:  # a log needs room, too
            self._reserve.release()
            self._set_up()
        with suppress(OSError):  # told as soon as something would be added
            self._reserve.hold()
        self._reader = opened.enter_context(closing(self._connect()))

    def _set_up(self) -> None:
        db = self._db
        ((form,),) = db.execute("PRAGMA user_version").fetchall()
        if form > FORM:
            raise StoreError(
                f"store {self._path}: has form {form}, and this version of Ounce reads {FORM}: "
                "run the later one until all is sent, or choose another --store"
            )
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"PRAGMA wal_autocheckpoint = {LOG_BYTES // _PAGE_BYTES}")
        db.execute(f"PRAGMA journal_size_limit = {2 * LOG_BYTES}")
        db.executescript(SCHEMA)

    def _ask(self, query: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        """What a query finds; waits for no writer.

        Raises:
            StoreError: the file can't be read.
        """
        try:
            return self._reader.execute(query, values)
        except sqlite3.Error as e:
            raise StoreError(f"store {self._path}: can't be read: {e}") from e

    @contextmanager
    def _writing(
        self, *, is_synced: bool = True, is_adding: bool = False
    ) -> Iterator[sqlite3.Connection]:
        """Write all of it or nothing.

        Args:
            is_synced: whether it is on the disk at the end.
            is_adding: whether it has to leave the reserve to others.

        Raises:
            StoreError: nothing is written. Where it may use the reserve, it succeeds the next time.
        """
        db = self._db
        try:
            db.execute(f"PRAGMA synchronous = {'FULL' if is_synced else 'NORMAL'}")
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")
        except BaseException as e:
            if db.in_transaction:
                db.execute("ROLLBACK")
            if isinstance(e, sqlite3.Error):
                if not is_adding:
                    self._reserve.release()
                raise StoreError(f"store {self._path}: can't be written: {e}") from e
            raise

    def _hold_reserve(self) -> None:
        """Take the reserve up again where it was used, with room that the file can give back.

        Raises:
            StoreError: the disk has too little: what is stored may go, and nothing may be added.
        """
        while not self._reserve.is_held:
            try:
                self._reserve.hold()
            except OSError as e:
                if not self._shrink():
                    text = f"store {self._path}: can't be written: {e.strerror or e}"
                    raise StoreError(text) from e

    def close(self) -> None:
        """Close it."""
        self._opened.close()

    def _shrink(self) -> bool:
        """Give some room back to the disk; whether there was any."""
        db = self._db
        try:
            ((n_free,),) = db.execute("PRAGMA freelist_count").fetchall()
            if not n_free:
                return False
            # `execute` would take one step of many.
            db.executescript(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            ((n_left,),) = db.execute("PRAGMA freelist_count").fetchall()
        except sqlite3.Error:  # too little room even for that
            return False
        return bool(n_left < n_free)

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False, timeout=10
        )
