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


def test_what_is_no_number_is_told_by_its_name() -> None:
    _, rejected = decode(FakeRecord(as_bytes({"at.hour": "late", "count": 1004})), task=TASK)
    [(_, error)] = rejected
    assert error.reason is Reason.WRONG_DATATYPE
    assert "input 'at.hour' holds 'late', which can't be read as a number" in error.text
