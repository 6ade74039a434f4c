"""Texts of requests: the known one that is meant, and a mark where none is."""

import json

import numpy as np
from ounce_edge.pipeline.reports import Report
from ounce_edge.wire.batch import RequestBatch, gather
from ounce_edge.wire.records import Columns
from ounce_edge.wire.requests.decoding import Decoder
from ounce_schemas.cells import Cell
from ounce_schemas.policy import Policy
from ounce_schemas.task import TaskSpec, TensorSpec

from tests.support.edge.ladders import NUMBERS, FakeRecord

DOORS = TaskSpec(
    name="doors",
    kind="classification",
    description="Two texts of a table",
    inputs=(
        TensorSpec(
            name="categories",
            datatype="BYTES",
            shape=(2,),
            columns=("open", "site"),
            cells=(
                Cell(column="open", read="text", texts=("FALSE", "TRUE")),
                Cell(column="site", read="text", texts=("NA", "Na", "Oslo")),
            ),
            allow_missing=True,
        ),
    ),
    labels=("fail", "ok"),
)


def decode(*rows: tuple[str, str], task: TaskSpec = DOORS) -> RequestBatch:
    tensor = {"name": "categories", "shape": [1, 2], "datatype": "BYTES"}
    records = [
        FakeRecord(json.dumps({"inputs": [{**tensor, "data": row}]}).encode(), offset_=i)
        for i, row in enumerate(rows)
    ]
    batch, rejected = Decoder(task, Policy().for_task(task.name)).decode(
        Columns.of(records), 1_000_050.0
    )
    assert rejected == []
    return batch


def test_a_text_is_read_as_the_known_one_that_is_meant() -> None:
    batch = decode(("true", "OSLO"), (" FALSE ", "NA"), ("", "Na"))
    assert batch.inputs["categories"].tolist() == [["TRUE", "Oslo"], ["FALSE", "NA"], ["", "Na"]]
    assert batch.unknown_texts is None


def test_a_text_that_no_model_has_learned_marks_its_request() -> None:
    batch = decode(("TRUE", "Oslo"), ("ajar", "Oslo"), ("TRUE", "na"))
    assert batch.inputs["categories"][1:].tolist() == [["ajar", "Oslo"], ["TRUE", "na"]]
    assert batch.unknown_texts is not None
    assert batch.unknown_texts.tolist() == [False, True, True]


def test_requests_that_are_marked_are_counted() -> None:
    report = Report("doors")
    report.count_marks(decode(("TRUE", "Oslo"), ("ajar", "Oslo"), ("TRUE", "na")))
    assert (report.unknown_text, report.unseen_missing) == (2, 0)


def test_marks_stay_with_their_requests_when_batches_are_divided_and_joined() -> None:
    marked, plain = decode(("TRUE", "Oslo"), ("ajar", "Oslo")), decode(("TRUE", "NA"))
    joined = gather([(plain, np.array([0])), (marked, np.array([1]))])
    assert joined.unknown_texts is not None
    assert joined.unknown_texts.tolist() == [False, True]
    assert gather([(plain, np.array([0])), (plain, np.array([0]))]).unknown_texts is None


def test_a_task_that_lists_no_texts_takes_them_as_they_come() -> None:
    body = {
        "inputs": [
            {"name": "input", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]},
            {"name": "categories", "shape": [1, 1], "datatype": "BYTES", "data": [" any "]},
        ]
    }
    decoder = Decoder(NUMBERS, Policy().for_task("numbers"))
    batch, _ = decoder.decode(Columns.of([FakeRecord(json.dumps(body).encode())]), 1_000_050.0)
    assert batch.inputs["categories"].tolist() == [[" any "]]
    assert batch.unknown_texts is None
