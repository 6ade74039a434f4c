"""The audit log: a line for all that was done, whenever the process or the database ends."""

import logging
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from ounce_schemas.errors import OunceError
from ounce_services.control.access.principal import EVERYBODY
from ounce_services.control.plane import Plane
from ounce_services.control.store.audit_line import BEGUN
from sqlalchemy.exc import IntegrityError, OperationalError

Caller = Callable[..., TestClient]


class Killed(BaseException):
    """Stands for the end of the process."""


def lines(plane: Plane) -> list[tuple[str, str]]:
    return [(e.subject, e.outcome) for e in plane.audit.newest(EVERYBODY, 10)][::-1]


def test_what_begins_has_a_line_that_gets_its_outcome(plane: Plane) -> None:
    with plane.audit.watch(EVERYBODY, "policy.apply", "a") as note:
        assert lines(plane) == [("a", BEGUN)]
        note("v2 in-force")
    with plane.audit.watch(EVERYBODY, "key.revoke", "b"):
        pass
    with pytest.raises(OunceError), plane.audit.watch(EVERYBODY, "policy.apply", "c"):
        raise OunceError("somebody was faster")
    with pytest.raises(Killed), plane.audit.watch(EVERYBODY, "policy.apply", "d"):
        raise Killed
    assert lines(plane) == [
        ("a", "v2 in-force"),
        ("b", "done"),
        ("c", "refused: somebody was faster"),
        ("d", BEGUN),
    ]


def test_a_database_that_goes_meanwhile_makes_no_failure_of_what_was_done(
    plane: Plane, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise OperationalError("UPDATE", {}, Exception("server closed"))

    watch = plane.audit.watch
    with monkeypatch.context() as away, watch(EVERYBODY, "policy.apply", "a") as note:
        note("v2 in-force")
        away.setattr(plane.database, "begin", fail)

    def refuse(away: pytest.MonkeyPatch) -> None:
        with watch(EVERYBODY, "policy.apply", "b"):
            away.setattr(plane.database, "begin", fail)
            raise OunceError("somebody was faster")

    with monkeypatch.context() as away, pytest.raises(OunceError, match="faster"):
        refuse(away)
    assert lines(plane) == [("a", BEGUN), ("b", BEGUN)]
    assert "gets no outcome (v2 in-force): server closed" in caplog.text


@pytest.mark.parametrize(
    ("error", "status", "level"),
    [
        (
            OperationalError("SELECT", {}, Exception("server closed\nthe connection")),
            503,
            "WARNING",
        ),
        (IntegrityError("INSERT", {}, Exception("duplicate key")), 500, "ERROR"),
    ],
)
def test_a_database_that_is_away_is_no_fault_of_ours(
    error: Exception,
    status: int,
    level: str,
    plane: Plane,
    as_: Caller,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*_: object) -> None:
        raise error

    ann = as_("viewer")
    monkeypatch.setattr(plane.policies, "version", fail)
    with caplog.at_level(logging.INFO):
        answer = ann.get("/v1/policies/current")
    assert (answer.status_code, "does not answer" in answer.text) == (status, status == 503)
    [record] = [r for r in caplog.records if "database" in r.message]
    # One that is away fills no log with tracebacks.
    assert (record.levelname, record.exc_info is None) == (level, status == 503)
    assert "\n" not in record.message
