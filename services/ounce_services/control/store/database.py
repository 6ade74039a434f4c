"""The database: SQLite in a file, or PostgreSQL; brought up to date when it is opened."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from ounce_schemas.errors import OunceError
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionError
from sqlalchemy.orm import Session

_MIGRATIONS = Path(__file__).with_name("migrations")
_SCHEMES = {"postgres", "postgresql"}
_BUSY_S = 10.0
"""To wait for another process that writes to the SQLite file."""
_POOL_S = 10.0
"""To wait for one of the connections that others use."""
_MIGRATIONS_LOCK, _ALONE_LOCK = 7411058, 7411059
"""Numbers of locks that PostgreSQL keeps."""

AWAY = (OperationalError, InterfaceError, NoConnectionError)
"""The database does not answer: trying again may help."""


class DatabaseError(OunceError):
    """The database can't be used."""


class Database:
    """Tables of the control plane.

    Args:
        url: `sqlite:///FILE`, or `postgresql://USER:PASSWORD@HOST/NAME`.

    Raises:
        DatabaseError: it can't be opened or brought up to date. The password is not in the text.
    """

    def __init__(self, url: str) -> None:
        try:
            parsed = make_url(url)
            if parsed.drivername in _SCHEMES:
                parsed = parsed.set(drivername="postgresql+psycopg")
            self.shown = parsed.render_as_string(hide_password=True)
            self.engine = _engine(parsed)
        except (ArgumentError, TypeError, ValueError, ImportError):  # TypeError: SQLite in memory
            raise DatabaseError(
                "the URL of the database is none: sqlite:///FILE or postgresql://USER@HOST/NAME"
            ) from None
        try:
            self._migrate()
        except (SQLAlchemyError, CommandError) as e:
            self.close()
            raise DatabaseError(f"database {self.shown} can't be used: {_why(e)}") from e

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """A transaction: committed where the block ends well."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def begin_alone(self) -> Iterator[Session]:
        """A transaction while which no other one of these is open, also of another control plane:
        it sees what they have written."""
        with self.begin() as session:
            self._wait_for_others(session.connection(), _ALONE_LOCK)
            yield session

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def _migrate(self) -> None:
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        with self.engine.begin() as connection:
            self._wait_for_others(connection, _MIGRATIONS_LOCK)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def _wait_for_others(self, connection: Connection, lock: int) -> None:
        """Let the transactions of several control planes come one by one. SQLite's do anyway."""
        if self.engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({lock})")


def why(error: SQLAlchemyError) -> str:
    """What failed, in one line: without the statement and its values."""
    if isinstance(error, NoConnectionError):
        return "all its connections wait for it"
    return " ".join(str(getattr(error, "orig", None) or type(error).__name__).split())


def _why(error: SQLAlchemyError | CommandError) -> str:
    if isinstance(error, CommandError):
        return (
            f"another version of Ounce made its tables ({error}). "
            "Run that version, or name an empty database"
        )
    return why(error)


def _engine(url: Any) -> Engine:
    if url.get_backend_name() != "sqlite":
        from ounce_services.control.store.postgresql import open_postgresql  # who has it needs it

        return open_postgresql(url, _POOL_S)
    engine = create_engine(url, pool_timeout=_POOL_S, connect_args={"timeout": _BUSY_S})

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions begin as said below
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # else two who read first could not write

    return engine
