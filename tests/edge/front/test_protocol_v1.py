"""Calls of KServe's protocol V1."""

import msgspec
import pytest
from ounce_edge.front.protocol_v1 import as_v1
from ounce_edge.front.replying import Reply
from ounce_schemas.request import HEADER_ANSWER

from tests.support.edge.stand_in_front import V2, Client, StandIn, serve, told

PREDICT = "/v1/models/digits:predict"
EXPLAIN = "/v1/models/digits:explain"


def test_predictions_are_what_the_first_output_says_of_each_row() -> None:
    body = V2.replace(b'["4", "9"]', b"[1.25, 2e-7]")
    found = as_v1(Reply(body, {"content-type": "application/json; x=y", "ce-id": "7"}))
    assert found.body == (
        b'{"predictions":[1.25, 2e-7],"model_name":"mlp","parameters":{"deadline_met":true}}'
    )
    assert found.headers == {"content-type": "application/json", "ce-id": "7"}


EXPLAINED = b"""{"model_name": "mlp", "id": "7",
 "parameters": {"explanation": "exact", "explained": "log-odds"}, "outputs": [
 {"name": "label", "shape": [2], "datatype": "BYTES", "data": ["4", "9"]},
 {"name": "explained_base", "shape": [2], "datatype": "FP32", "data": [-0.42, 1]},
 {"name": "contributions", "shape": [2, 2], "datatype": "FP32", "data": [0.11, 2.93, 5, 0]},
 {"name": "explained_inputs", "shape": [2, 2], "datatype": "BYTES", "data": ["a", "b", "c", ""]}
 ]}"""


def test_each_row_that_was_explained_has_its_explanation_as_in_flat_answers() -> None:
    said = msgspec.json.decode(as_v1(Reply(EXPLAINED, {})).body)
    how = {"method": "exact", "score": "log-odds"}
    assert said["explanations"] == [
        {**how, "base": -0.42, "contributions": {"a": 0.11, "b": 2.93}},
        {**how, "base": 1.0, "contributions": {"c": 5.0}},
    ]
    assert said["predictions"] == ["4", "9"]


def test_explain_asks_for_explanations_whatever_the_caller_says() -> None:
    async def test(stand: StandIn, client: Client) -> None:
        headers = {"CE-Explanation": "false"}
        status, said = await told(client, EXPLAIN, data=b"1", headers=headers)
        assert (status, said["predictions"], stand.count(200)) == (200, ["4", "9"], 1)
        assert "explanations" not in said  # `not_explained` of the parameters says why
        status, _ = await told(client, PREDICT, data=b"1", headers=headers)
        asked = [dict(record.headers)["ce_explanation"] for record in stand.sent]
        assert (status, asked) == (200, [b"true", b"false"])

    serve(test)


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
        ("POST", "/v1/models/others:explain", 404),
        ("POST", "/v1/models/digits:generate", 404),
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
