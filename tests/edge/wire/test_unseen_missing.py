"""A value that is missing where no learned row missed one marks its answer, in every format."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ounce_edge.models.catalogue import load_ladder
from ounce_edge.models.runtimes.fake import FakeModel, FakeRuntime
from ounce_edge.pipeline.clocks import Clocks
from ounce_edge.pipeline.edition import Edition
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.wire.batch import gather
from ounce_schemas.cells import Cell
from ounce_schemas.policy import Policy
from ounce_schemas.task import TaskSpec, TensorSpec

from tests.support.edge.formats import as_bytes, decode
from tests.support.edge.ladders import FakeRecord, raw, served, write_ladder
from tests.support.edge.pipelines import NOW_S, pipeline, process

ROOM = TaskSpec(
    name="room",
    kind="classification",
    description="Two numbers: rows with gaps in the second one were learned",
    inputs=(
        TensorSpec(
            name="input",
            datatype="FP32",
            shape=(2,),
            columns=("heat", "light"),
            cells=(
                Cell(column="heat", read="number", gaps=False),
                Cell(column="light", read="number", gaps=True),
            ),
            allow_missing=True,
        ),
    ),
    labels=("zero", "one", "two"),
)
DOOR = TensorSpec(
    name="categories",
    datatype="BYTES",
    shape=(2,),
    columns=("door", "site"),
    cells=(
        Cell(column="door", read="text", texts=("open", "shut"), gaps=True),
        Cell(column="site", read="text", texts=("Oslo", "Rome"), gaps=False),
    ),
    allow_missing=True,
)
DOORS = ROOM.model_copy(update={"inputs": (*ROOM.inputs, DOOR)})


def v2(*data: float | None) -> dict[str, Any]:
    shape = [1, len(data)]
    tensor = {"name": "input", "shape": shape, "datatype": "FP32", "data": data}
    return {"inputs": [tensor]}


FORMATS = {
    "flat JSON": ({"light": 4}, {"heat": 21}),
    "flat JSON's null": ({"heat": None, "light": 4}, {"heat": 21, "light": None}),
    "a text that marks a gap": ({"heat": "NA", "light": 4}, {"heat": 21, "light": "NA"}),
    "CSV": (",4", "21,"),
    "V2": (v2(None, 4), v2(21, None)),
    "raw": (raw(math.nan, 4), raw(21, math.nan)),
}


@pytest.mark.parametrize("name", FORMATS)
def test_only_a_gap_that_was_never_learned_marks_its_request(name: str) -> None:
    marked, learned = (FakeRecord(as_bytes(body)) for body in FORMATS[name])
    batch, rejected = decode(marked, learned, FakeRecord(raw(21, 4)), task=ROOM)
    assert rejected == []
    assert batch.unseen_missing.tolist() == [True, False, False]
    assert decode(learned, task=ROOM)[0].unseen_missing is None
    assert decode(FakeRecord(raw(21, 4)), task=ROOM)[0].unseen_missing is None


def test_texts_are_missed_too() -> None:
    row = {"heat": 21, "light": 4, "door": "open", "site": "Oslo"}
    rows = [row, {**row, "site": ""}, {**row, "door": ""}, {**row, "heat": None}]
    records = [FakeRecord(as_bytes(each)) for each in rows]
    batch, rejected = decode(*records, task=DOORS)
    assert rejected == []
    assert batch.unseen_missing.tolist() == [False, True, False, True]


def test_of_a_task_that_does_not_say_what_was_learned_nothing_is_marked() -> None:
    [spec] = ROOM.inputs
    cells = tuple(cell.model_copy(update={"gaps": None}) for cell in spec.cells or ())
    silent = ROOM.model_copy(update={"inputs": (spec.model_copy(update={"cells": cells}),)})
    assert decode(FakeRecord(raw(math.nan, 4)), task=silent)[0].unseen_missing is None


@pytest.mark.parametrize("task", [ROOM, DOORS])
def test_messages_that_are_all_refused_leave_nothing_to_mark(task: TaskSpec) -> None:
    batch, rejected = decode(FakeRecord(b"junk"), FakeRecord(b"{"), task=task)
    assert (len(batch), len(rejected), batch.unseen_missing) == (0, 2, None)


def test_marks_stay_with_their_requests_when_batches_are_divided_and_joined() -> None:
    marked, _ = decode(FakeRecord(raw(21, 4)), FakeRecord(raw(math.nan, 4)), task=ROOM)
    plain, _ = decode(FakeRecord(raw(21, 4)), task=ROOM)
    joined = gather([(plain, np.array([0])), (marked, np.array([1]))])
    assert joined.unseen_missing is not None
    assert joined.unseen_missing.tolist() == [False, True]


ROWS = [{"heat": 21, "light": 4}, {"light": 4}]


@pytest.mark.parametrize("form", ["v2", "flat"])
def test_the_answer_says_so(form: str) -> None:
    served_by = pipeline(served(ROOM, "tree"), task=ROOM, answer=form)
    records = [FakeRecord(as_bytes(row), offset_=i) for i, row in enumerate(ROWS)]
    published, report = process(served_by, *records)
    assert report.unseen_missing == 1
    bodies = [json.loads(value) for _, value, _, _ in published]
    found = {body["id"][-1]: body.get("parameters", body) for body in bodies}
    assert "unseen_missing" not in found["0"]
    assert found["1"]["unseen_missing"] is True


def test_the_answer_to_several_rows_says_so_of_any() -> None:
    served_by = pipeline(served(ROOM, "tree"), task=ROOM)
    [(_, value, _, _)], _ = process(served_by, FakeRecord(as_bytes(ROWS)))
    assert json.loads(value)["parameters"]["unseen_missing"] is True


def test_a_ladder_that_has_learned_other_gaps_serves_from_the_next_batch_on(tmp_path: Path) -> None:
    [spec] = ROOM.inputs
    cells = tuple(cell.model_copy(update={"gaps": True}) for cell in spec.cells or ())
    trained = ROOM.model_copy(update={"inputs": (spec.model_copy(update={"cells": cells}),)})
    write_ladder(tmp_path, ROOM, "tree")
    before = load_ladder(tmp_path, "room", FakeRuntime({"tree": FakeModel(ROOM)}))
    write_ladder(tmp_path, trained, "tree")
    fakes = FakeRuntime({"tree": FakeModel(trained)})
    after = load_ladder(tmp_path, "room", fakes, serving=before)
    policy, asked = Policy(min_accuracy=0).for_task("room"), FakeRecord(as_bytes({"light": 4}))
    served_by = Pipeline(Edition(before, policy), clocks=Clocks(lambda: NOW_S, lambda: NOW_S))
    assert process(served_by, asked)[1].unseen_missing == 1
    served_by.replace_edition(Edition(after, policy))
    assert process(served_by, asked)[1].unseen_missing == 0
