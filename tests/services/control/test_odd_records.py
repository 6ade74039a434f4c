"""Records that anybody may have written: no page and no call fails for what is in them."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient
from ounce_schemas.canary import Canary, Comparison, Criterion, Evidence, Shadow
from ounce_schemas.policy_history import PolicyVersion
from ounce_services.control.access.principal import Role
from ounce_services.control.api.app import make_app
from ounce_services.control.plane import Plane

from tests.services.control.conftest import MemoryTopics

LOOKS = (
    "/", "/live", "/ladders", "/models", "/policy", "/trial", "/trial/canary", "/trial/shadow",
    "/audit", "/v1/fleet", "/v1/stream", "/v1/policies", "/v1/policies/current", "/v1/trial",
    "/v1/trial/shadow", "/v1/models/digits/workers",
)  # fmt: skip
NUMBERS: tuple[Any, ...] = (-1, 2**63 - 1, -(2**63), 10**18, 10**400, -(10**400), 1.5, None, "x")


def failing(plane: Plane) -> list[tuple[str, int]]:
    """Paths that fail, and their statuses."""
    plane.policies.follow()
    key, _ = plane.gate.keys.make("ann", Role.ADMIN)
    client = TestClient(make_app(plane), raise_server_exceptions=False)
    statuses = {
        path: client.get(path, headers={"Authorization": f"Bearer {key}"}).status_code
        for path in LOOKS
    }
    return [(path, status) for path, status in statuses.items() if status >= 500]


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: str(number)[:20])
def test_events_and_answers_may_hold_any_number(
    plane: Plane, topics_in_memory: MemoryTopics, number: object
) -> None:
    for kind in ("policy-changed", "policy-refused", "models-changed", "models-refused"):
        event = {
            "kind": kind, "task": "digits", "subject": "v1", "text": "", "at_ms": number,
            "worker": kind,
        }  # fmt: skip
        topics_in_memory.events.append(json.dumps(event).encode())
    for name in ("latency_ms", "max_latency_ms", "plan"):
        answer = {"id": "m", "parameters": {name: number}}
        plane.stream.take("digits", [(b"\xff", json.dumps(answer).encode())])
    assert failing(plane) == []


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999-14:00"])
@pytest.mark.parametrize("is_canary", [True, False])
def test_versions_may_bear_any_time_and_evidence_any_count(
    plane: Plane, topics_in_memory: MemoryTopics, at: str, is_canary: bool
) -> None:
    trial: dict[str, Any] = {"shadow": Shadow(document="{}", share=0.1, tasks=("digits",))}
    if is_canary:
        trial = {"canary": Canary(document="{}", share=0.1)}
    version = PolicyVersion(
        number=1, base=0, id="a", author="ann", at=datetime(2026, 1, 1, tzinfo=UTC),
        document="{}", **trial,
    )  # fmt: skip
    record = version.model_dump(mode="json") | {"at": at}
    topics_in_memory.records.append(json.dumps(record).encode())
    seen = Comparison(
        task="digits", criterion=Criterion.DEADLINES, baseline=(0, 0), canary=(10**15, 10**15),
        growth=(1e12,),
    )  # fmt: skip
    evidence = Evidence(canary="a", run="w", at_ms=1, comparisons=(seen,))
    topics_in_memory.canaries.append((evidence.key, evidence.model_dump_json().encode()))
    assert failing(plane) == []
