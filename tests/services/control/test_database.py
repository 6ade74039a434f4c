"""The database on SQLite and on a real PostgreSQL: tables, migrations, the outbox."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from ounce_schemas.errors import BrokerError
from ounce_schemas.policy_history import Change, PolicyHistory, next_version
from ounce_services.control.access.audit import Audit, Seen
from ounce_services.control.access.keys import Keys
from ounce_services.control.access.principal import EVERYBODY, Role
from ounce_services.control.errors import StaleError
from ounce_services.control.settings import DatabaseSettings
from ounce_services.control.store.database import Database, DatabaseError
from ounce_services.control.store.outbox import (
    Fate,
    Kind,
    Outbox,
    Record,
    State,
    policy_record,
)
from ounce_services.control.store.policy_mirror import PolicyMirror
from ounce_services.control.store.tables import Base
from pydantic import SecretStr
from sqlalchemy import create_engine, event, make_url
from sqlalchemy.exc import SQLAlchemyError

from tests.support.process.postgresql import PostgresqlUnavailableError, running_postgresql

FIRST = Record(Kind.POLICY, "policy", 1, "{}")


class Carrier:
    """Carries while Kafka is there."""

    def __init__(self) -> None:
        self.carried: list[int] = []
        self.is_away = False

    def carry(self, record: Record) -> Fate:
        if self.is_away:
            raise BrokerError("away")
        self.carried.append(record.number)
        return Fate(State.IN_FORCE)


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    """URL of a real server's empty database."""
    try:
        with running_postgresql() as url:
            yield url
    except PostgresqlUnavailableError as e:
        pytest.skip(str(e))


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path / 'state.db'}")
    else:
        database = Database(request.getfixturevalue("postgresql"))
    yield database
    Base.metadata.drop_all(database.engine)
    with database.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE alembic_version")
    database.close()


def test_migrations_make_the_tables_that_the_code_has(database: Database) -> None:
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    again = Database(database.engine.url.render_as_string(hide_password=False))
    Keys(again).make("ann", Role.ADMIN)
    again.close()
    assert [key.name for key in Keys(database).list(EVERYBODY)] == ["ann"]


def test_a_database_of_no_encoding_keeps_texts(postgresql: str) -> None:
    any_engine = create_engine(make_url(postgresql).set(drivername="postgresql+psycopg"))
    with any_engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(
            "CREATE DATABASE plain ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0"
        )
    any_engine.dispose()
    database = Database(make_url(postgresql).set(database="plain").render_as_string())
    Keys(database).make("Zoë", Role.ADMIN)
    assert [key.name for key in Keys(database).list(EVERYBODY)] == ["Zoë"]
    database.close()


def test_tables_of_another_version_are_refused_and_kept(database: Database) -> None:
    key, _ = Keys(database).make("ann", Role.ADMIN)
    with database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DatabaseError, match=r"another version of Ounce made its tables \(.*9999"):
        Database(database.engine.url.render_as_string(hide_password=False))
    assert Keys(database).find(key).name == "ann"


def test_tables_that_are_new_know_since_when_they_are(database: Database) -> None:
    assert abs(Audit(database).began_ms() - time.time() * 1e3) < 3_600_000


def test_what_was_sent_is_found_by_an_index(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'state.db'}")
    plans: list[str] = []

    def explain(connection: Any, _: Any, statement: str, parameters: Any, *rest: Any) -> None:
        if statement.startswith("SELECT outbox"):
            plan = connection.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans.extend(row[-1] for row in plan)

    event.listen(database.engine, "before_cursor_execute", explain)
    assert not Outbox(database, {}).has_sent(FIRST)
    [plan] = plans
    assert "USING INDEX outbox_place (kind=? AND subject=? AND number=?)" in plan
    database.close()


def test_a_number_is_taken_anew_once_nothing_of_it_waits(database: Database) -> None:
    outbox = Outbox(database, {Kind.POLICY: Carrier()})
    fates = [outbox.send(policy_record(1, payload)).state for payload in ("{}", "{} ")]
    assert fates == [State.IN_FORCE, State.IN_FORCE]
    assert outbox.has_sent(policy_record(1, "{}"))
    assert outbox.has_sent(policy_record(1, "{} "))


