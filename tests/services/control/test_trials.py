"""Canaries and shadows over HTTP and in the console: started, seen, promoted, stopped."""

import re

import pytest
from fastapi.testclient import TestClient
from ounce_schemas.canary import Comparison, Criterion, Evidence, Stop
from ounce_services.control.access.principal import EVERYBODY
from ounce_services.control.plane import Plane
from ounce_services.control.settings import ControlSettings

from tests.services.control.conftest import Caller, MemoryTopics, logged_in
from tests.support.edge.ladders import DIGITS, write_ladder

LOOSE, TIGHT = "min_accuracy: 0.5\n", "min_accuracy: 0.9\n"
FORM = {"share": 0.1, "margin": 0.01, "accuracy_margin": 0.005, "confidence": 0.95}


def post(client: TestClient, call: str, base: int, **body: object) -> object:
    return client.post(f"/v1/trial/{call}", json=body, headers={"If-Match": f'"{base}"'})


@pytest.fixture
def ann(as_: Caller) -> TestClient:
    """An editor; version 1 is in force."""
    client = as_("editor")
    client.post("/v1/policies", json={"document": LOOSE}, headers={"If-Match": "0"})
    return client


def tell(topics: MemoryTopics, stopped: bool) -> None:
    """What a worker writes of the canary that is under way."""
    current = topics.history().current
    seen = Comparison(
        task="digits", criterion=Criterion.DEADLINES, baseline=(100, 1), canary=(10, 5),
        growth=(1.0,) * 5,
    )  # fmt: skip
    records = [Evidence(canary=current.id, run="w", at_ms=1, comparisons=(seen,))]
    if stopped:
        records.append(Stop(canary=current.id, worker="w", at_ms=2, reason="deadlines of digits"))
    topics.canaries += [(r.key, r.model_dump_json().encode()) for r in records]


def test_a_canary_is_started_seen_and_promoted(
    ann: TestClient, topics_in_memory: MemoryTopics
) -> None:
    assert ann.get("/v1/trial").status_code == 404
    started = post(ann, "canary", 1, document=TIGHT, share=0.2, note="try")
    assert (started.status_code, started.json()) == (201, {"number": 2, "state": "in-force"})
    assert topics_in_memory.made == ["ounce.canaries"]
    tell(topics_in_memory, stopped=False)
    shown = ann.get("/v1/trial")
    assert (shown.headers["etag"], shown.json()["author"]) == ('"2"', "ann")
    canary = shown.json()["canary"]
    assert (canary["document"], canary["share"], canary["stopped"]) == (TIGHT, 0.2, None)
    assert canary["seen"][0][:6] == ["digits", "deadlines", "50.00%", "10", "1.00%", "100"]
    second = post(ann, "canary", 2, document=TIGHT, share=0.3)
    assert (second.status_code, "canary under way" in second.text) == (412, True)
    assert post(ann, "promote", 1).status_code == 412
    assert post(ann, "promote", 2).json()["number"] == 3
    current = topics_in_memory.history().current
    assert (current.document, current.canary) == (TIGHT, None)
    assert current.note == "the canary of v2"


def test_one_that_stopped_itself_is_promoted_by_force_alone(
    ann: TestClient, topics_in_memory: MemoryTopics
) -> None:
    assert post(ann, "canary", 1, document=TIGHT, share=0.2).status_code == 201
    tell(topics_in_memory, stopped=True)
    assert ann.get("/v1/trial").json()["canary"]["stopped"] == "deadlines of digits"
    refused = post(ann, "promote", 2)
    assert (refused.status_code, "stopped itself" in refused.text) == (422, True)
    assert post(ann, "promote", 2, force=True).status_code == 201


def test_stopping_gives_all_devices_what_the_others_had(
    ann: TestClient, topics_in_memory: MemoryTopics
) -> None:
    assert post(ann, "canary", 1, document=TIGHT, share=0.2).status_code == 201
    assert post(ann, "stop", 2).json() == {"number": 3, "state": "in-force"}
    current = topics_in_memory.history().current
    assert (current.document, current.canary, current.restores) == (LOOSE, None, 2)
    assert post(ann, "stop", 3).status_code == 404


