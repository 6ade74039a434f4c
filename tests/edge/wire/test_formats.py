"""What devices, gateways and connectors send is understood, or refused by its right name."""

import base64
import json
from typing import Any

import numpy as np
import pytest
from ounce_edge.wire.decoding import Decoder
from ounce_edge.wire.records import Columns
from ounce_schemas.cells import Cell
from ounce_schemas.errors import Reason
from ounce_schemas.policy import Policy
from ounce_schemas.task import TaskSpec, TensorSpec

from tests.support.edge.ladders import DIGITS, FakeRecord, raw

NAN = float("nan")
ROOM = TaskSpec(
    name="room",
    kind="classification",
    description="Numbers alone, which may be missing",
    inputs=(
        TensorSpec(
            name="input",
            datatype="FP32",
            shape=(3,),
            columns=("Temperature", "Relative Humidity", "CO2 less 400"),
            cells=(
                Cell(column="Temperature", read="number", unit="C", aliases=("temp",)),
                Cell(column="Relative Humidity", read="number", missing=(-9999,)),
                Cell(column="CO2", read="number", offset=400.0),
            ),
            allow_missing=True,
        ),
    ),
    labels=("empty", "full"),
)
PUMP = TaskSpec(
    name="pump",
    kind="classification",
    description="A number that must not be missing, a text and a date",
    inputs=(
        TensorSpec(
            name="input",
            datatype="FP32",
            shape=(2,),
            columns=("pressure", "at.hour"),
            cells=(Cell(column="pressure", read="number"), Cell(column="at", read="hour")),
        ),
        TensorSpec(
            name="categories",
            datatype="BYTES",
            shape=(1,),
            columns=("state",),
            cells=(Cell(column="state", read="text", texts=("True", "False", "7")),),
            allow_missing=True,
        ),
    ),
    labels=("good", "bad"),
)
ROW = {"Temperature": 21.5, "Relative Humidity": 26.3, "CO2": 721.25}
VALUES = [21.5, 26.3, 321.25]
PUMP_ROW = {"pressure": 3, "at": "2026-01-31T17:05:00", "state": "TRUE"}


def decode(*records: FakeRecord, task: TaskSpec = ROOM) -> Any:
    policy = Policy(max_body_bytes=200_000).for_task(task.name)
    return Decoder(task, policy).decode(Columns.of(records), 1_000_050.0)


def one(value: bytes | str | object, headers: Any = None, task: TaskSpec = ROOM) -> Any:
    """The batch of one body that is understood, beside a raw one that must not pay for it."""
    batch, rejected = decode(FakeRecord(as_bytes(value), headers), task=task)
    assert rejected == []
    return batch


def refusal(value: bytes | str | object, headers: Any = None, task: TaskSpec = ROOM) -> Any:
    """Why a body is refused, between two that are served."""
    good = as_bytes(PUMP_ROW if task is PUMP else ROW)
    records = [FakeRecord(good), FakeRecord(as_bytes(value), headers, offset_=8), FakeRecord(good)]
    batch, rejected = decode(*records, task=task)
    assert len(batch) == 2
    [(record, error)] = rejected
    assert record.offset() == 8
    return error


def as_bytes(value: bytes | str | object) -> bytes:
    if isinstance(value, bytes):
        return value
    return (value if isinstance(value, str) else json.dumps(value)).encode()


