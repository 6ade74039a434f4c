"""A shadow is compared with what is published while both are written."""

import time
from pathlib import Path

import pytest
from confluent_kafka import Producer
from fastapi.testclient import TestClient
from ounce_schemas.policy_history import PolicyVersion
from ounce_schemas.topics import policies_topic, predictions_topic, shadow_topic
from ounce_services.control.access.principal import Role
from ounce_services.control.api.app import make_app
from ounce_services.control.plane import Plane, make_plane
from ounce_services.control.settings import ControlSettings

from tests.services.control.conftest import Caller, MemoryTopics, logged_in
from tests.services.test_shadow_comparison import answer
from tests.support.kafka.topics import OwnTopics

TASK = "watched-shadow"
START = {"document": "min_accuracy: 0.9", "share": 0.5, "tasks": [TASK]}
NAMES = {predictions_topic(TASK), shadow_topic(TASK), "ounce.other.predictions"}


def started(client: TestClient) -> None:
    client.post("/v1/policies", json={"document": "{}"}, headers={"If-Match": "0"})
    began = client.post("/v1/trial/shadow", json=START, headers={"If-Match": "1"})
    assert began.status_code == 201


def current(topics: MemoryTopics) -> PolicyVersion:
    version = topics.history().current
    assert version is not None
    return version


def test_both_topics_are_read_from_the_start_of_the_shadow_on(
    as_: Caller, plane: Plane, topics_in_memory: MemoryTopics
) -> None:
    ann = as_("editor")
    assert ann.get("/v1/trial/shadow").status_code == 404
    assert plane.shadows.topics(NAMES) == {}
    started(ann)
    at_ms = int(current(topics_in_memory).at.timestamp() * 1e3)
    assert plane.shadows.topics(NAMES) == dict.fromkeys(
        (shadow_topic(TASK), predictions_topic(TASK)), at_ms
    )
    assert plane.shadows.topics({shadow_topic(TASK)}) == {shadow_topic(TASK): at_ms}
    assert [line["n"] for line in ann.get("/v1/trial/shadow").json()] == [0]
    assert as_("viewer", "acme").get("/v1/trial/shadow").status_code == 403


def test_what_both_answered_is_shown_by_class(as_: Caller, plane: Plane) -> None:
    ann = as_("editor")
    started(ann)
    plane.shadows.topics(NAMES)
    plane.shadows.take(predictions_topic(TASK), [answer("1", "<b>", "v2"), answer("2", "8", "v2")])
    plane.shadows.take(shadow_topic(TASK), [answer(i, "8", "v2-shadow", 3.0) for i in "12"])
    plane.shadows.take(shadow_topic(TASK), [answer("1", "8", "v1-shadow"), (None, b"junk")])
    plane.shadows.take("ounce.other.predictions", [answer("1", "8", "v2")])
    [line] = ann.get("/v1/trial/shadow").json()
    assert (line["task"], line["policy_version"], line["n"]) == (TASK, "v2-shadow", 2)
    assert (line["agreement"], line["mostly_instead"]) == (0.5, "8")
    assert (line["shadow"]["deadlines_kept"], line["published"]["deadlines_kept"]) == (0, 1)
    assert line["classes"]["<b>"]["agreement"] == 0
    browser = logged_in(plane, "viewer")
    for path in ("/trial", "/trial/shadow"):
        text = browser.get(path).text
        assert ("50.00%" in text, "&lt;b&gt;" in text, "<b>" in text) == (True, True, False)
    assert browser.get("/trial/shadow").text in browser.get("/trial").text


def test_the_end_of_a_shadow_ends_its_comparison(
    as_: Caller, plane: Plane, topics_in_memory: MemoryTopics
) -> None:
    ann = as_("editor")
    started(ann)
    plane.shadows.topics(NAMES)
    with_shadow = current(topics_in_memory)
    assert len(plane.shadows.of(with_shadow)) == 1
    ann.post("/v1/trial/stop", json={}, headers={"If-Match": "2"})
    assert ann.get("/v1/trial/shadow").status_code == 404
    assert plane.shadows.topics(NAMES) == {}
    assert plane.shadows.of(with_shadow) == []


@pytest.mark.kafka
def test_answers_on_a_real_kafka_are_compared_as_they_come(
    kafka: str, topics: OwnTopics, tmp_path: Path
) -> None:
    topics.made_by_others(policies_topic())
    topics.of_task(TASK)
    topics.made_by_others(shadow_topic(TASK))
    plane = make_plane(
        ControlSettings(kafka=kafka, state=tmp_path / "s.db", models=tmp_path / "none")
    )
    key, _ = plane.gate.keys.make("ann", Role.EDITOR)
    producer = Producer({"bootstrap.servers": kafka})
    bearer = {"Authorization": f"Bearer {key}"}
    with TestClient(make_app(plane), headers=bearer) as ann:
        started(ann)
        for i in range(20):
            for to, version in ((predictions_topic, "v2"), (shadow_topic, "v2-shadow")):
                label = "7" if i % 4 else version
                device, body = answer(str(i), label, version)
                producer.produce(to(TASK), body, device)
        assert producer.flush(60) == 0
        until_s = time.monotonic() + 60
        while time.monotonic() < until_s:
            found = ann.get("/v1/trial/shadow").json()
            if found and found[0]["n"] == 20:
                break
            time.sleep(0.2)
        assert [(line["n"], line["agreement"]) for line in found] == [(20, 0.75)]
    plane.database.close()