def test_a_shadow_is_started_and_stopped(ann: TestClient, topics_in_memory: MemoryTopics) -> None:
    assert post(ann, "shadow", 1, document=TIGHT, share=1, tasks=["digits"]).status_code == 201
    assert topics_in_memory.made == ["ounce.digits.shadow"]
    assert ann.get("/v1/trial").json()["shadow"] == {
        "document": TIGHT, "share": 1.0, "tasks": ["digits"],
    }  # fmt: skip
    assert (post(ann, "promote", 2).status_code, post(ann, "stop", 2).status_code) == (404, 201)


def test_a_shadow_of_a_task_that_nobody_knows_is_refused(
    ann: TestClient, plane: Plane, topics_in_memory: MemoryTopics
) -> None:
    plane.stream.take("digits", [])
    body = {"document": TIGHT, "share": 0.5, "tasks": ["digits", "typo"]}
    refused = post(ann, "shadow", 1, **body)
    assert (refused.status_code, "no task typo; there are digits" in refused.text) == (422, True)
    form = {"base": 1, "share": 0.5, "task": ["typo"], "document": TIGHT}
    assert logged_in(plane).post("/trial/shadow", data=form).status_code == 422
    assert (topics_in_memory.made, len(topics_in_memory.records)) == ([], 1)


def test_an_editor_of_one_tenant_hears_of_no_tasks(as_: Caller, plane: Plane) -> None:
    plane.stream.take("secret", [])
    body = {"document": TIGHT, "share": 0.5, "tasks": ["typo"]}
    refused = post(as_("editor", "acme"), "shadow", 1, **body)
    assert (refused.status_code, "secret" in refused.text) == (403, False)


@pytest.mark.parametrize(
    ("call", "body", "said"),
    [
        ("canary", {"share": 0.1}, "either a document or a model"),
        ("canary", {"share": 0.1, "document": "{}", "model": "digits/a"}, "either a document"),
        ("canary", {"share": 1.5, "document": "{}"}, "share"),
        ("canary", {"share": 0.1, "document": "min_accuracy: 7"}, "min_accuracy"),
        ("canary", {"share": 0.1, "model": "digits"}, "model"),
        ("shadow", {"share": 0.1, "document": "{}", "tasks": []}, "tasks"),
        ("shadow", {"share": 0.1, "document": "rules: 7", "tasks": ["digits"]}, "rules"),
    ],
)
def test_what_can_be_no_trial_is_refused(
    ann: TestClient, topics_in_memory: MemoryTopics, call: str, body: dict, said: str
) -> None:
    answer = post(ann, call, 1, **body)
    assert (answer.status_code, said in answer.text) == (422, True)
    assert len(topics_in_memory.records) == 1


def test_a_trial_needs_an_editor_of_all_tenants_and_a_version(as_: Caller) -> None:
    body = {"document": TIGHT, "share": 0.1}
    assert post(as_("editor"), "canary", 0, **body).status_code == 404
    assert post(as_("viewer"), "canary", 0, **body).status_code == 403
    acme = as_("editor", "acme")
    assert (post(acme, "canary", 0, **body).status_code, acme.get("/v1/trial").status_code) == (
        403, 403,
    )  # fmt: skip


def test_the_page_starts_shows_and_ends_a_canary(
    plane: Plane, topics_in_memory: MemoryTopics
) -> None:
    ann, eve = logged_in(plane), logged_in(plane, "viewer")
    assert "Apply one" in ann.get("/trial").text
    ann.post("/policy/apply", data={"document": LOOSE, "base": 0})
    assert "Start the canary" in ann.get("/trial").text
    assert "Start the canary" not in eve.get("/trial").text
    form = {**FORM, "base": 1, "document": TIGHT.replace("\n", "\r\n")}
    assert eve.post("/trial/canary", data=form).status_code == 403
    started = ann.post("/trial/canary", data=form)
    assert (started.status_code, "10.0%" in started.text) == (200, True)
    assert topics_in_memory.history().current.canary.document == TIGHT
    assert "Start the canary" not in started.text
    part = ann.get("/trial/canary", headers={"HX-Request": "true"}).text
    assert ("stopped itself" in started.text + part, "hx-swap-oob" in part) == (False, False)
    tell(topics_in_memory, stopped=True)
    text = ann.get("/trial").text
    assert "It stopped itself: deadlines of digits" in text
    assert "50.00%" in text
    known = ann.get("/trial/canary?known_stop=true", headers={"HX-Request": "true"}).text
    assert known in text
    assert ("It stopped itself" in known, "<html" in known) == (True, False)
    assert "Promote" not in eve.get("/trial").text
    assert ann.post("/trial/promote", data={"base": 2}).status_code == 422
    assert "Nothing is on trial" in ann.post("/trial/stop", data={"base": 2}).text
    stale = ann.post("/trial/canary", data=form)
    assert (stale.status_code, "Changed meanwhile" in stale.text) == (412, True)


