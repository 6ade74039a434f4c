"""Dead letters and decisions on a real Kafka, through the control plane."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Producer
from fastapi.testclient import TestClient
from ounce_schemas.dead_letter import (
    HEADER_OFFSET,
    HEADER_PARTITION,
    HEADER_REASON,
    HEADER_TEXT,
    HEADER_TIMESTAMP,
    HEADER_TOPIC,
)
from ounce_schemas.prediction import Decision
from ounce_schemas.routing import Choice
from ounce_schemas.topics import dead_letters_topic, predictions_topic, requests_topic
from ounce_services.control.access.principal import Role
from ounce_services.control.api.app import make_app
from ounce_services.control.plane import Plane, make_plane
from ounce_services.control.settings import ControlSettings

from tests.services.control.conftest import logged_in
from tests.support.kafka.topics import OwnTopics

pytestmark = pytest.mark.kafka
TASK = "control-desk"
DECISION = Decision(
    task=TASK, plan="mlp", reason=Choice.LIGHTEST_FEASIBLE, policy_version="v1",
    catalogue_version="c", max_latency_ms=50, min_accuracy=0.9, expected_accuracy=0.95,
    latency_ms=9, deadline_met=True, floor_met=True, cost_ms=0.1, saved_ms=1,
    rejected="tree: accuracy 0.8000 < 0.9",
)  # fmt: skip


@pytest.fixture
def plane(kafka: str, topics: OwnTopics, tmp_path: Path) -> Iterator[Plane]:
    topics.of_task(TASK)
    producer = Producer({"bootstrap.servers": kafka})
    for n, (reason, tenant) in enumerate(
        (("wrong-shape", "acme"), ("bad-header", "acme"), ("wrong-shape", "rival"))
    ):
        added = {
            HEADER_REASON: reason, HEADER_TEXT: "<b>3</b> values",
            HEADER_TOPIC: requests_topic(TASK),
            HEADER_PARTITION: "0", HEADER_OFFSET: str(n), HEADER_TIMESTAMP: "1",
        }  # fmt: skip
        headers = [("ce_tenant", tenant.encode()), *((k, v.encode()) for k, v in added.items())]
        producer.produce(dead_letters_topic(TASK), b"{}", b"d", headers=headers, partition=0)
    answer = {"id": "m-1", "model_name": "mlp", "model_version": "7", "parameters": DECISION}
    for value in (b"foreign m-1", msgspec.json.encode(answer), b'{"id": "m-1"}'):
        producer.produce(predictions_topic(TASK), value, b"line-7", partition=0)
    assert producer.flush(60) == 0
    plane = make_plane(
        ControlSettings(kafka=kafka, state=tmp_path / "s.db", models=tmp_path / "none")
    )
    yield plane
    plane.database.close()


def client(plane: Plane, role: Role, tenant: str | None = None) -> TestClient:
    key, _ = plane.gate.keys.make("ann", role, tenant)
    return TestClient(make_app(plane), headers={"Authorization": f"Bearer {key}"})


def test_each_tenant_lists_shows_and_replays_its_own_dead_letters_once(plane: Plane) -> None:
    path = f"/v1/dead-letters/{TASK}"
    acme, everybody = client(plane, Role.EDITOR, "acme"), client(plane, Role.EDITOR)
    counts = {who: c.get(path).json()["counts"] for who, c in (("a", acme), ("e", everybody))}
    assert counts["e"]["wrong-shape"]["total"] == 2
    assert counts["a"]["wrong-shape"]["total"] == 1
    assert acme.get(f"{path}/0:2").status_code == 404
    assert everybody.get(f"{path}/0:2").status_code == 200
    assert "<b>3</b> values" in "".join(acme.get(f"{path}/0:0").json()["lines"])
    assert client(plane, Role.VIEWER).post(f"{path}/replay", json={}).status_code == 403
    assert acme.post(f"{path}/replay", json={}).status_code == 422
    of_rival = acme.post(f"{path}/replay", json={"positions": ["0:2"]})
    assert of_rival.status_code == 404
    done = acme.post(f"{path}/replay", json={"everything": True}).json()
    assert (done["sent"], done["problems"], done["n_left"]) == (["0:0", "0:1"], [], 0)
    assert acme.post(f"{path}/replay", json={"everything": True}).status_code == 404
    left = [e["position"] for e in everybody.get(path).json()["letters"] if not e["replayed_at"]]
    assert left == ["0:2"]
    page = TestClient(make_app(plane), headers=dict(everybody.headers)).get(
        f"/dead-letters?task={TASK}&at=0:0"
    )
    assert "&lt;b&gt;3&lt;/b&gt; values" in page.text
    absent = everybody.get("/v1/dead-letters/no-such-task")
    assert (absent.status_code, "ounce topics" in absent.text) == (404, True)


def test_the_page_shows_one_reason_and_sends_all_of_it_back(plane: Plane) -> None:
    ann = logged_in(plane)
    whole = ann.get(f"/dead-letters?task={TASK}").text
    assert ("Send back all" in whole, f"task={TASK}&amp;reason=bad-header" in whole) == (
        False,
        True,
    )
    page = ann.get(f"/dead-letters?task={TASK}&reason=wrong-shape").text
    assert "Send back all 2 of wrong-shape" in page
    assert re.findall(r'name="position" value="([^"]+)"', page) == ["0:2", "0:0"]
    form = {"task": TASK, "reason": "wrong-shape", "everything": "true"}
    done = ann.post("/dead-letters", data=form).text
    assert ("2 sent back." in done, "Send back all" in done) == (True, False)
    ticked = {"task": TASK, "reason": "", "position": "0:1"}
    assert "1 sent back." in ann.post("/dead-letters", data=ticked).text
    unknown = ann.get(f"/dead-letters?task={TASK}&reason=no-reason")
    assert unknown.status_code == 422


def test_a_decision_is_found_by_the_id_of_its_message(plane: Plane) -> None:
    ann = client(plane, Role.VIEWER)
    found = ann.get(f"/v1/decisions/{TASK}", params={"id": "m-1"}).json()
    assert (found["device"], found["plan"], found["model_version"]) == ("line-7", "mlp", "7")
    assert found["rejected"] == [{"plan": "tree", "why": "accuracy 0.8000 < 0.9"}]
    assert ann.get(f"/v1/decisions/{TASK}", params={"id": "m-2"}).status_code == 404
    early = {"id": "m-1", "before": "2020-01-01T00:00:00Z"}
    assert ann.get(f"/v1/decisions/{TASK}", params=early).status_code == 404
    shown = ann.get(f"/decision?task={TASK}&id=m-1&before=").text
    answered = datetime.fromtimestamp(found["timestamp_ms"] / 1e3, UTC)
    assert f"{answered:%Y-%m-%d %H:%M:%S}" in shown
    after_all = {"id": "m-2", "before": "9999-12-31T23:59:59.999999-14:00"}
    late = ann.get(f"/v1/decisions/{TASK}", params=after_all)
    assert (late.status_code, "before 9999-12-31 23:59:59 UTC" in late.text) == (404, True)
    for before, shows in (
        ("2020-01-01T00:00", "2020-01-01T00:00:00"),
        ("2020-01-01T00:00:00-05:30", "2020-01-01T05:30:00"),
        ("0001-01-01T00:00:00", "1970-01-01T00:00:00"),
    ):
        shown = ann.get(f"/decision?task={TASK}&id=m-1&before={before}").text
        assert "none of all answers" in shown
        assert f'value="{shows}"' in shown
    assert ann.get("/v1/decisions/no-such-task", params={"id": "m-1"}).status_code == 404
    bound = client(plane, Role.ADMIN, "acme")
    assert bound.get(f"/v1/decisions/{TASK}", params={"id": "m-1"}).status_code == 403
