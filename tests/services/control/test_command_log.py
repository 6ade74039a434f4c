"""What commands change is in the audit log, once, and with its author."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from ounce_schemas.canary import Stop
from ounce_schemas.policy_history import Change, PolicyVersion, next_version
from ounce_schemas.release import LATEST_MS, InService
from ounce_schemas.topics import canaries_topic, models_topic, policies_topic
from ounce_services.control.command_log import CommandLog
from ounce_services.control.plane import Plane

from tests.services.control.conftest import Caller, MemoryTopics, logged_in
from tests.services.control.test_access import CHANGE


def records(*versions: bytes) -> Any:
    return [(b"version", value) for value in versions]


def by_command(topics: MemoryTopics, at: Any, change: Change, id_: str = "x") -> PolicyVersion:
    """A version that a command writes."""
    version = next_version(topics.history(), change, id_, at)
    topics.write(version)
    return version


def lines(as_: Caller) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = as_("admin").get("/v1/audit").json()
    return found


def test_a_version_that_a_command_wrote_has_one_line(
    as_: Caller, plane: Plane, topics_in_memory: MemoryTopics
) -> None:
    assert as_("editor").post("/v1/policies", **CHANGE).status_code == 201
    at = topics_in_memory.history().versions[1].at
    again = Change("min_accuracy: 0.6", "bob", "rows are dear", restores=1)
    by_command(topics_in_memory, at, again)
    # Who lost to it has changed nothing.
    loser = PolicyVersion(number=2, base=1, id="y", author="eve", at=at, document="{}")
    taken = records(*topics_in_memory.records, loser.model_dump_json().encode(), b"junk")
    plane.commands.take(policies_topic(), taken)
    # Another start reads the topic from its beginning.
    CommandLog(plane.connection, plane.audit, plane.outbox).take(policies_topic(), taken)
    by_http, command = sorted(lines(as_), key=lambda line: line["action"])
    assert by_http["action"] == "policy.apply"
    assert (command["actor"], command["action"], command["subject"], command["outcome"]) == (
        "bob", "policy.command", "v2, based on 1", "v2 in force: v1 again: rows are dear",
    )  # fmt: skip
    assert command["at_ms"] == round(at.timestamp() * 1e3)


def test_a_release_that_a_command_put_in_service_has_one_line(as_: Caller, plane: Plane) -> None:
    served = InService(task="digits", release="a" * 64, number=3, author="bob", at_ms=LATEST_MS)
    value = served.model_dump_json().encode()
    for key in (b"digits", b"digits", b"other"):
        plane.commands.take(models_topic(), [(key, value), (key, None)])
    [line] = lines(as_)
    assert (line["at_ms"], line["actor"], line["action"]) == (
        LATEST_MS, "bob", "models.command",
    )  # fmt: skip
    assert (line["subject"], line["outcome"]) == (
        "digits aaaaaaaaaaaa, based on 2", "number 3 in service",
    )  # fmt: skip


def test_that_workers_stopped_a_canary_has_one_line(as_: Caller, plane: Plane) -> None:
    stop = Stop(canary="c" * 32, worker="w-1", at_ms=5, reason="it is worse")
    record = stop.key, stop.model_dump_json().encode()
    assert plane.commands.topics({canaries_topic()}) == {canaries_topic(): 0}
    for _ in range(2):
        plane.commands.take(canaries_topic(), [record, (b"evidence/w", b"junk"), (stop.key, None)])
    later = Stop(canary="c" * 32, worker="w-2", at_ms=6, reason="it is worse, by more")
    # Another worker saw enough at the same time; another start reads only its record.
    again = [(later.key, later.model_dump_json().encode())]
    plane.commands.take(canaries_topic(), again)
    CommandLog(plane.connection, plane.audit, plane.outbox).take(canaries_topic(), again)
    [line] = lines(as_)
    assert (line["at_ms"], line["actor"], line["action"], line["subject"], line["outcome"]) == (
        5, "w-1", "canary.stopped", "canary cccccccccccc", "it is worse",
    )  # fmt: skip


def test_a_stop_with_a_strange_time_and_a_long_name_has_a_line_that_can_be_shown(
    as_: Caller, plane: Plane
) -> None:
    stop = Stop(canary="c" * 32, worker="w" * 300, at_ms=10**15, reason="it is worse")
    plane.commands.take(canaries_topic(), [(stop.key, stop.model_dump_json().encode())])
    [line] = lines(as_)
    assert (line["at_ms"], line["actor"]) == (LATEST_MS, "w" * 200)
    shown = logged_in(plane, "admin").get("/audit")
    assert (shown.status_code, "9999-12-31" in shown.text) == (200, True)


def test_what_is_older_than_the_database_is_no_command_and_stands_at_its_time(
    as_: Caller, plane: Plane, topics_in_memory: MemoryTopics
) -> None:
    began_ms = plane.audit.began_ms()
    long_ago = datetime.fromtimestamp(began_ms / 1e3 - 3600, UTC)
    old = by_command(topics_in_memory, long_ago, Change("min_accuracy: 0.5", "ann"))
    change = {**CHANGE, "headers": {"If-Match": "1"}}
    assert as_("editor").post("/v1/policies", **change).status_code == 201
    served = InService(task="digits", release="a" * 64, number=3, author="eve", at_ms=1)
    plane.commands.take(models_topic(), [(b"digits", served.model_dump_json().encode())])
    plane.commands.take(policies_topic(), records(*topics_in_memory.records))
    shown = [(line["action"], line["actor"], line["at_ms"]) for line in lines(as_)]
    assert shown[1:] == [
        ("policy.earlier", "ann", round(old.at.timestamp() * 1e3)), ("models.earlier", "eve", 1),
    ]  # fmt: skip
    assert shown[0][0] == "policy.apply"
    newest, older, oldest = lines(as_)
    pages = [as_("admin").get(f"/v1/audit?before={line['id']}").json() for line in (newest, older)]
    assert pages == [[older, oldest], [oldest]]


def test_a_topic_of_policies_that_is_made_anew_is_followed_and_changed(
    as_: Caller, plane: Plane, topics_in_memory: MemoryTopics
) -> None:
    editor = as_("editor")
    assert editor.post("/v1/policies", **CHANGE).status_code == 201
    taken = records(*topics_in_memory.records)
    plane.commands.begin(policies_topic())
    plane.commands.take(policies_topic(), taken)
    topics_in_memory.records.clear()
    plane.policies.follow()
    assert editor.post("/v1/policies", **CHANGE).status_code == 201
    first = topics_in_memory.history().versions[1]
    by_command(topics_in_memory, first.at, Change("min_accuracy: 0.6", "bob"))
    plane.commands.begin(policies_topic())
    plane.commands.take(policies_topic(), records(*topics_in_memory.records))
    by_commands = [line for line in lines(as_) if line["action"] == "policy.command"]
    assert [(line["actor"], line["subject"]) for line in by_commands] == [("bob", "v2, based on 1")]


def test_what_the_database_does_not_take_is_written_later(as_: Caller, plane: Plane) -> None:
    served = InService(task="digits", release="a" * 64, number=3, author="b\0ob", at_ms=7)
    record = (b"digits", served.model_dump_json().encode())
    with plane.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE audit RENAME TO away")
    plane.commands.take(models_topic(), [record])
    assert plane.commands.topics({models_topic(), "other"}) == {models_topic(): 0}
    with plane.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE away RENAME TO audit")
    assert lines(as_) == []
    for _ in range(2):
        plane.commands.topics({models_topic()})
    assert [line["actor"] for line in lines(as_)] == ["bob"]


def test_a_number_that_no_database_holds_is_passed_over(as_: Caller, plane: Plane) -> None:
    served = InService(task="digits", release="a" * 64, number=3, author="bob", at_ms=7)
    for number in (10**30, 3):
        value = json.dumps({**served.model_dump(), "number": number}).encode()
        plane.commands.take(models_topic(), [(b"digits", value)])
    assert [line["outcome"] for line in lines(as_)] == ["number 3 in service"]


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        ("0001-01-01T00:00:00+14:00", "1970-01-01 00:00:00"),
        ("9999-12-31T23:59:59-14:00", "9999-12-31 23:59:59"),
    ],
)
def test_a_version_at_the_end_of_the_calendar_is_shown(plane: Plane, at: str, shown: str) -> None:
    version = {"number": 1, "base": 0, "id": "x", "author": "bob", "at": at, "document": "{}"}
    plane.commands.take(policies_topic(), records(json.dumps(version).encode()))
    page = logged_in(plane, "admin").get("/audit")
    assert (page.status_code, shown in page.text) == (200, True)


@pytest.mark.parametrize("at_ms", [LATEST_MS + 1, 10**30])
def test_a_time_that_no_calendar_has_is_passed_over(as_: Caller, plane: Plane, at_ms: int) -> None:
    served = InService(task="digits", release="a" * 64, number=3, author="bob", at_ms=LATEST_MS)
    fields = served.model_dump()
    for each in (served.at_ms, at_ms):
        value = json.dumps({**fields, "at_ms": each}).encode()
        plane.commands.take(models_topic(), [(b"digits", value)])
    assert [line["at_ms"] for line in lines(as_)] == [LATEST_MS]
    page = logged_in(plane, "admin").get("/audit")
    assert (page.status_code, "9999-12-31 23:59:59" in page.text) == (200, True)
