"""Bodies that are read all at once give what each gives alone."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from ounce_edge.wire.records import Columns
from ounce_edge.wire.requests.decoding import Decoder
from ounce_schemas.policy import Policy
from ounce_schemas.task import TaskSpec

from tests.edge.wire.test_formats import without_sentinel
from tests.support.edge.formats import ROOM, ROW
from tests.support.edge.ladders import DIGITS, FakeRecord

PLAIN = ROOM.model_copy(update={"inputs": (without_sentinel(),)})
NAMED = PLAIN.model_copy(update={"id_names": ("event id", "seq")})
LONG = "x" * 4097


def v2(id_: Any = None) -> Any:
    tensor = {"name": "input", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}
    return {"id": id_, "inputs": [tensor]} if id_ is not None else {"inputs": [tensor]}


def flat(id_: Any = None) -> Any:
    return ROW if id_ is None else {**ROW, "id": id_}


def named(id_: Any = None) -> Any:
    return ROW if id_ is None else {**ROW, "event id": id_}


QUICK = [(DIGITS, v2), (PLAIN, flat), (NAMED, named)]
IDS: Sequence[Sequence[Any]] = [
    ["a", "b", "c"], ["a", None, "b"], ["", "a", ""], ["a", "a", "a"], [1, 2, 3], [0, 1, 2],
    ["a:b", "c:d", "e:f"], ["a", 7, "b"], ['"', "\\", "\u4f60"], ["a", LONG, "b"], [True, "a", "b"],
    [1.5, "a", "b"], [{}, "a", "b"], ["ok", "null", None],
]  # fmt: skip


@pytest.mark.parametrize("head", [None, [("ce_id", b"of the header")], [("ce_source", b"s")]])
@pytest.mark.parametrize("ids", IDS)
@pytest.mark.parametrize(("task", "body"), [*QUICK, (NAMED, flat)])
def test_ids_in_bodies(task: TaskSpec, body: Any, ids: Sequence[Any], head: Any) -> None:
    decoder = Decoder(task, Policy().for_task(task.name))
    values = [json.dumps(body(id_)).encode() for id_ in ids]
    records = [FakeRecord(value, head, offset_=i) for i, value in enumerate(values)]
    together, refused = decoder.decode(Columns.of(records), 1_000_050.0)
    found = {}
    for record in records:
        batch, rejected = decoder._decode_any(Columns.of([record]), 1_000_050.0)
        assert len(batch) + len(rejected) == 1
        if len(batch):
            found[record.offset()] = batch
    assert sorted(r.offset() or 0 for r in together.records) == sorted(found)
    assert len(refused) == len(records) - len(found)
    for i, record in enumerate(together.records):
        alone = found[record.offset() or 0]
        assert together.whole_ids()[i] == alone.whole_ids()[0]
        assert together.identities[i] == alone.identities[0]
        assert together.outputs[i] == alone.outputs[0]
        np.testing.assert_array_equal(together.inputs["input"][i], alone.inputs["input"][0])


def test_a_column_that_is_called_id_is_a_column() -> None:
    first = without_sentinel()
    names = ("id", *(first.columns or ())[1:])
    cells = tuple(
        cell.model_copy(update={"column": name})
        for name, cell in zip(names, first.cells or (), strict=True)
    )
    spec = first.model_copy(update={"columns": names, "cells": cells})
    task = PLAIN.model_copy(update={"inputs": (spec,)})
    row = json.dumps({"id": 1, **dict.fromkeys(names[1:], 500)}).encode()
    decoder = Decoder(task, Policy().for_task(task.name))
    for n in (1, 2):
        batch, _ = decoder.decode(Columns.of([FakeRecord(row)] * n), 1_000_050.0)
        assert list(batch.identities) == [None] * n
        assert batch.inputs["input"][:, 0].tolist() == [1] * n


def test_rows_are_laid_out_one_behind_the_other() -> None:
    """As runtimes want them."""
    decoder = Decoder(PLAIN, Policy().for_task("room"))
    records = [FakeRecord(json.dumps(flat(str(i))).encode()) for i in range(5)]
    batch, _ = decoder.decode(Columns.of(records), 1_000_050.0)
    assert batch.inputs["input"].flags.c_contiguous


@pytest.mark.parametrize(("task", "body"), QUICK)
@pytest.mark.parametrize("ids", [[None, None], ["a", "b"]])
def test_plain_bodies_take_the_fast_path(task: TaskSpec, body: Any, ids: Sequence[Any]) -> None:
    decoder = Decoder(task, Policy().for_task(task.name))
    records = [FakeRecord(json.dumps(body(id_)).encode()) for id_ in ids]
    batch = decoder._decode_alike(Columns.of(records), 1_000_050.0)
    assert batch is not None
    assert len(batch) == 2
