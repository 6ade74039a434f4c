"""Who may do what: keys, roles, tenants, rates, and what is told of it."""

import logging
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient
from ounce_schemas.command import root
from ounce_schemas.event import EventKind, OperationalEvent
from ounce_schemas.policy_history import PolicyVersion
from ounce_services.control.access.principal import Role
from ounce_services.control.access.rate import RateLimit
from ounce_services.control.api.app import make_app
from ounce_services.control.errors import TooManyError
from ounce_services.control.plane import Plane, make_plane
from ounce_services.control.serving import nobody_can_log_in
from ounce_services.control.settings import ControlSettings
from pydantic import ValidationError

from tests.services.control.conftest import Caller, MemoryTopics, logged_in

CHANGE = {"json": {"document": "{}"}, "headers": {"If-Match": '"0"'}}


def test_every_path_but_health_needs_a_key(as_: Caller) -> None:
    nobody = as_(None)
    paths = nobody.get("/v1/openapi.json").json()["paths"]
    assert len(paths) > 15
    for path, methods in paths.items():
        for method in methods:
            url = path.format(number=1, task="digits", release="abcd", id="0" * 16, position="0:0")
            answer = nobody.request(method, url, json={})
            assert answer.status_code == (200 if path in ("/healthz", "/readyz") else 401), path
            if answer.status_code == 401:
                assert answer.headers["www-authenticate"] == 'Bearer realm="ounce"'


def test_a_wrong_or_revoked_key_is_refused(as_: Caller, plane: Plane) -> None:
    text, key = plane.gate.keys.make("ann", Role.VIEWER)
    client = as_(None)

    def status(credentials: str) -> int:
        return client.get("/v1/me", headers={"Authorization": credentials}).status_code

    assert status(f"Bearer {text}") == 200
    end = "B" if text[-1] == "A" else "A"
    wrong = (text[:-1] + end, f"ounce_{'0' * 16}_{'x' * 43}", "", "x", text.upper())
    for other in wrong:
        assert status(f"Bearer {other}") == 401, other
    assert status(f"Basic {text}") == 401
    assert as_("admin").delete(f"/v1/keys/{key.id}").status_code == 200
    assert status(f"Bearer {text}") == 401


def test_guessing_is_slowed_down(as_: Caller) -> None:
    client = as_(None)
    statuses = [
        client.get("/v1/me", headers={"Authorization": "Bearer no"}).status_code for _ in range(25)
    ]
    assert statuses[:20] == [401] * 20
    assert statuses[-1] == 429
    assert client.post("/login", data={"key": "no"}).status_code == 429


def test_nobody_is_locked_out_by_wrong_keys_from_the_same_address(
    as_: Caller, plane: Plane
) -> None:
    """As behind a proxy, whose address is the one of all callers."""
    client = as_(None)
    for _ in range(25):
        client.get("/v1/me", headers={"Authorization": "Bearer no"})
    assert client.get("/v1/me", headers={"Authorization": "Bearer no"}).status_code == 429
    assert as_("viewer").get("/v1/me").status_code == 200
    assert logged_in(plane).get("/").status_code == 200


@pytest.mark.parametrize(
    ("role", "expected"), [("viewer", (200, 403, 403)), ("editor", (200, 201, 403)),
                           ("admin", (200, 201, 200))]
)  # fmt: skip
def test_roles_bound_what_a_key_may_do(
    as_: Caller, role: str, expected: tuple[int, int, int]
) -> None:
    client = as_(role)
    got = client.get("/v1/policies"), client.post("/v1/policies", **CHANGE), client.get("/v1/keys")
    assert tuple(answer.status_code for answer in got) == expected