def test_of_two_at_once_one_is_taken(database: Database) -> None:
    outbox = Outbox(database, {Kind.POLICY: Carrier()})
    outcomes: list[str] = []
    start = threading.Barrier(4)

    def take() -> None:
        start.wait(60)
        try:
            outcomes.append(outbox.take(FIRST) and "taken")
        except StaleError:
            outcomes.append("stale")

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == ["stale", "stale", "stale", "taken"]


def test_of_what_two_control_planes_see_at_once_one_line_is_written(database: Database) -> None:
    seen = [Seen(at_ms, "bob", "policy.command", f"v{at_ms}", "in force") for at_ms in range(50)]
    start = threading.Barrier(4)

    def follow() -> None:
        audit = Audit(database)
        start.wait(60)
        for each in seen:
            audit.add_seen(each)

    threads = [threading.Thread(target=follow) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    found = [line.at_ms for line in Audit(database).newest(EVERYBODY, 1000)]
    assert found == list(range(50))[::-1]


def test_several_may_follow_kafka_at_once(database: Database) -> None:
    truth = PolicyHistory()
    for number in range(1, 31):
        change = Change(f"min_accuracy: 0.{number}", "ann", "")
        version = next_version(truth, change, f"id-{number}", datetime.now(UTC))
        truth.take(version.model_dump_json().encode())
    start, failed = threading.Barrier(4), []

    def follow() -> None:
        start.wait(60)
        try:
            PolicyMirror(database).follow(truth)
        except SQLAlchemyError as e:
            failed.append(e)

    threads = [threading.Thread(target=follow) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (failed, len(PolicyMirror(database).history().versions)) == ([], 30)


def test_what_kafka_does_not_take_waits_in_order(database: Database) -> None:
    carrier = Carrier()
    outbox = Outbox(database, {Kind.POLICY: carrier})
    carrier.is_away = True
    assert outbox.send(FIRST).state is State.WAITING
    assert outbox.send(FIRST._replace(number=2)).state is State.WAITING
    assert [record.number for record in outbox.waiting()] == [1, 2]
    carrier.is_away = False
    Outbox(database, {Kind.POLICY: carrier}).carry_waiting()
    assert (carrier.carried, outbox.waiting()) == ([1, 2], [])


def test_a_refused_record_leaves_its_place_to_another(database: Database) -> None:
    class Refuses:
        def carry(self, record: Record) -> Fate:
            return Fate(State.REFUSED, "stale")

    assert Outbox(database, {Kind.POLICY: Refuses()}).send(FIRST) == (State.REFUSED, "stale")
    assert Outbox(database, {Kind.POLICY: Carrier()}).send(FIRST).state is State.IN_FORCE


def test_a_database_that_is_not_there_is_named_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="can't be used") as away:
        Database("postgresql://ann:geheim@127.0.0.1:1/x")
    assert "geheim" not in str(away.value)
    with pytest.raises(DatabaseError, match="unable to open"):
        Database(f"sqlite:///{tmp_path / 'no' / 'folder.db'}")
    for url in ("nonsense", "mysql://x", "oracle://y", "sqlite://", "sqlite:///:memory:"):
        with pytest.raises(DatabaseError):
            Database(url)


def test_the_url_comes_from_a_file(tmp_path: Path) -> None:
    (file := tmp_path / "url").write_text("postgresql://ann:geheim@db/x\n")
    settings = DatabaseSettings(database_url_file=file)
    assert settings.database == "postgresql://ann:geheim@db/x"
    assert "geheim" not in repr(settings)
    with pytest.raises(ValueError, match=r"OUNCE_DATABASE_URL and --database-url-file are given"):
        DatabaseSettings(database_url_file=file, database_url=SecretStr("sqlite://"))


def test_a_host_that_is_gone_is_not_waited_for_as_long_as_the_system_would(postgresql: str) -> None:
    for more, expected in (("", "10000"), ("?tcp_user_timeout=5000", "5000")):
        database = Database(f"{postgresql}{more}")
        with database.engine.connect() as connection:
            told: Any = connection.connection.driver_connection
            assert told.info.get_parameters()["tcp_user_timeout"] == expected
        database.engine.dispose()
