"""Messages of several rows on their way through the pipeline: one answer or one letter each."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from ounce_edge.pipeline.lanes import Lanes
from ounce_edge.pipeline.turn import Turn
from ounce_schemas.errors import Reason

from tests.edge.pipeline.test_cascades import two_steps
from tests.support.edge.calls_beside import Gate, finish
from tests.support.edge.calls_beside import pipeline as beside
from tests.support.edge.ladders import DIGITS, FakeRecord, Outbox, raw, served
from tests.support.edge.pipelines import Clock, pipeline, process, raises, second_label

TOPIC, LETTERS = "ounce.digits.predictions", "ounce.digits.dead-letters"


def rows(n: int, first: float = 1.0, **more: Any) -> bytes:
    data = [[first, 2, 3, float(i % 16)] for i in range(n)]
    tensor = {"name": "input", "shape": [n, 4], "datatype": "FP32", "data": data}
    return json.dumps({**more, "inputs": [tensor]}).encode()


def fails_on_15(inputs: Any) -> Any:
    if (inputs["input"][:, 3] == 15).any():
        raise RuntimeError("a row of 15")
    return second_label(inputs)


def test_a_row_that_a_model_fails_on_gives_one_letter_for_its_message() -> None:
    served_by = pipeline(served(DIGITS, "tree", fails_on_15))
    records = [FakeRecord(rows(16), offset_=1), FakeRecord(rows(3), offset_=2)]
    published, report = process(served_by, *records)
    letters = [r for r in published if r[0] == LETTERS]
    answers = [json.loads(r[1]) for r in published if r[0] == TOPIC]
    assert len(letters) == len(answers) == 1
    assert letters[0][1] == records[0].value()
    assert dict(letters[0][3])["ounce-dead-letter-reason"] == b"model-failed"
    assert answers[0]["parameters"]["rows"] == 3
    assert report.next_offsets == {3: 3}
    assert list(report.rejected) == [Reason.MODEL_FAILED]


def test_all_rows_fail() -> None:
    published, report = process(pipeline(served(DIGITS, "tree", raises)), FakeRecord(rows(5)))
    assert [topic for topic, *_ in published] == [LETTERS]
    assert report.next_offsets == {3: 8}


def test_rows_that_the_policy_refuses_are_one_letter() -> None:
    served_by = pipeline(served(DIGITS, "tree", accuracy=0.5), fallback="refuse")
    body = rows(4, parameters={"min_accuracy": 0.99})
    published, report = process(served_by, FakeRecord(body))
    assert [topic for topic, *_ in published] == [LETTERS]
    assert list(report.rejected) == [Reason.REFUSED]
    assert report.next_offsets == {3: 8}


def test_rows_of_more_than_a_slice_are_several_calls_and_one_answer() -> None:
    clock, sizes = Clock(), list[int]()

    def answer(inputs: Any) -> Any:
        sizes.append(len(inputs["input"]))
        clock.now_s += 0.001 * len(inputs["input"])
        return second_label(inputs)

    served_by = pipeline(served(DIGITS, "tree", answer, ms_per_item=1.0), steady=clock)
    outbox = Outbox()
    served_by.admit([FakeRecord(rows(200, parameters={"max_latency_ms": 3_600_000}))], outbox)
    while len(served_by.waiting):
        assert outbox.records == []
        report = served_by.step(outbox, Turn(slice_ms=20.0))
    assert len(sizes) > 1
    assert sum(sizes) == 200
    [(topic, value, key, _)] = outbox.records
    assert (topic, key) == (TOPIC, b"device-1")
    assert json.loads(value or b"")["outputs"][0]["data"] == ['o"ne'] * 200
    assert report.next_offsets == {3: 8}


def test_offsets_wait_for_the_last_row() -> None:
    served_by = pipeline(served(DIGITS, "tree", ms_per_item=1.0))
    body = rows(100, parameters={"max_latency_ms": 3_600_000})
    outbox, offsets = Outbox(), list[Any]()
    served_by.admit([FakeRecord(body, offset_=1)], outbox)
    while len(served_by.waiting):
        offsets.append(served_by.step(outbox, Turn(slice_ms=5.0)).next_offsets)
    assert offsets[-1] == {3: 2}
    assert not any(offsets[:-1])
    assert served_by.n_open == 0


def test_rows_that_several_models_answer_are_named() -> None:
    served_by, *_ = two_steps(min_accuracy=0.94)
    [(_, value, _, _)], _ = process(served_by, FakeRecord(rows(16)))
    answer = json.loads(value)
    model = next(o for o in answer["outputs"] if o["name"] == "model")
    assert model["shape"] == [16]
    assert len(set(model["data"])) == 2
    assert answer["model_name"] == max(set(model["data"]), key=model["data"].count)


def test_partitions_that_are_lost_leave_nothing_behind() -> None:
    served_by = pipeline(served(DIGITS, "tree", ms_per_item=1.0))
    outbox = Outbox()
    lost = FakeRecord(rows(50, parameters={"max_latency_ms": 3_600_000}), partition_=1, offset_=4)
    kept = FakeRecord(raw(1, 2, 3, 4), partition_=2, offset_=9)
    served_by.admit([lost, kept], outbox)
    served_by.step(outbox, Turn(slice_ms=5.0))
    n_dropped = served_by.drop([1])
    assert n_dropped > 0
    offsets: dict[int, int] = {}
    while len(served_by.waiting):
        offsets |= served_by.step(outbox, Turn(slice_ms=5.0)).next_offsets
    offsets |= served_by.step(outbox, Turn(slice_ms=5.0)).next_offsets
    assert [(topic, key) for topic, _, key, _ in outbox.records] == [(TOPIC, b"device-1")]
    assert offsets == {2: 10}


@pytest.mark.parametrize("lost", [1, 2])
def test_rows_on_a_lane_that_are_lost(lanes: Lanes, gate: Gate, lost: int) -> None:
    served_by, outbox = beside(lanes, gate), Outbox()
    heavy = {"min_accuracy": 0.95, "max_latency_ms": 1000}
    records = [FakeRecord(rows(3, parameters=heavy), partition_=p, offset_=7) for p in (1, 2)]
    served_by.admit(records, outbox)
    served_by.step(outbox, Turn(slice_ms=100.0))
    assert (served_by.n_open, len(served_by.waiting)) == (6, 0)
    assert served_by.drop([lost]) == 3
    gate.open()
    report = finish(served_by, lanes, outbox)
    assert len(outbox.records) == 1
    assert report.next_offsets == {3 - lost: 8}


def test_a_repeat_of_a_message_is_one_of_each_row() -> None:
    served_by = pipeline(served(DIGITS, "tree"))
    body = rows(3, id="again")
    process(served_by, FakeRecord(body, offset_=1))
    [(_, value, _, _)], report = process(served_by, FakeRecord(body, offset_=2))
    assert json.loads(value)["parameters"]["duplicate"] is True
    assert report.repeats == 3


def test_rows_and_single_messages_together_are_what_they_are_alone() -> None:
    rng = np.random.default_rng(0)
    records = []
    for offset in range(60):
        n = int(rng.integers(1, 5))
        body = rows(n, id=f"m{offset}") if n > 1 else raw(1, 2, 3, 4)
        records.append(FakeRecord(body, offset_=offset))
    published, report = process(pipeline(served(DIGITS, "tree")), *records)
    assert len(published) == 60
    assert report.next_offsets == {3: 60}


@pytest.mark.parametrize("kind", ["cpu", "tensorrt"])
def test_rows_add_up_what_they_took_on_the_gpu(kind: str) -> None:
    model = replace(served(DIGITS, "net", second_label), runtime=kind)
    [(_, value, _, _)], _ = process(pipeline(model, steady=Clock(1e-3)), FakeRecord(rows(5)))
    parameters = json.loads(value)["parameters"]
    assert parameters["cost_ms"] > 0
    assert parameters.get("gpu_ms") == (None if kind == "cpu" else parameters["cost_ms"])
