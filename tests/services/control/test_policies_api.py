"""Policies over HTTP: the checks of the commands, versions, and who is faster."""

import re
import threading
from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient
from ounce_schemas.canary import Canary
from ounce_schemas.policy_history import Change, next_version
from ounce_services.control.access.principal import EVERYBODY
from ounce_services.control.plane import Plane, _keep_in_step

from tests.services.control.conftest import Caller, MemoryTopics

NOW = datetime(2026, 11, 28, tzinfo=UTC)
LOOSE, TIGHT = "min_accuracy: 0.5\n", "min_accuracy: 0.9  # tight\n"


def apply(client: TestClient, document: str, base: int, **more: object) -> object:
    return client.post(
        "/v1/policies", json={"document": document, **more}, headers={"If-Match": f'"{base}"'}
    )


def test_a_policy_is_applied_shown_compared_and_taken_back(
    as_: Caller, topics_in_memory: MemoryTopics
) -> None:
    ann = as_("editor")
    assert ann.get("/v1/policies").json() == {"current": 0, "versions": []}
    assert ann.get("/v1/policies/current").status_code == 404
    first = apply(ann, LOOSE, 0, note="a start")
    assert (first.status_code, first.headers["etag"]) == (201, '"1"')
    assert apply(ann, TIGHT, 1).json()["number"] == 2
    current = ann.get("/v1/policies/current")
    assert (current.headers["etag"], current.json()["document"]) == ('"2"', TIGHT)
    diff = ann.post("/v1/policies/diff", json={"document": LOOSE}).json()["diff"]
    assert "-min_accuracy: 0.9  # tight\n+min_accuracy: 0.5" in diff
    back = ann.post("/v1/policies/1/restore", json={"note": "no"}, headers={"If-Match": '"2"'})
    assert (back.status_code, back.json()["restores"]) == (201, 1)
    lines = ann.get("/v1/policies").json()["versions"]
    assert [(v["number"], v["author"], v["note"]) for v in lines] == [
        (3, "ann", "no"),
        (2, "ann", ""),
        (1, "ann", "a start"),
    ]
    assert len(topics_in_memory.records) == 3
    assert topics_in_memory.history().current is not None


def test_the_same_policy_again_makes_no_version(
    as_: Caller, topics_in_memory: MemoryTopics
) -> None:
    ann = as_("editor")
    assert apply(ann, LOOSE, 0).json()["number"] == 1
    assert apply(ann, LOOSE, 1).json()["number"] == 1
    assert len(topics_in_memory.records) == 1


def test_while_a_canary_runs_only_an_earlier_policy_can_be_applied(
    as_: Caller, topics_in_memory: MemoryTopics
) -> None:
    ann = as_("editor")
    assert apply(ann, LOOSE, 0).status_code == 201
    canary = Canary(document=TIGHT, share=0.1)
    change = Change(LOOSE, "bob", canary=canary)
    topics_in_memory.write(next_version(topics_in_memory.history(), change, "another", NOW))
    refused = apply(ann, TIGHT, 2)
    assert refused.status_code == 412
    assert "v2 has a canary under way, by bob: end it first" in refused.text
    back = ann.post("/v1/policies/1/restore", json={"note": ""}, headers={"If-Match": '"2"'})
    assert (back.status_code, back.json()["restores"]) == (201, 1)


def test_a_change_must_say_what_it_is_based_on_and_a_stale_one_is_refused(
    as_: Caller, topics_in_memory: MemoryTopics
) -> None:
    ann, bob = as_("editor"), as_("editor", name="bob")
    assert ann.post("/v1/policies", json={"document": LOOSE}).status_code == 428
    for nonsense in ("", "abc", '"-1"', "*"):
        answer = ann.post("/v1/policies", json={"document": LOOSE}, headers={"If-Match": nonsense})
        assert answer.status_code == 428, nonsense
    assert apply(ann, LOOSE, 0).status_code == 201
    stale = apply(bob, TIGHT, 0)
    assert stale.status_code == 412
    assert "version 1 is in force by ann" in stale.json()["detail"]
    assert len(topics_in_memory.records) == 1
    assert apply(bob, TIGHT, 7).status_code == 412


def test_who_is_slower_than_a_command_is_refused(
    as_: Caller, topics_in_memory: MemoryTopics
) -> None:
    ann = as_("editor")
    assert apply(ann, LOOSE, 0).status_code == 201
    by_command = next_version(topics_in_memory.history(), Change(TIGHT, "cli"), "x", NOW)
    topics_in_memory.write(by_command)
    stale = apply(ann, "{}", 1)
    assert (stale.status_code, "by cli" in stale.json()["detail"]) == (412, True)
    assert apply(ann, "{}", 2).json()["number"] == 3


