"""What is made of the columns of a table."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ounce_exporters.tasks.table.columns import (
    choose_columns,
    numbers,
    precision_notices,
    read_target,
    texts,
)
from ounce_exporters.tasks.table.task import default_tolerance, task_name
from ounce_schemas.errors import DataError

N = 120
MIXED = pd.DataFrame(
    {
        "row": np.arange(1, N + 1),
        "when": pd.date_range("2026-01-01", periods=N, freq="min").astype(str),
        "stamp": pd.date_range("2026-01-01", periods=N, freq="min"),
        "site": "north",
        "serial": [f"S-{i}" for i in range(N)],
        "remark": [f"remark {i % 110}" for i in range(N)],
        "empty": np.nan,
        "speed": np.linspace(0, 1, N) ** 2,
        "count": np.arange(N) % 7,
        "on": np.arange(N) % 2 == 0,
        "colour": [("red", "green", None)[i % 3] for i in range(N)],
        "target": np.arange(N) % 2,
    }
)


def test_each_column_is_sent_as_number_or_text_or_left_out_with_a_reason() -> None:
    columns = choose_columns(MIXED, "target")
    assert columns.numeric == ("speed", "count", "on")
    assert columns.categorical == ("colour",)
    reasons = dict(notice.split(" is left out: ") for notice in columns.notices)
    assert set(reasons) == {
        f"column {name!r}" for name in ("row", "when", "stamp", "site", "serial", "remark", "empty")
    }
    assert reasons["column 'row'"] == "it numbers the rows"
    assert reasons["column 'when'"].startswith("dates can't be sent")
    assert reasons["column 'stamp'"].startswith("dates can't be sent")
    assert reasons["column 'site'"] == "it is north in every row that has it"
    assert reasons["column 'serial'"] == "every row has another text, as an identifier has"
    assert reasons["column 'remark'"] == "it has 110 different texts, more than 100"
    assert reasons["column 'empty'"] == "it is empty"


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (
            33_554_432 + np.arange(N) % 8,
            "held in steps of 4, as models read float32, and spreads by only 2.29: "
            "subtract 33,554,436 from it",
        ),
        (5e7 + np.linspace(-20, 20, N), "subtract 50,000,000 from it"),
    ],
)
def test_a_column_that_float32_holds_badly_is_told_of(values: np.ndarray, text: str) -> None:
    table = pd.DataFrame({"counts": values, "target": np.arange(N) % 2})
    (notice,) = choose_columns(table, "target").notices
    assert notice.startswith("column 'counts' is held in steps")
    assert text in notice


@pytest.mark.parametrize("values", [[1e39, 2.0, 3.0], [np.inf, np.nan, 1.0], [5e7, 1.0, 2e7]])
def test_columns_that_float32_holds_well_are_not(values: list[float]) -> None:
    assert precision_notices("column 'x'", pd.Series(values)) == []


def test_no_usable_column_is_an_error_that_says_why() -> None:
    with pytest.raises(DataError, match=r"no column is left .* 'site' is left out: it is north"):
        choose_columns(MIXED[["site", "target"]], "target")


def test_missing_and_infinite_numbers_are_nan_and_missing_text_is_empty() -> None:
    table = pd.DataFrame({"a": [1.5, np.inf, None], "b": pd.array([1, None, 3], dtype="Int64")})
    np.testing.assert_array_equal(
        numbers(table, ("a", "b")), np.array([[1.5, 1], [np.nan, np.nan], [np.nan, 3]], np.float32)
    )
    words = texts(pd.DataFrame({"a": ["x", None, "z"], "b": [True, None, False]}), ("a", "b"))
    assert words.tolist() == [["x", "True"], ["", ""], ["z", "False"]]
    assert words.dtype == object


@pytest.mark.parametrize(
    ("values", "labels", "indices"),
    [
        (["no", "yes", "no"], ("no", "yes"), [0, 1, 0]),
        ([True, False, True], ("False", "True"), [1, 0, 1]),
        ([10, 9, 10], ("9", "10"), [1, 0, 1]),
        ([10, None, 9], ("9", "10"), [1, 0]),
        ([2.0, 1.0, 2.0], ("1", "2"), [1, 0, 1]),
    ],
)
def test_text_truth_values_and_few_integers_are_classes(
    values: list[object], labels: tuple[str, ...], indices: list[int]
) -> None:
    target = read_target(pd.DataFrame({"y": values}), "y")
    assert target.labels == labels
    assert target.values.tolist() == indices
    assert target.rows.tolist() == [value is not None for value in values]


@pytest.mark.parametrize("values", [[0.5, 1.25, 2.0], list(range(21))])
def test_fractions_and_many_integers_are_quantities(values: list[float]) -> None:
    target = read_target(pd.DataFrame({"y": values}), "y")
    assert target.labels == ()
    assert target.values.dtype == np.float32
    assert target.values.tolist() == values


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([7, 7, 7], "target 'y' is 7 in every row"),
        ([None, None, None], "target 'y' is empty in all 3 rows"),
        ([0.5, np.inf, 1.0], "infinite or too large"),
        (["2026-01-01", "2026-01-02", "2026-01-03"], "target 'y' holds dates"),
    ],
)
def test_a_target_that_can_not_be_learned_is_named(values: list[object], text: str) -> None:
    with pytest.raises(DataError, match=text):
        read_target(pd.DataFrame({"y": values}), "y")


def test_default_tolerance_is_a_tenth_of_the_interquartile_range() -> None:
    assert default_tolerance(np.arange(101, dtype=np.float32)) == 5
    mostly_zero = np.array([0.0] * 90 + [10.0] * 10, np.float32)
    assert default_tolerance(mostly_zero) == pytest.approx(0.3)  # a tenth of the deviation


def test_a_file_name_becomes_a_task_name() -> None:
    assert task_name(Path("data/Room data_2.csv")) == "room-data-2"
