"""What can't be understood is refused by its right name, and costs no other record anything."""

import json
from typing import Any

import pytest
from ounce_schemas.errors import Reason

from tests.support.edge.formats import (
    EVENT,
    PUMP,
    PUMP_ROW,
    ROOM,
    ROW,
    as_bytes,
    decode,
    one,
    refusal,
)
from tests.support.edge.ladders import DIGITS, FakeRecord, raw


def v2(datatype: object, data: list[Any]) -> dict[str, Any]:
    return {"inputs": [{"name": "input", "shape": [1, 3], "datatype": datatype, "data": data}]}


V2_INT8 = {"inputs": [{"name": "input", "shape": [1, 3], "datatype": "INT8", "data": ["x"] * 3}]}
REFUSED = [
    (v2("INT64", [1.0, 2.5, 3]), Reason.WRONG_DATATYPE, "holds '2.5', which is no INT64"),
    (v2({"a": 1}, [1, 2, 3]), Reason.WRONG_DATATYPE, "send one of"),
    ({"foo": 1}, Reason.MISSING_INPUT, "none of ['foo'] is a column of task room"),
    ({**ROW, "Temperature": "warm"}, Reason.WRONG_DATATYPE, "'Temperature' holds 'warm'"),
    ({"Temprature": 21.5, "CO2": 1}, Reason.UNKNOWN_INPUT, "column 'Temperature' is missing"),
    ({"temp": 1, "Temperature": 1}, Reason.UNKNOWN_INPUT, "are the same column"),
    (b'{"CO2": 1, "CO2": 2}', Reason.MALFORMED_JSON, "'CO2' stands twice"),
    (b'{"CO2": 1, "x": {"a": 1, "a": 2}}', Reason.MALFORMED_JSON, "'a' stands twice"),
    (json.dumps(ROW)[:-9], Reason.MALFORMED_JSON, "not JSON"),
    (json.dumps(ROW) * 2, Reason.MALFORMED_JSON, "not JSON"),
    ('{"data":' * 10_000, Reason.MALFORMED_JSON, "nested too deeply"),
    ("[" * 10_000 + "]" * 10_000, Reason.MALFORMED_JSON, "nested too deeply"),
    ('{"data":' * 20 + "{}" + "}" * 20, Reason.MALFORMED_JSON, "more than 8 envelopes"),
    (json.dumps(ROW).encode("utf-16-le")[:-1], Reason.MALFORMED_JSON, "not JSON"),
    (b'{"Temperature": "\xff"}', Reason.MALFORMED_JSON, "not JSON"),
    (b"x" * 16_000_000, Reason.TOO_LARGE, "max_body_bytes"),
    ("1,2", Reason.WRONG_LENGTH, "line of CSV with 2 values; task room takes 3"),
    ("1,warm,3", Reason.WRONG_DATATYPE, "'Relative Humidity' holds 'warm'"),
    ("CO2,Temperature\n1", Reason.WRONG_LENGTH, "the header"),
    ("hello", Reason.WRONG_LENGTH, "looks like text, and begins 'hello'"),
    (b"\x1f\x8b\x08\0\0\0\0\0", Reason.WRONG_LENGTH, "looks like gzip"),
    (b"<?xml version='1.0'?>", Reason.WRONG_LENGTH, "looks like XML"),
    (b"\x82\xa1a\x01\xa1b\x02", Reason.WRONG_LENGTH, "looks like MessagePack"),
    (b"\0\0\0\0\7\x01\x02", Reason.WRONG_LENGTH, "its schema would be 7"),
    ({**EVENT, "data": None}, Reason.NULL_VALUE, "the CloudEvent has no `data`"),
    ([{**EVENT, "id": "1"}, {**EVENT, "id": "2"}], Reason.WRONG_SHAPE, "a batch of 2 CloudEvents"),
    ({"specversion": "1.0", "data_base64": "!"}, Reason.MALFORMED_JSON, "no base64"),
    ({**EVENT, "data": {"foo": 1}}, Reason.MISSING_INPUT, "none of ['foo']"),
    ({"schema": None, "payload": None}, Reason.MALFORMED_JSON, "'None' alone"),
    ("12", Reason.WRONG_LENGTH, "looks like text"),
    ({"id": {}, **ROW}, Reason.MALFORMED_JSON, "no text and no whole number"),
    ({"max_latency_ms": "soon", **ROW}, Reason.BAD_TARGET, "'soon'"),
    (V2_INT8, Reason.WRONG_DATATYPE, "'x', which is no INT8"),
    ([ROW, {"foo": 1}], Reason.MISSING_INPUT, "none of ['foo']"),
    ([1, 2], Reason.WRONG_LENGTH, "a row of 2 values; task room has 3 columns"),
    ({**ROW, "Temperature": 1e300}, Reason.NOT_FINITE, "value 0 (Temperature)"),
]


@pytest.mark.parametrize(("value", "reason", "text"), REFUSED)
def test_a_refusal_names_the_cause_and_costs_no_other(
    value: Any, reason: Reason, text: str
) -> None:
    error = refusal(value)
    assert (error.reason, text in error.text) == (reason, True), error


@pytest.mark.parametrize("way", ["binary", "event", "a zero byte at the end"])
@pytest.mark.parametrize(
    ("tensor", "rest", "reason", "text"),
    [
        ({"name": "other"}, {}, Reason.UNKNOWN_INPUT, "input 'other' is not known"),
        ({"name": 3}, {}, Reason.MALFORMED_JSON, "`$.inputs[0].name`"),
        ({}, {"outputs": [{"name": "other"}]}, Reason.UNKNOWN_OUTPUT, "name outputs that"),
        ({}, {"parameters": {"min_accuracy": "much"}}, Reason.BAD_TARGET, "send numbers"),
        ({"shape": "4"}, {}, Reason.WRONG_SHAPE, "send `shape` as a list"),
    ],
)
def test_tensors_behind_json_in_events_and_of_c_are_refused_as_plain_ones(
    way: str, tensor: dict[str, Any], rest: dict[str, Any], reason: Reason, text: str
) -> None:
    plain = {"name": "input", "shape": [1, 4], "datatype": "FP32", **tensor}
    if way == "binary":
        document = {"inputs": [{**plain, "parameters": {"binary_data_size": 16}}], **rest}
        value: Any = json.dumps(document).encode() + raw(1, 2, 3, 4)
    else:
        sent = {"inputs": [{**plain, "data": [1, 2, 3, 4]}], **rest}
        value = {**EVENT, "data": sent} if way == "event" else json.dumps(sent).encode() + b"\0"
    _, ((_, said),) = decode(FakeRecord(as_bytes(value)), task=DIGITS)
    assert (said.reason, text in said.text) == (reason, True)


def test_a_refusal_shows_a_body_that_is_understood() -> None:
    for task in (ROOM, PUMP):
        text = refusal({"foo": 1}, task=task).text
        example = text.split(". For example: ")[1]
        assert len(one(example, task=task)) == 1
    _, [(_, error)] = decode(FakeRecord(b"{}"), task=DIGITS)
    assert len(one(error.text.split(". For example: ")[1], task=DIGITS)) == 1


def test_what_must_not_be_missing_is_named() -> None:
    error = refusal({"state": "True", "at": "2026-01-31"}, task=PUMP)
    assert (error.reason, "column ['pressure'] is missing" in error.text) == (
        Reason.MISSING_INPUT, True,
    )  # fmt: skip
    assert "2026-01-31T12:00:00" in refusal({**PUMP_ROW, "at": "soon"}, task=PUMP).text
