"""Generated calls over the whole OpenAPI document."""

from collections import Counter
from typing import Any

from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from ounce_services.control.plane import Plane

from tests.services.control.conftest import Caller

AWAY = 0
"""In place of the status of an answer that says that there is no Kafka."""


def ask_all(as_: Caller, plane: Plane, n_calls: int, *, is_random: bool = False) -> Counter[int]:
    """Ask whatever the document allows, and what it does not.

    Args:
        as_: makes a client.
        plane: that it asks.
        n_calls: how many times.
        is_random: whether the calls are others each time.

    Returns:
        Answers by status.

    Raises:
        AssertionError: an answer is a fault of the server's.
    """
    # Here: the import takes seconds, in each process that collects this file.
    import schemathesis
    from schemathesis.core.result import Ok
    from schemathesis.generation import GenerationMode

    client = as_("admin")
    client.post("/v1/policies", json={"document": "{}"}, headers={"If-Match": "0"})
    shadow = {"document": "{}", "share": 0.1, "tasks": ["digits"]}
    client.post("/v1/trial/shadow", json=shadow, headers={"If-Match": "1"})
    plane.shadows.topics(set())
    assert client.get("/v1/trial/shadow").status_code == 200
    schema = schemathesis.openapi.from_dict(client.get("/v1/openapi.json").json())
    found = [*schema.get_all_operations()]
    operations = [result.ok() for result in found if isinstance(result, Ok)]
    assert len(operations) == len(found)
    assert len(operations) > 15
    seen: Counter[int] = Counter()

    @given(st.one_of(*(
        operation.as_strategy(generation_mode=mode)
        for operation in operations
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    )))  # fmt: skip
    @settings(
        max_examples=n_calls,
        deadline=None,
        database=None,
        derandomize=not is_random,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Any) -> None:
        status = _call(client, case)
        seen[status] += 1
        assert status < 500, case.as_curl_command()

    ask()
    return seen


def _call(client: TestClient, case: Any) -> int:
    prepared = case.as_transport_kwargs(base_url="http://testserver")
    prepared.pop("cookies", None)
    prepared["headers"].pop("Authorization", None)  # that of the client counts
    if isinstance(prepared.get("data"), bytes):
        prepared["content"] = prepared.pop("data")
    answer = client.request(**prepared)
    return AWAY if "Kafka is away" in answer.text else answer.status_code
