"""Messages of several rows: each row is a request, and one answer goes back."""

import json
import struct
from typing import Any

import numpy as np
import pytest
from ounce_edge.wire.records import Columns
from ounce_edge.wire.requests.decoding import Decoder
from ounce_schemas.cells import Cell
from ounce_schemas.errors import Reason
from ounce_schemas.policy import Policy
from ounce_schemas.task import TaskSpec, TensorSpec

from tests.support.edge.formats import ROOM, ROW, VALUES, as_bytes
from tests.support.edge.ladders import DIGITS, FakeRecord, served
from tests.support.edge.pipelines import pipeline, process

OTHER = {"Temperature": 1.0, "Relative Humidity": 2.0, "CO2": 403.0}
TWO = [VALUES, [1, 2, 3]]
COLUMNS = [
    {"name": name, "shape": [2, 1], "datatype": "FP64", "data": [ROW[name], OTHER[name]]}
    for name in ROW
]
UNDERSTOOD = {
    "a list of rows": [ROW, OTHER],
    "a list in data": {"data": [ROW, OTHER]},
    "mlflow": {"dataframe_records": [ROW, OTHER]},
    "tensorflow serving": {"instances": [ROW, OTHER]},
    "rows without names": [[21.5, 26.3, 721.25], [1, 2, 403]],
    "csv": "21.5,26.3,721.25\n1,2,403\n",
    "csv with its header": "CO2,Temperature,Relative Humidity\n721.25,21.5,26.3\n403,1,2\n",
    "a tensor a column": {"inputs": COLUMNS},
    "one tensor": {
        "inputs": [{"name": "input", "shape": [2, 3], "datatype": "FP32", "data": TWO}]
    },
    "an event": {
        "specversion": "1.0", "id": "b", "source": "/s", "type": "t", "data": [ROW, OTHER],
    },
}  # fmt: skip


def decode(*records: FakeRecord, task: TaskSpec = ROOM, **policy: Any) -> Any:
    rules = Policy(**policy).for_task(task.name)
    return Decoder(task, rules).decode(Columns.of(records), 1_000_050.0)


@pytest.mark.parametrize("name", UNDERSTOOD)
def test_rows_are_requests_of_their_own(name: str) -> None:
    between = [FakeRecord(as_bytes(ROW), offset_=o) for o in (8, 9)]
    body = as_bytes(UNDERSTOOD[name])
    batch, rejected = decode(between[0], FakeRecord(body), between[1])
    assert rejected == []
    np.testing.assert_allclose(batch.inputs["input"], [VALUES, *TWO, VALUES], rtol=1e-6)
    assert [row and row.number for row in batch.rows] == [None, 0, 1, None]
    assert batch.rows[1].of is batch.rows[2].of
    assert [record.offset() for record in batch.records] == [8, 7, 7, 9]


@pytest.mark.parametrize("name", ['2" pipe', "a\\b", "a\tb"])
def test_a_column_may_have_any_name(name: str) -> None:
    cells = tuple(Cell(column=column, read="number") for column in (name, "wet"))
    tensor = TensorSpec(
        name="input", datatype="FP32", shape=(2,), columns=(name, "wet"), cells=cells
    )
    records = [FakeRecord(as_bytes({name: 21.5, "wet": n}), offset_=n) for n in (1, 2)]
    batch, rejected = decode(*records, task=ROOM.model_copy(update={"inputs": (tensor,)}))
    assert rejected == []
    np.testing.assert_array_equal(batch.inputs["input"], [[21.5, 1], [21.5, 2]])


def test_one_record_of_two_rows_beside_one_that_is_refused() -> None:
    good, bad = FakeRecord(as_bytes([ROW, OTHER]), offset_=1), FakeRecord(b"{", offset_=2)
    batch, [(record, _)] = decode(bad, good)
    assert [r.offset() for r in batch.records] == [1, 1]
    assert record.offset() == 2


def test_ids_of_rows() -> None:
    batch, _ = decode(FakeRecord(as_bytes([ROW, OTHER]), [("ce_id", b'a"b')]),
                      FakeRecord(as_bytes([OTHER, ROW])))  # fmt: skip
    assert [json.loads(i) for i in batch.whole_ids()] == [
        'a"b/0', 'a"b/1', "ounce.room.requests-3-7/0", "ounce.room.requests-3-7/1",
    ]  # fmt: skip
    assert [identity and identity.id for identity in batch.identities] == [
        'a"b/0', 'a"b/1', None, None,
    ]  # fmt: skip
    assert json.loads(batch.rows[0].of.json_id) == 'a"b'


