"""Calls of KServe's protocol V1."""

import pytest
from ounce_edge.front.protocol_v1 import as_v1
from ounce_edge.front.replying import Reply
from ounce_schemas.request import HEADER_ANSWER

from tests.support.edge.stand_in_front import V2, Client, StandIn, serve, told

PREDICT = "/v1/models/digits:predict"


def test_predictions_are_what_the_first_output_says_of_each_row() -> None:
    body = V2.replace(b'["4", "9"]', b"[1.25, 2e-7]")
    found = as_v1(Reply(body, {"content-type": "application/json; x=y", "ce-id": "7"}))
    assert found.body == (
        b'{"predictions":[1.25, 2e-7],"model_name":"mlp","parameters":{"deadline_met":true}}'
    )
    assert found.headers == {"content-type": "application/json", "ce-id": "7"}


def test_a_call_goes_as_it_is_and_asks_for_the_form_that_is_read() -> None:
    async def test(stand: StandIn, client: Client) -> None:
        body = b'{"instances": [[1], [2]]}'
        headers = {"Ounce-Answer": "raw", "ce-id": "x"}
        status, said = await told(client, PREDICT, data=body, headers=headers)
        assert (status, said["predictions"], said["model_name"]) == (200, ["4", "9"], "mlp")
        (record,) = stand.sent
        assert record.value == body
        assert [value for name, value in record.headers if name == HEADER_ANSWER] == [b"v2"]
        assert stand.count(200) == 1

    serve(test)


@pytest.mark.parametrize(
    ("method", "path", "found"),
    [
        ("GET", "/v1/models", (200, {"models": ["digits"]})),
        ("GET", "/v1/models/digits", (200, {"name": "digits", "ready": True})),
        ("GET", "/v1/models/others", 404),
        ("POST", "/v1/models/others:predict", 404),
        ("POST", "/v1/models/digits:explain", 404),
        ("POST", "/v1/models/digits", 405),
        ("GET", PREDICT, 405),
    ],
)
def test_what_is_there_and_what_is_not(method: str, path: str, found: object) -> None:
    async def test(stand: StandIn, client: Client) -> None:
        status, said = await told(client, path, method=method)
        assert found in (status, (status, said))
        assert status == 200 or "error" in said
        assert stand.sent == []

    serve(test)
