"""Generated calls over the whole OpenAPI document: no answer is a fault of the server's."""

from typing import Any

from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from ounce_services.control.plane import Plane

from tests.services.control.conftest import Caller

N_CALLS = 200


def test_no_generated_call_is_answered_by_a_fault_of_the_server(as_: Caller, plane: Plane) -> None:
    # Here: the import takes seconds, in each process that collects this file.
    import schemathesis
    from schemathesis.generation import GenerationMode

    client = as_("admin")
    client.post("/v1/policies", json={"document": "{}"}, headers={"If-Match": "0"})
    shadow = {"document": "{}", "share": 0.1, "tasks": ["digits"]}
    client.post("/v1/trial/shadow", json=shadow, headers={"If-Match": "1"})
    plane.shadows.topics(set())
    assert client.get("/v1/trial/shadow").status_code == 200
    schema = schemathesis.openapi.from_dict(client.get("/v1/openapi.json").json())
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) > 15
    seen: set[int] = set()

    @given(st.one_of(*(
        operation.as_strategy(generation_mode=mode)
        for operation in operations
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    )))  # fmt: skip
    @settings(
        max_examples=N_CALLS,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Any) -> None:
        answer = call(client, case)
        seen.add(answer)
        assert answer < 500, case.as_curl_command()

    ask()
    assert {200, 422} <= seen


def call(client: TestClient, case: Any) -> int:
    """Status of the answer; 0 where it says that there is no Kafka."""
    prepared = case.as_transport_kwargs(base_url="http://testserver")
    prepared.pop("cookies", None)
    prepared["headers"].pop("Authorization", None)  # that of the client counts
    if isinstance(prepared.get("data"), bytes):
        prepared["content"] = prepared.pop("data")
    answer = client.request(**prepared)
    return 0 if "Kafka is away" in answer.text else answer.status_code