def test_an_open_page_learns_once_what_can_be_done_with_a_canary_that_stopped_itself(
    plane: Plane, topics_in_memory: MemoryTopics
) -> None:
    ann, eve = logged_in(plane), logged_in(plane, "viewer")
    ann.post("/policy/apply", data={"document": LOOSE, "base": 0})
    page = ann.post("/trial/canary", data={**FORM, "base": 1, "document": TIGHT}).text
    [place] = re.findall(r'hx-get="(/trial/canary)" hx-include="#force-place"', page)
    assert 'id="known-stop"' not in page
    tell(topics_in_memory, stopped=True)
    news = ann.get(place, headers={"HX-Request": "true"}).text
    for own in ("force-place", "start-place"):  # both are on the page, and take the place of that
        assert f'<div id="{own}">' in page
        assert f'<div id="{own}" hx-swap-oob="true">' in news
    for text in ('id="known-stop"', "Promote although it stopped itself", "Start the canary"):
        assert (text in page, text in news) == (False, True)
    again = ann.get(f"{place}?known_stop=true", headers={"HX-Request": "true"}).text
    assert "hx-swap-oob" not in again  # what is being typed stays
    assert "hx-swap-oob" not in eve.get(place, headers={"HX-Request": "true"}).text


def test_the_page_starts_a_canary_of_a_model_and_a_shadow(
    plane: Plane, topics_in_memory: MemoryTopics
) -> None:
    ann = logged_in(plane)
    ann.post("/policy/apply", data={"document": LOOSE, "base": 0})
    assert ann.post("/trial/canary", data={**FORM, "base": 1, "model": "x"}).status_code == 422
    ann.post("/trial/canary", data={**FORM, "base": 1, "model": "digits/cnn", "document": TIGHT})
    current = topics_in_memory.history().current
    denied = [d.for_task("digits").deny for d in (current.policy(),)]
    assert (denied, "0.9" in current.canary.document) == ([("cnn",)], False)
    ann.post("/trial/promote", data={"base": 2, "note": "as good"})
    assert topics_in_memory.history().current.note == "as good"
    shadow = {"base": 3, "share": 0.5, "task": ["digits", "bearing"], "document": TIGHT}
    text = ann.post("/trial/shadow", data=shadow).text
    assert "digits, bearing" in text
    assert [e.outcome for e in plane.audit.newest(EVERYBODY, 1)] == ["v4 in-force"]


def test_the_page_says_that_kafka_is_away(plane: Plane, topics_in_memory: MemoryTopics) -> None:
    ann = logged_in(plane)
    ann.post("/policy/apply", data={"document": LOOSE, "base": 0})
    ann.post("/trial/canary", data={**FORM, "base": 1, "document": TIGHT})
    topics_in_memory.is_away = True
    answer = ann.get("/trial")
    assert (answer.status_code, "Kafka is away" in answer.text) == (200, True)
    assert "Kafka is away" in ann.get("/trial/canary").text


def test_a_canary_of_a_model_that_is_not_there_is_refused(
    ann: TestClient, settings: ControlSettings, topics_in_memory: MemoryTopics
) -> None:
    write_ladder(settings.models, DIGITS, "a", "b")
    absent = post(ann, "canary", 1, model="digits/typo", share=0.1)
    assert (absent.status_code, "typo" in absent.text) == (422, True)
    assert len(topics_in_memory.records) == 1
    assert post(ann, "canary", 1, model="digits/b", share=0.1).status_code == 201