V2_COLUMNS = {
    "inputs": [
        {"name": name, "shape": [1, 1], "datatype": "FP64", "data": [value]}
        for name, value in ROW.items()
    ]
}
EVENT = {
    "specversion": "1.0", "id": "e1", "source": "/room/7", "type": "reading",
    "datacontenttype": "application/json", "data": ROW,
}  # fmt: skip
UNDERSTOOD = {
    "flat": ROW,
    "any order": dict(reversed(ROW.items())),
    "other spellings": {"temperature": 21.5, "relative_humidity": 26.3, "co2": 721.25},
    "an alias": {"temp": 21.5, "Relative Humidity": 26.3, "CO2": 721.25},
    "more than the task takes": {**ROW, "battery": 3.3, "tags": {"site": "a"}, "ok": True},
    "numbers as texts": {"Temperature": "21.5", "Relative Humidity": "26.3", "CO2": " 721.25"},
    "a unit": {**ROW, "Temperature": "21.5 C"},
    "a value with its unit": {**ROW, "Temperature": {"value": 21.5, "unit": "C"}},
    "nested under data": {"data": ROW},
    "nested twice": {"payload": {"data": ROW}},
    "telegraf": {"name": "room", "tags": {}, "timestamp": 1, "fields": ROW},
    "debezium": {"payload": {"before": None, "after": ROW, "op": "c"}},
    "mlflow": {"dataframe_records": [ROW]},
    "tensorflow serving": {"instances": [ROW]},
    "a list of one": [ROW],
    "connect's envelope": {"schema": {"type": "struct", "fields": []}, "payload": ROW},
    "a cloudevent": EVENT,
    "a list without names": [21.5, 26.3, 721.25],
    "csv": "21.5,26.3,721.25",
    "csv with an end of line": "21.5;26.3;721.25\r\n",
    "csv with its header": "CO2,Temperature,Relative Humidity,x\n721.25,21.5,26.3,no\n",
    "byte order mark": b"\xef\xbb\xbf" + json.dumps(ROW).encode(),
    "utf-16": json.dumps(ROW).encode("utf-16"),
    "utf-16 without a mark": json.dumps(ROW).encode("utf-16-le"),
    "blanks": b" \r\n\t" + json.dumps(ROW).encode() + b"\n",
    "confluent's framing": b"\0\0\0\0\7" + json.dumps(ROW).encode(),
    "a tensor a column": V2_COLUMNS,
    "v2 in an event": {**EVENT, "data": V2_COLUMNS},
    "event of base64": {
        **{k: v for k, v in EVENT.items() if k != "data"},
        "data_base64": base64.b64encode(json.dumps(ROW).encode()).decode(),
    },
    "event of text": {**EVENT, "data": json.dumps(ROW)},
}


@pytest.mark.parametrize("name", UNDERSTOOD)
def test_what_senders_write_is_understood(name: str) -> None:
    batch = one(UNDERSTOOD[name])
    np.testing.assert_allclose(batch.inputs["input"], [VALUES], rtol=1e-6)
    assert batch.outputs == [("label", "confidence", "probabilities")]


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json", "application/json; charset=utf-8", "text/json", "text/plain",
        "application/vnd.room+json", "application/cloudevents+json", '"application/json"',
        "application/octet-stream",
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["content-type", "Content-Type", "content_type", "CONTENT-TYPE"])
def test_the_content_type_never_hides_json(content_type: str, name: str) -> None:
    batch = one(ROW, [(name, content_type.encode())])
    np.testing.assert_allclose(batch.inputs["input"], [VALUES], rtol=1e-6)


def test_missing_columns_sentinels_and_pythons_nan_are_gaps() -> None:
    humidity = "Relative Humidity"
    rows = [{**ROW, humidity: gap} for gap in (-9999, None, NAN, "NA", "-9999", -9999.0)]
    for row in ({"Temperature": 21.5, "CO2": 721.25}, *rows):
        batch = one(row)
        np.testing.assert_allclose(batch.inputs["input"], [[21.5, NAN, 321.25]], rtol=1e-6)


def test_many_rows_at_once_give_what_each_alone_gives() -> None:
    task = ROOM.model_copy(update={"inputs": (without_sentinel(),)})
    rows = [{**ROW, "CO2": 400 + i} for i in range(100)]
    together, _ = decode(*(FakeRecord(as_bytes(row)) for row in rows), task=task)
    alone, _ = decode(*(FakeRecord(as_bytes({**row, "x": 1})) for row in rows), task=task)
    np.testing.assert_array_equal(together.inputs["input"], alone.inputs["input"])
    np.testing.assert_array_equal(together.inputs["input"][:, 2], np.arange(100))
    assert together.outputs == alone.outputs


def without_sentinel() -> TensorSpec:
    spec = ROOM.inputs[0]
    cells = [cell.model_copy(update={"missing": None}) for cell in spec.cells or ()]
    return spec.model_copy(update={"cells": tuple(cells)})


