"""Inputs that training makes of a column may be sent by their own names, too."""

from typing import Any

import numpy as np
import pytest
from ounce_schemas.cells import Cell
from ounce_schemas.errors import Reason
from ounce_schemas.task import TaskSpec, TensorSpec

from tests.support.edge.formats import as_bytes, decode
from tests.support.edge.ladders import FakeRecord

TASK = TaskSpec(
    name="gate",
    kind="classification",
    description="The hour and weekday of a date, and a count that is far from 0",
    inputs=(
        TensorSpec(
            name="input",
            datatype="FP32",
            shape=(3,),
            columns=("at.hour", "at.weekday", "count less 1000"),
            cells=(
                Cell(column="at", read="hour"),
                Cell(column="at", read="weekday"),
                Cell(column="count", read="number", offset=1000.0),
            ),
            allow_missing=True,
        ),
    ),
    labels=("open", "shut"),
)
NAN = float("nan")


def also_of(*columns: str) -> TaskSpec:
    """The task with columns more."""
    (tensor,) = TASK.inputs
    cells = (*(tensor.cells or ()), *(Cell(column=name, read="number") for name in columns))
    names = (*(tensor.columns or ()), *columns)
    more = {"shape": (len(names),), "columns": names, "cells": cells}
    return TASK.model_copy(update={"inputs": (tensor.model_copy(update=more),)})


@pytest.mark.parametrize(
    ("row", "values"),
    [
        ({"at": "2026-01-05T17:30:00", "count": 1004}, [17, 0, 4]),
        ({"at.hour": 17, "at.weekday": 0, "count less 1000": 4}, [17, 0, 4]),
        ({"At.Hour": "17", "count": 1004}, [17, NAN, 4]),
        ({"at": "2026-01-05T17:30:00", "at.hour": 3, "count": 1004}, [17, 0, 4]),
        ({"at.hour": None, "at.weekday": 2}, [NAN, 2, NAN]),
    ],
)
def test_a_row_may_hold_what_was_computed(row: dict[str, Any], values: list[float]) -> None:
    batch, rejected = decode(FakeRecord(as_bytes(row)), task=TASK)
    assert rejected == []
    np.testing.assert_array_equal(batch.inputs["input"], [values])


@pytest.mark.parametrize(
    "body",
    [
        {"press 7": {"at.hour": 17, "at.weekday": 0, "count": 1004}},
        {"payload": {"at": "2026-01-05T17:30:00", "at.hour": 3, "count": 1004}},
        {
            "e": [
                {"bn": "at.", "n": "hour", "v": 17},
                {"n": "weekday", "v": 0},
                {"bn": "", "n": "count", "v": 1004},
            ]
        },
        {"columns": ["at.hour", "at.weekday", "count"], "data": [[17, 0, 1004]]},
        "gate,room=1 at.hour=17,at.weekday=0,count=1004 1767634200000000000",
        "at.hour,at.weekday,count\n17,0,1004",
    ],
    ids=["within", "with its column", "SenML", "a frame", "InfluxDB", "CSV"],
)
def test_other_formats_may_hold_it(body: dict[str, Any] | str) -> None:
    value = body.encode() if isinstance(body, str) else as_bytes(body)
    batch, rejected = decode(FakeRecord(value), task=TASK)
    assert rejected == []
    np.testing.assert_array_equal(batch.inputs["input"], [[17, 0, 4]])


def test_an_object_within_that_lacks_an_input_is_no_row() -> None:
    body = {"limits": {"at.hour": 17, "count": 1004}, "note": "x"}
    _, rejected = decode(FakeRecord(as_bytes(body)), task=TASK)
    assert [error.reason for _, error in rejected] == [Reason.MISSING_INPUT]


def test_what_was_computed_is_sent_once() -> None:
    _, rejected = decode(FakeRecord(as_bytes({"at.hour": 17, "AT_HOUR": 18})), task=TASK)
    [(_, error)] = rejected
    assert "'at.hour' and 'AT_HOUR' are the same column; send one of them" in error.text


@pytest.mark.parametrize(
    ("column", "row", "values"),
    [
        ("at.hour", {"at.hour": 5, "at": "2026-01-05T17:30:00"}, [17, 0, NAN, 5]),
        ("at.hour", {"at.hour": 5}, [NAN, NAN, NAN, 5]),
        ("at_hour", {"at.hour": 17, "at_hour": 5}, [17, NAN, NAN, 5]),
        ("at_hour", {"AtHour": 5}, [NAN, NAN, NAN, 5]),
    ],
)
def test_a_column_of_that_name_is_the_column(
    column: str, row: dict[str, Any], values: list[float]
) -> None:
    batch, rejected = decode(FakeRecord(as_bytes(row)), task=also_of(column))
    assert rejected == []
    np.testing.assert_array_equal(batch.inputs["input"], [values])


def test_what_is_no_number_is_told_by_its_name() -> None:
    _, rejected = decode(FakeRecord(as_bytes({"at.hour": "late", "count": 1004})), task=TASK)
    [(_, error)] = rejected
    assert error.reason is Reason.WRONG_DATATYPE
    assert "input 'at.hour' holds 'late', which can't be read as a number" in error.text