def test_an_invalid_policy_is_refused_with_what_is_wrong(as_: Caller) -> None:
    ann = as_("editor")
    hidden = "rules: [{name: a}, {name: b}]"
    refused = apply(ann, hidden, 0)
    assert refused.status_code == 422
    assert refused.json()["findings"] == [
        "rule b: is never met: every message that it is for meets rule a first"
    ]
    verdict = ann.post("/v1/policies/check", json={"document": hidden}).json()
    assert (verdict["usable"], verdict["findings"][0]["where"]) == (False, "rule b")
    assert apply(ann, hidden, 0, force=True).status_code == 201


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("unknown: 1", "unknown"),
        ("min_accuracy: 7", "min_accuracy"),
        ("a: &a [1]\nb: [*a, *", "not valid YAML"),
        ("{" * 1500, "not valid YAML"),
        ("x" * 600_000, ""),
        ("- 1", ""),
        ("", ""),
    ],
)
def test_a_document_that_is_no_policy_is_refused_even_by_force(
    as_: Caller, document: str, said: str
) -> None:
    answer = apply(as_("editor"), document, 0, force=True)
    assert answer.status_code in (201, 422) if not document else answer.status_code == 422
    assert said in answer.text


@pytest.mark.parametrize(
    ("headers", "content", "status", "finding"),
    [
        ({}, "{document}", 422, r"body: no JSON: Expecting property name .* \(character 1\)"),
        ({"Content-Type": "text/plain"}, "{}", 422, "header: send Content-Type: application/json"),
        ({}, b'{"document": "\xff"}', 400, None),
    ],
)
def test_a_body_that_is_no_json_is_refused_with_what_to_send(
    as_: Caller, headers: dict[str, str], content: bytes, status: int, finding: str | None
) -> None:
    usual = {"Content-Type": "application/json", "If-Match": "0"}
    answer = as_("editor").post("/v1/policies", content=content, headers={**usual, **headers})
    assert answer.status_code == status
    if finding is None:
        assert answer.json()["detail"] == "the body is no JSON in UTF-8"
    else:
        assert re.fullmatch(finding, answer.json()["findings"][0])


def test_a_call_that_is_none_names_the_list_of_calls(as_: Caller) -> None:
    for method, path, status in (("GET", "/v1/polices", 404), ("PUT", "/v1/policies", 405)):
        answer = as_("editor").request(method, path)
        assert answer.status_code == status
        assert answer.json()["detail"].endswith("/v1/openapi.json lists all")


@pytest.mark.parametrize(
    ("comment", "said"),
    [
        ('"' * 460_000, "the policy takes 92.... bytes as a record, at most 900000 are written"),
        ("é" * 300_000, "6000.. bytes, at most 524288 are read"),
    ],
)
def test_a_policy_that_is_too_large_is_refused_with_what_to_do(
    as_: Caller, comment: str, said: str
) -> None:
    answer = apply(as_("editor"), f"min_accuracy: 0.5 # {comment}", 0)
    assert answer.status_code == 422
    assert re.search(f"{said}: take patterns in place of lists of names", answer.json()["detail"])


def test_while_kafka_is_away_a_change_waits_and_a_second_one_is_refused(
    as_: Caller, topics_in_memory: MemoryTopics, plane: Plane
) -> None:
    ann = as_("editor")
    assert apply(ann, LOOSE, 0).status_code == 201
    topics_in_memory.is_away = True
    waits = apply(ann, TIGHT, 1)
    assert (waits.status_code, waits.json()["state"]) == (202, "waiting")
    assert plane.audit.newest(EVERYBODY, 1)[0].outcome == "v2 waiting"
    assert apply(ann, "{}", 1).status_code == 412
    listed = ann.get("/v1/policies").json()
    assert (listed["current"], listed["versions"][0]["state"]) == (1, "waiting")
    topics_in_memory.is_away = False
    plane.outbox.carry_waiting()
    plane.policies.follow()
    assert [e.outcome for e in plane.audit.newest(EVERYBODY, 2)][1] == "v2 in-force"
    assert ann.get("/v1/policies").json()["current"] == 2
    current = topics_in_memory.history().current
    assert current is not None
    assert current.document == TIGHT


def test_it_is_explained_which_rule_a_message_meets(as_: Caller) -> None:
    ann = as_("viewer")
    document = "rules: [{name: acme, when: {tenant: acme, device: 'line-*'}, max_latency_ms: 20}]"
    body = {"document": document, "task": "digits", "device": "line-7"}
    met = ann.post("/v1/policies/explain", json={**body, "extensions": {"tenant": "acme"}}).json()
    assert (met["rule"], met["max_latency_ms"]) == ("acme", 20)
    other = ann.post("/v1/policies/explain", json=body).json()
    assert (other["rule"], other["max_latency_ms"], other["plans"]) == (None, 100, [])


def test_a_replay_without_recorded_decisions_says_what_to_do(as_: Caller) -> None:
    answer = as_("viewer").post("/v1/policies/replay", json={"document": LOOSE})
    assert (answer.status_code, "--decisions" in answer.text) == (404, True)


def test_a_fault_of_the_database_does_not_end_what_carries(
    plane: Plane, caplog: pytest.LogCaptureFixture
) -> None:
    stop = threading.Event()
    stop.set()  # after one try
    with plane.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE outbox RENAME TO away")
    _keep_in_step(plane, stop)
    assert caplog.messages == ["not in step with Kafka: no such table: outbox"]