def test_texts_dates_and_truth_values_are_read_as_the_table_is() -> None:
    for row in (PUMP_ROW, {**PUMP_ROW, "state": True}, {**PUMP_ROW, "state": "true"}):
        batch = one(row, task=PUMP)
        np.testing.assert_array_equal(batch.inputs["input"], [[3, 17]])
        assert batch.inputs["categories"].tolist() == [["True"]]
        assert batch.unknown_texts is None
    assert one({**PUMP_ROW, "state": 7}, task=PUMP).inputs["categories"].tolist() == [["7"]]


def test_ids_and_targets_stand_beside_the_row_or_around_it() -> None:
    batch = one({**ROW, "id": 17, "max_latency_ms": 20, "parameters": {"min_accuracy": 0.5}})
    assert batch.identities[0].id == "17"
    assert (batch.max_latency_ms[0], batch.min_accuracy[0]) == (20, 0.5)
    batch = one({"id": "a", "max_latency_ms": 30, "data": ROW})
    assert (batch.identities[0].id, batch.max_latency_ms[0]) == ("a", 30)


def test_a_cloudevent_in_structured_mode_says_what_headers_say() -> None:
    event = {**EVENT, "maxlatencyms": 20, "minaccuracy": "0.7", "traceparent": "00-a-b-01"}
    batch = one(event, [("content-type", b"application/cloudevents+json")])
    assert batch.identities[0] == ("e1", b"s/room/7")
    assert (batch.max_latency_ms[0], batch.min_accuracy[0]) == (20, 0.7)
    assert batch.heads[0].traceparent == b"00-a-b-01"
    assert one(event, [("ce_id", b"h")]).identities[0].id == "h"


@pytest.mark.parametrize(
    "headers",
    [
        [("CE_ID", b"a"), ("Ce_MaxLatencyMs", b"20")],
        [("ce-id", b"a"), ("ce-maxlatencyms", b" 20 ")],
        [("cloudEvents:id", b"a"), ("cloudEvents_maxlatencyms", b'"20"')],
    ],
)
def test_headers_in_another_case_or_of_another_binding_are_read(headers: Any) -> None:
    batch = one(ROW, headers)
    assert (batch.identities[0].id, batch.max_latency_ms[0]) == ("a", 20)


@pytest.mark.parametrize("datatype", ["FP64", "FP16", "INT64", "INT32", "INT8", "UINT8", "BOOL"])
def test_numpys_datatypes_are_converted(datatype: str) -> None:
    tensor = {"name": "input", "shape": [1, 4], "datatype": datatype, "data": [0, 1, 1, 0]}
    batch = one({"inputs": [tensor]}, task=DIGITS)
    np.testing.assert_array_equal(batch.inputs["input"], [[0, 1, 1, 0]])


def test_plain_numbers_serve_a_task_without_columns() -> None:
    for value in ([1, 2, 3, 4], {"input": [1, 2, 3, 4]}, {"data": [[1, 2, 3, 4]]}, "1,2,3,4",
                  {"id": 5, "inputs": [{"name": "input", "shape": [4], "datatype": "FP32",
                                        "data": [1, 2, 3, 4]}]}):  # fmt: skip
        np.testing.assert_array_equal(one(value, task=DIGITS).inputs["input"], [[1, 2, 3, 4]])


def test_tensors_behind_the_json() -> None:
    """The body that tritonclient's `InferenceServerClient.generate_request_body` makes."""
    tensor = {"name": "input", "shape": [1, 4], "datatype": "FP32",
              "parameters": {"binary_data_size": 16}}  # fmt: skip
    head = as_bytes({"inputs": [tensor]})
    size = [("Inference-Header-Content-Length", b"%d" % len(head))]
    for headers in (size, None, [*size, ("content-type", b"application/octet-stream")]):
        batch = one(head + raw(1, 2, 3, 4), headers, task=DIGITS)
        np.testing.assert_array_equal(batch.inputs["input"], [[1, 2, 3, 4]])


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
