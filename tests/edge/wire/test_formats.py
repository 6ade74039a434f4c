"""What devices, gateways and connectors send is understood."""

import base64
import json
from typing import Any

import numpy as np
import pytest
from ounce_edge.wire.requests.identity import Identity
from ounce_schemas.task import TensorSpec

from tests.support.edge.formats import (
    EVENT,
    NAN,
    PUMP,
    PUMP_ROW,
    ROOM,
    ROW,
    VALUES,
    as_bytes,
    decode,
    one,
    refusal,
)
from tests.support.edge.ladders import DIGITS, FakeRecord, raw

V2_COLUMNS = {
    "inputs": [
        {"name": name, "shape": [1, 1], "datatype": "FP64", "data": [value]}
        for name, value in ROW.items()
    ]
}
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
    "a zero byte at the end, as of a string of C": json.dumps(ROW).encode() + b"\0",
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


def test_ids_may_have_names_of_their_own() -> None:
    task = ROOM.model_copy(update={"id_names": ("seq", "event-id")})
    for given, expected in (
        ({"event-id": "e", "id": "a"}, "e"),
        ({"event-id": "e", "seq": 7, "id": "a"}, "7"),
        ({"event-id": None, "id": "a"}, "a"),
        ({"Seq": 1, "id": "a"}, "a"),
    ):
        assert one({**ROW, **given}, task=task).identities[0].id == expected
    assert one({"seq": 7, "id": "a", "data": ROW}, task=task).identities[0].id == "7"
    assert one({"seq": [7], "data": {**ROW, "id": "a"}}, task=task).identities[0].id == "a"
    assert one({**ROW, "seq": 7}).identities == one(ROW).identities
    assert "id '1.5' is no text" in refusal({**ROW, "seq": 1.5}, task=task).text


def test_a_name_of_the_id_is_no_misspelt_column() -> None:
    row = {**PUMP_ROW, "stage": "r-7"}
    del row["state"]
    assert "'stage' is no column" in refusal(row, task=PUMP).text
    task = PUMP.model_copy(update={"id_names": ("stage",)})
    assert one(row, task=task).identities[0].id == "r-7"


def test_a_cloudevent_in_structured_mode_says_what_headers_say() -> None:
    event = {**EVENT, "maxlatencyms": 20, "minaccuracy": "0.7", "traceparent": "00-a-b-01"}
    batch = one(event, [("content-type", b"application/cloudevents+json")])
    assert batch.identities[0] == Identity("e1", b"s/room/7")
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
