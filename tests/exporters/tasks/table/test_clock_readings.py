"""Durations and times of day are read whole, in training as in service."""

import numpy as np
import pandas as pd
import pytest
from ounce_exporters.tasks.table.columns import Columns, choose_columns
from ounce_exporters.tasks.table.rows import read_values
from ounce_schemas.errors import DataError

N = 48


def read(texts: list[str]) -> Columns:
    return choose_columns(pd.DataFrame({"took": texts * max(N // len(texts), 1), "y": "a"}), "y")


def seconds(found: Columns) -> list[float]:
    [column] = [column for column in found.inputs if column.name == "took.seconds"]
    return [float(value) for value in column.values]


@pytest.mark.parametrize(
    ("texts", "expected_s"),
    [
        (["1:30:00", "2:45:10", "26:00:00"], [5400, 9910, 93_600]),
        (["90:00", "5:30", "120:15"], [5400, 330, 7215]),  # minutes and seconds
        (["59:30", "1:02:10"], [3570, 3730]),
        (["0:45.5", "0:46.25"], [45.5, 46.25]),
        (["2 days 03:00:00", "0 days 00:00:01"], [183_600, 1]),
        (["-0:00:10", "+0:00:10"], [-10, 10]),
        (["8:15", "23:59", ""], [29_700, 86_340, np.nan]),  # hours and minutes
        (["08:15:30", "23:59:59", "NA"], [29_730, 86_399, np.nan]),
        (["8:15 PM", "12:05 am"], [72_900, 300]),
    ],
)
def test_no_part_of_a_duration_or_time_is_lost(texts: list[str], expected_s: list[float]) -> None:
    found = read(texts)
    np.testing.assert_array_equal(seconds(found)[: len(texts)], np.float32(expected_s))
    for column in found.inputs:
        values, unread = read_values(column.cell, pd.Series(texts * (N // len(texts)), name="took"))
        assert unread == 0
        np.testing.assert_array_equal(values, column.values)


def test_times_of_day_have_their_hour_beside() -> None:
    assert read(["8:15", "23:59"]).numeric == ("took.seconds", "took.hour")
    assert read(["90:00", "5:30"]).numeric == ("took.seconds",)


def test_how_it_is_read_is_said() -> None:
    assert read(["8:15", "23:59"]).notices == (
        "column 'took' is hours and minutes: its input is took.seconds, and took.hour (0 to 23); "
        "if it is a score or a ratio, say --columns 'took=category'",
    )
    [notice] = read(["90:00", "5:30"]).notices
    assert notice.startswith("column 'took' is a duration or a time of day: its input is took.sec")


@pytest.mark.parametrize("texts", [["a:b", "c"], ["10.0.0.1:80", "x"], ["1:10", "1:100"]])
def test_what_only_looks_like_a_clock_is_a_text(texts: list[str]) -> None:
    assert read(texts).categorical == ("took",)


def test_pairs_without_small_second_numbers_are_scores() -> None:
    sets = [f"25:{i}" for i in range(10, 24)] + [f"{i}:25" for i in range(10, 24)]
    found = read([*sets, "26:24", "24:26", "27:25", ""] * 4)
    assert found.categorical == ("took",)
    assert found.notices[0].startswith("column 'took' is read as texts, such as scores")
    assert "--columns 'took=date:%H:%M'" in found.notices[0]


def test_times_with_minutes_below_ten_stay_times() -> None:
    times = [f"{hour}:{minute:02d}" for hour in range(8, 18) for minute in (5, 20, 35, 50)]
    assert "took.seconds" in read(times).numeric
    assert read(["20:00", "25:10", "9:05"] * 16).numeric == ("took.seconds",)


def test_minutes_over_an_hour_are_told() -> None:
    with pytest.raises(DataError, match="'took' is left out: its dates are in no format"):
        read(["1:75:00", "2:10:00"])
