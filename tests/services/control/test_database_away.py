"""A database that is frozen, or locked by somebody else: calls end, and go on by themselves."""

import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient
from ounce_services.control.api.app import make_app
from ounce_services.control.plane import Plane, make_plane
from ounce_services.control.settings import ControlSettings
from ounce_services.control.store import database, postgresql
from ounce_services.control.store.database import AWAY, Database
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from tests.services.control.conftest import MemoryTopics
from tests.support.process.postgresql import PostgresqlUnavailableError, running_postgresql
from tests.support.process.wait import wait_until


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Of a real server."""
    try:
        with running_postgresql() as url:
            yield f"{url}?connect_timeout=2"
    except PostgresqlUnavailableError as e:
        pytest.skip(str(e))


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql.BoundedConnection, "silent_s", 1.0)
    monkeypatch.setattr(postgresql, "_STATEMENT_S", 1)
    monkeypatch.setattr(postgresql, "_IDLE_S", 3)
    monkeypatch.setattr(database, "_BUSY_S", 0.1)


@contextmanager
def frozen(url: str) -> Iterator[None]:
    """All that answers connections stands still; its host still takes what is sent."""
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'cl%'")
        pids = [int(row[0]) for row in rows]
        parent = int(Path(f"/proc/{pids[0]}/stat").read_text().rpartition(")")[2].split()[1])
        pids.append(parent)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)


@contextmanager
def locked(path: str) -> Iterator[None]:
    """Another one writes to the file, and does not come to an end."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        other.close()


@contextmanager
def serving(topics: MemoryTopics, **where: Any) -> Iterator[TestClient]:
    plane: Plane = make_plane(ControlSettings(kafka="127.0.0.1:1", **where), topics, lambda: topics)
    yield TestClient(make_app(plane))
    plane.database.close()


def check_goes_on(client: TestClient, away: Callable[[], AbstractContextManager[None]]) -> None:
    assert client.get("/readyz").json() == {"status": "ready"}
    with away():
        for _ in range(2):
            answer = client.get("/readyz")
            told = "the database does not answer: try again"
            assert (answer.status_code, answer.json()["detail"]) == (503, told)
        assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready"}


def test_a_frozen_postgresql_holds_no_call(url: str, topics_in_memory: MemoryTopics) -> None:
    with serving(topics_in_memory, database_url=SecretStr(url)) as client:
        check_goes_on(client, lambda: frozen(url))


def test_a_locked_sqlite_holds_no_call(tmp_path: Path, topics_in_memory: MemoryTopics) -> None:
    state = tmp_path / "state.db"
    with serving(topics_in_memory, state=state) as client:
        check_goes_on(client, lambda: locked(str(state)))


def test_who_stands_still_within_a_transaction_does_not_hold_the_others_for_ever(url: str) -> None:
    own, other = Database(url), Database(url)

    def is_alone() -> bool:
        try:
            with other.begin_alone():
                return True
        except AWAY:
            return False

    def stand_still() -> None:
        with own.begin_alone() as session:
            assert not is_alone()  # a wait for a lock ends as well
            wait_until(is_alone, lambda: "the lock is held")
            session.execute(text("SELECT 1"))

    with pytest.raises(SQLAlchemyError, match="idle-in-transaction"):
        stand_still()
    with own.begin_alone() as session:
        assert session.scalar(text("SELECT 1")) == 1
    own.close()
    other.close()