REFUSED = [
    ([ROW, {"foo": 1}], Reason.MISSING_INPUT, "row 1: none of ['foo']"),
    ([ROW, {**ROW, "Temperature": 1e300}], Reason.NOT_FINITE, "row 1: value 0 (Temperature)"),
    ([ROW] * 4, Reason.TOO_LARGE, "holds 4 rows, over the policy's max_rows 3"),
    ("1,2,3\n" * 4, Reason.TOO_LARGE, "holds 4 rows"),
    ("1,2,3\n" * 50_000, Reason.TOO_LARGE, "holds 50000 rows"),
    ({"inputs": [{**c, "shape": [0], "data": []} for c in COLUMNS]}, Reason.WRONG_SHAPE, "no row"),
    ({"inputs": [{"name": "input", "shape": [4, 3], "datatype": "FP32", "data": [0] * 12}]},
     Reason.TOO_LARGE, "holds 4 rows"),
    ({"inputs": [{"name": "input", "shape": [0, 3], "datatype": "FP32", "data": []}]},
     Reason.WRONG_SHAPE, "no row"),
    ([{**ROW, "id": 1}, ROW], Reason.WRONG_SHAPE, "one id"),
    ([ROW, 5], Reason.WRONG_LENGTH, "a row of 2 values"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "reason", "text"), REFUSED)
def test_one_wrong_row_refuses_its_message_and_no_other(
    value: Any, reason: Reason, text: str
) -> None:
    other = FakeRecord(as_bytes([ROW, OTHER, ROW]), offset_=9)
    batch, rejected = decode(other, FakeRecord(as_bytes(value)), other, max_rows=3)
    assert len(batch) == 6
    [(record, error)] = rejected
    assert record.offset() == 7
    assert (error.reason, text in error.text) == (reason, True), error


def test_a_plain_text_of_several_lines_is_one_text() -> None:
    cell = Cell(column="message", read="sentence")
    spec = TensorSpec(
        name="texts", datatype="BYTES", shape=(1,), columns=("message",), cells=(cell,),
        allow_missing=True,
    )  # fmt: skip
    task = TaskSpec(
        name="sms", kind="classification", description="Texts", inputs=(spec,), labels=("a", "b")
    )
    for text in ("call me, now; or later", "two\nlines, here", "x"):
        batch, rejected = decode(FakeRecord(text.encode()), task=task)
        assert rejected == []
        assert batch.inputs["texts"].tolist() == [[text]]
    batch, _ = decode(FakeRecord(b"message\nfirst\nsecond"), task=task)
    assert batch.inputs["texts"].tolist() == [["first"], ["second"]]


def v2(n: int, **more: Any) -> bytes:
    tensor = {"name": "input", "shape": [n, 4], "datatype": "FP32", "data": [1, 2, 3, 4] * n}
    return as_bytes({"id": "many", **more, "inputs": [tensor]})


def test_one_answer_of_n_rows_comes_back() -> None:
    single = FakeRecord(v2(1), offset_=1)
    published, report = process(
        pipeline(served(DIGITS, "tree")), single, FakeRecord(v2(3), offset_=2)
    )
    assert report.next_offsets == {3: 3}
    assert sum(group.n for group in report.groups) == 4
    alone, many = sorted((json.loads(value) for _, value, _, _ in published), key=len)
    assert [output["shape"] for output in many["outputs"]] == [[3], [3], [3, 3]]
    for one, all_ in zip(alone["outputs"], many["outputs"], strict=True):
        assert all_["data"] == one["data"] * 3
    assert (many["id"], many["parameters"]["rows"], many["model_name"]) == ("many", 3, "tree")
    assert many["parameters"]["deadline_met"] is True
    kinds = {type(value) for value in many["parameters"].values()}
    assert kinds <= {str, int, float, bool}
    assert many["parameters"].keys() == {*alone["parameters"], "rows"} - {"duplicate"}


@pytest.mark.parametrize("form", ["flat", "raw", "cloudevents"])
def test_forms_of_the_answer(form: str) -> None:
    body = v2(2, parameters={"answer": form})
    [(_, value, _, headers)], _ = process(pipeline(served(DIGITS, "tree")), FakeRecord(body))
    if form == "raw":
        assert len(value) == 16
        assert struct.unpack("<ifif", value)[0::2] == (0, 0)
    elif form == "flat":
        assert [row["id"] for row in json.loads(value)] == ["many/0", "many/1"]
    else:
        event = json.loads(value)
        assert (event["id"], event["data"]["outputs"][0]["shape"]) == ("many", [2])
        assert dict(headers)["content-type"] == b"application/cloudevents+json"