def test_one_tenant_sees_and_changes_nothing_of_another(as_: Caller, plane: Plane) -> None:
    document = (
        "min_accuracy: 0.6\nrules:\n"
        "- {name: secret-deal, when: {tenant: rival}, min_accuracy: 0.99}\n"
        "- {name: ours, when: {tenant: [acme, rival]}, max_latency_ms: 30}\n"
        "- {name: all, max_latency_ms: 70}\n"
    )
    assert as_("editor").post("/v1/policies", json={"document": document},
                              headers={"If-Match": "0"}).status_code == 201  # fmt: skip
    acme = as_("admin", "acme")
    for path in ("/v1/policies/current", "/v1/policies/1"):
        shown = acme.get(path).json()["document"]
        assert "ours" in shown
        assert "secret-deal" not in shown
    diff = acme.post("/v1/policies/diff", json={"document": "{}"}).text
    assert "secret-deal" not in diff
    emptied = acme.post("/v1/policies", json={"document": "{}"}, headers={"If-Match": "1"})
    assert emptied.status_code == 403
    assert acme.post("/v1/policies/replay", json={"document": "{}"}).status_code == 403
    _, of_rival = plane.gate.keys.make("spy", Role.VIEWER, "rival")
    assert [key["tenant"] for key in acme.get("/v1/keys").json()] == ["acme"]
    assert acme.delete(f"/v1/keys/{of_rival.id}").status_code == 404
    for tenant in (None, "rival"):
        body = {"name": "x", "role": "viewer", "tenant": tenant}
        assert acme.post("/v1/keys", json=body).status_code == 403
    assert acme.post("/v1/keys", json={**body, "tenant": "acme"}).status_code == 201
    assert {line["tenant"] for line in acme.get("/v1/audit").json()} == {"acme"}


def test_one_tenant_reads_no_notes_and_troubles_that_may_name_others(
    as_: Caller, plane: Plane, topics_in_memory: MemoryTopics
) -> None:
    secret = "rival pays more"
    for n, author in enumerate(("boss", "ann")):
        body = {"document": f"min_accuracy: 0.{n + 1}", "note": f"{secret}, says {author}"}
        made = as_("editor", name=author).post(
            "/v1/policies", json=body, headers={"If-Match": f'"{n}"'}
        )
        assert made.status_code == 201
    event = OperationalEvent(EventKind.POLICY_REFUSED, "digits", "v2", secret, 1, "w")
    topics_in_memory.events.append(msgspec.json.encode(event))
    shown = {}
    for tenant in ("acme", None):
        caller = as_("viewer", tenant, name="ann")
        calls = ("/v1/policies", "/v1/policies/1", "/v1/fleet")
        pages = ("/policy", "/")
        shown[tenant] = [caller.get(path).text for path in (*calls, *pages)]
    assert [text.count("says boss") for text in shown[None]] == [1, 1, 0, 1, 0]
    assert [text.count("says ann") for text in shown[None]] == [1, 0, 0, 2, 0]
    assert all(secret in text for text in shown[None])
    assert [text.count("says boss") for text in shown["acme"]] == [0] * 5
    assert [text.count("says ann") for text in shown["acme"]] == [0] * 5  # a key may have any name
    for of_fleet in (shown["acme"][2], shown["acme"][4]):
        assert secret not in of_fleet
        assert "it has a trouble" in of_fleet


def test_who_was_slower_reads_no_note_of_who_was_faster(
    as_: Caller, plane: Plane, topics_in_memory: MemoryTopics
) -> None:
    document = "rules: [{name: own, when: {tenant: acme}, max_latency_ms: 5}]"
    at = datetime(2026, 1, 1, tzinfo=UTC)
    first = PolicyVersion(number=1, base=0, id="a", author="boss", at=at, document=document)
    topics_in_memory.write(first)
    plane.policies.follow()
    topics_in_memory.is_away = True
    slow = {"json": {"document": document.replace("5", "6")}, "headers": {"If-Match": '"1"'}}
    assert as_("editor", "acme").post("/v1/policies", **slow).status_code == 202
    topics_in_memory.is_away = False
    fast = first.model_copy(update={"number": 2, "base": 1, "id": "b", "note": "rival pays more"})
    topics_in_memory.write(fast)
    plane.outbox.carry_waiting()
    [line] = as_("admin", "acme", name="boss").get("/v1/audit").json()
    assert "version 2 is in force by boss" in line["outcome"]
    assert "rival" not in line["outcome"]


def test_no_answer_leads_to_the_host_that_a_call_names(as_: Caller) -> None:
    client = as_("viewer")
    for path in ("/ladders/", "/static", "/v1/me/"):
        answer = client.get(path, headers={"Host": "evil.example"}, follow_redirects=False)
        assert (answer.status_code, answer.headers.get("location")) == (404, None), path


def test_what_is_changed_or_tried_is_in_the_audit_log(as_: Caller) -> None:
    admin, viewer = as_("admin"), as_("viewer", name="eve")
    assert admin.post("/v1/policies", **CHANGE).status_code == 201
    assert admin.post("/v1/policies", **{**CHANGE, "json": {"document": "x: 1"}}).status_code == 422
    assert viewer.get("/v1/audit").status_code == 403
    refused, done = admin.get("/v1/audit").json()
    assert (done["actor"], done["action"], done["outcome"]) == (
        "ann",
        "policy.apply",
        "v1 in-force",
    )
    assert refused["outcome"].startswith("refused: the policy")
    assert admin.get("/v1/audit", params={"before": refused["id"]}).json() == [done]


def test_no_secret_is_in_logs_answers_or_the_database(
    as_: Caller, plane: Plane, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    admin = as_("admin")
    made = admin.post("/v1/keys", json={"name": "ci", "role": "viewer"}).json()
    secret = made["key"].split("_", 2)[2]
    client = as_(None)
    client.headers["Authorization"] = f"Bearer {made['key']}"
    told = [client.get("/v1/me").text, client.post("/v1/policies", **CHANGE).text]
    told += [admin.get(path).text for path in ("/v1/keys", "/v1/audit")]
    assert secret not in caplog.text
    assert secret not in "".join(told)
    files = plane.settings.state.parent.glob("state.db*")
    assert secret.encode() not in b"".join(path.read_bytes() for path in files)


def test_a_page_of_another_site_changes_nothing(as_: Caller) -> None:
    client = as_("editor")
    for headers in (
        {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.example"}, {"Origin": "https://a.testserver"},
        {"Origin": "http://testserver:8080"}, {"Origin": "null"}, {"Origin": "http://["},
        {"Origin": "null", "Host": ""}, {"Origin": "extension://testserver"},
    ):  # fmt: skip
        answer = client.post("/v1/policies", json=CHANGE["json"], headers=headers)
        assert (answer.status_code, "another site" in answer.text) == (403, True)
    own = {"Origin": "http://testserver", "Sec-Fetch-Site": "same-origin", "If-Match": "0"}
    assert client.post("/v1/policies", json=CHANGE["json"], headers=own).status_code == 201


def test_calls_of_one_key_are_bounded_and_others_go_on() -> None:
    now_s = 0.0
    limit = RateLimit(60, 2, lambda: now_s)
    for _ in range(2):
        limit.take("a")
    with pytest.raises(TooManyError, match="wait 1 s"):
        limit.take("a")
    limit.take("b")
    now_s = 1.0
    limit.take("a")


def test_open_access_is_for_this_machine_alone(
    settings: ControlSettings, topics_in_memory: MemoryTopics
) -> None:
    with pytest.raises(ValidationError, match="--open needs a --host of this machine alone"):
        ControlSettings(kafka="x", open=True, host="0.0.0.0")
    open_ = settings.model_copy(update={"open": True})
    plane = make_plane(open_, topics_in_memory, lambda: topics_in_memory)
    client = TestClient(make_app(plane), base_url="http://127.0.0.1:8080")
    assert client.get("/v1/me").json()["role"] == "admin"
    for host in ("evil.example", "[", ""):
        other_name = client.get("/v1/me", headers={"Host": host})
        assert other_name.status_code == 403
    plane.database.close()


def test_the_command_makes_lists_and_revokes_keys(tmp_path: Path) -> None:
    state = ["--state", str(tmp_path / "s.db")]

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(root, ["control", "key", *arguments, *state])
        assert result.exit_code == 0, result.output
        # SQLite removes its log once nobody has the database open.
        assert [path.name for path in tmp_path.iterdir()] == ["s.db"]
        return result.output

    assert run("list") == "there is no key\n"
    assert run("make", "ann", "--role", "admin").startswith("ounce_")
    id_ = run("list").split()[0]
    assert run("revoke", id_) == f"key {id_} of ann is revoked\n"
    assert run("list").endswith("ann  revoked\n")


def test_it_is_told_where_nobody_can_log_in(plane: Plane, as_: Caller) -> None:
    assert nobody_can_log_in(plane)
    as_("viewer")
    assert not nobody_can_log_in(plane)
