"""What is made of the columns of a table."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from ounce_exporters.tasks.table.columns import Columns, choose_columns, find_offset
from ounce_exporters.tasks.table.rows import read_values
from ounce_schemas.errors import DataError

from tests.exporters.tasks.table.tables import frame

N = 120
RNG = np.random.default_rng(0)
NOISE = RNG.normal(size=N).round(3)


def choose(kinds: dict[str, str] | None = None, **columns: object) -> Columns:
    """The inputs made of some columns beside a number `v` and the target `y`."""
    return choose_columns(frame(v=NOISE, y=np.arange(N) % 2, **columns), "y", kinds)


def values(columns: Columns, name: str) -> list[Any]:
    return next(c.values.tolist() for c in columns.inputs if c.name == name)


def test_each_column_is_sent_as_number_or_text_or_left_out_with_a_reason() -> None:
    columns = choose(
        row=np.arange(1, N + 1),
        site="north",
        serial=[f"S-{i}" for i in range(N)],
        remark=[f"remark {i % 110}" for i in range(N)],
        empty=np.nan,
        count=np.arange(N) % 7,
        on=np.arange(N) % 2 == 0,
        colour=[("red", "green", None)[i % 3] for i in range(N)],
    )
    assert columns.numeric == ("v", "count")
    assert columns.categorical == ("on", "colour")
    reasons = dict(n.split(" is left out: ") for n in columns.notices if "left out" in n)
    assert reasons == {
        "column 'row'": "it numbers the rows; keep it with --columns 'row=number'",
        "column 'site'": "it is north in every row",
        "column 'serial'": "every row has another text, as an identifier has",
        "column 'remark'": "it has 110 different texts in 120 rows",
        "column 'empty'": "it is empty",
    }


def test_no_usable_column_is_an_error_that_says_why() -> None:
    table = frame(site=["north"] * N, y=np.arange(N) % 2)
    with pytest.raises(DataError, match=r"no column is left .* 'site' is left out: it is north"):
        choose_columns(table, "y")


def test_texts_stand_as_in_the_file() -> None:
    cells = ["TRUE", "FALSE", "", "NA", "None"] * (N // 5)
    assert values(choose(door=cells), "door") == cells


def test_x_or_blank_is_a_yes_no_input() -> None:
    columns = choose(alarm=["x", "", ""] * (N // 3))
    assert columns.categorical == ("alarm",)
    assert "column 'alarm' is 'x' or empty: a yes/no input" in columns.notices


def test_a_number_with_odd_texts_has_gaps_and_says_so() -> None:
    columns = choose(pressure=["?", *map(str, range(N - 3)), "off", "off"])
    assert columns.numeric == ("v", "pressure")
    assert np.isnan(values(columns, "pressure")).nonzero()[0].tolist() == [0, N - 2, N - 1]
    assert "'?' counts as a gap in the numbers 'pressure'" in columns.notices
    assert "column 'pressure' is a number, and 'off' (2 rows) count as gaps" in columns.notices


def test_columns_that_are_written_alike_are_said_in_one_line() -> None:
    columns = choose(a=["1,5", "NA", "2"] * (N // 3), b=["0,25", "3", "NA"] * (N // 3))
    assert columns.notices == (
        "'NA' counts as a gap in the numbers 'a', 'b'",
        "a comma is the decimal mark of the numbers 'a', 'b'",
    )


def test_points_between_thousands_are_said() -> None:
    columns = choose(a=["1,5", "2,25", "3"] * (N // 3), b=["1.234", "7", "12.500"] * (N // 3))
    assert values(columns, "b")[:3] == [1234, 7, 12500]
    assert "a point stands between thousands of the numbers 'b'" in columns.notices


def test_versions_are_categories() -> None:
    assert choose(firmware=["1.4.2", "2.0.1"] * (N // 2)).categorical == ("firmware",)


def test_a_date_becomes_the_parts_that_differ_and_the_rule_is_said() -> None:
    at = pd.date_range("2026-01-01", periods=N, freq="5h").astype(str)
    columns = choose(at=at)
    assert columns.numeric == ("v", "at.hour", "at.weekday")
    assert values(columns, "at.hour")[:3] == [0, 5, 10]
    assert values(columns, "at.weekday")[0] == 3
    assert any("at.hour (0 to 23), at.weekday (0 is Monday" in n for n in columns.notices)


def test_a_column_named_as_the_part_of_a_date_beside_it_is_refused() -> None:
    at = pd.date_range("2026-01-01", periods=N, freq="5h").astype(str)
    for kinds in ({}, {"at.hour": "category"}):
        with pytest.raises(DataError, match=r"'at' and 'at.hour' both become the input 'at.hour'"):
            choose(kinds, at=at, **{"at.hour": np.arange(N) % 5})
    assert choose({"at": "ignore"}, at=at, **{"at.hour": np.arange(N) % 5}).numeric == (
        "v",
        "at.hour",
    )


def test_many_texts_are_kept_and_said() -> None:
    columns = choose(site=[f"s{i % 40}" for i in range(N)])
    assert columns.categorical == ("site",)
    table = frame(v=np.arange(600) / 7, site=[f"s{i % 200}" for i in range(600)], y="a")
    many = choose_columns(table, "y")
    assert many.categorical == ("site",)
    assert any("'site' has 200 different texts" in n for n in many.notices)


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (np.arange(N), "it numbers the rows"),
        (RNG.permutation(N), "it numbers the rows"),
        (np.sort(RNG.choice(150, N, replace=False)), "it numbers the rows, some of which"),
        (RNG.choice(10**6, N, replace=False), "every row has another number"),
        (RNG.integers(2**60, 2**61, N), "every row has another number"),
    ],
)
def test_row_numbers_and_identifiers_are_left_out(rows: Any, why: str) -> None:
    columns = choose(device_id=rows)
    assert columns.numeric == ("v",)
    assert columns.notices[0].startswith(f"column 'device_id' is left out: {why}")
    assert choose({"device_id": "number"}, device_id=rows).numeric[1].startswith("device_id")


@pytest.mark.parametrize("name", ["uid", "user_uid", "uuid", "PassengerId"])
def test_identifiers_are_known_by_their_names(name: str) -> None:
    columns = choose(**{name: RNG.integers(2**60, 2**61, N)})
    assert columns.numeric == ("v",)
    assert "every row has another number, as an identifier has" in columns.notices[0]


def test_measurements_are_no_row_numbers() -> None:
    assert choose(price=RNG.choice(10**6, N, replace=False)).numeric == ("v", "price")


def test_codes_can_be_said_to_be_categories() -> None:
    codes = np.arange(N) % 60 * 7
    plain = choose(part_code=codes)
    assert plain.numeric == ("v", "part_code")
    assert any("say --columns 'part_code=category'" in n for n in plain.notices)
    said = choose({"part_code": "category"}, part_code=codes)
    assert said.categorical == ("part_code",)
    assert values(said, "part_code")[:2] == ["0", "7"]
    assert choose({"part_code": "ignore"}, part_code=codes).numeric == ("v",)


def test_a_column_that_is_said_to_be_a_number_must_hold_one() -> None:
    sizes = ["1", "2", "3", "3+"] * (N // 4)
    assert choose(size=sizes).categorical == ("size",)
    assert choose({"size": "number"}, size=sizes).numeric == ("v", "size")
    with pytest.raises(DataError, match="--columns size=number: it holds no number"):
        choose({"size": "number"}, size=["S", "M"] * (N // 2))


def test_values_beyond_float32_are_gaps_and_said() -> None:
    columns = choose(x=["1e39", "-inf", "1.5"] * (N // 3))
    assert np.isnan(values(columns, "x")).sum() == 80
    assert any("holds 80 values that are infinite or too large" in n for n in columns.notices)


def test_what_float32_would_blur_has_an_offset_taken_off_before() -> None:
    counts = 33_554_433.0 + np.arange(N) % 8
    columns = choose(counts=counts)
    offset = next(c.cell.offset for c in columns.inputs if c.cell.column == "counts")
    assert offset is not None
    name = f"counts less {offset:.0f}"
    assert (np.array(values(columns, name)) + offset).tolist() == counts.tolist()
    assert any(f"becomes the input {name!r}" in n for n in columns.notices)
    assert find_offset(np.array([1e6, 2e6, 3e6])) is None
    assert find_offset(np.array([0.1, 0.2, 0.3])) is None


@pytest.mark.parametrize(
    "cells",
    [
        ["21,5", "3", "", "NA"],
        ["1,234.50", "3", "?", "17"],
        ["1.234,50", "3", "0,5", ""],
        ["21.5 C", "22 C", "-3 C", ""],
        ["33554433", "33554434", "33554439", ""],
        ["1e39", "-inf", "2", "3"],
        ["TRUE", "FALSE", "", "NA"],
        ["1.4.2", "2.0.1", "None", ""],
        ["2026-01-02 03:04:05", "2026-11-30 23:00:00", "", ""],
        ["31/12/2026 8:15", "01/02/2026 9:00", "", ""],
        ["1:30:00", "90:00", "", "2 days 03:00:00"],
        ["00:45", "23:10", "NA", "9:05"],
        ["(1,234.5)", "\u22123", "4.5", ""],
    ],
)
def test_a_worker_reads_a_cell_as_training_did(cells: list[str]) -> None:
    table = frame(x=cells * (N // 4), y="a")
    for column in choose_columns(table, "y").inputs:
        values, unread = read_values(column.cell, table["x"])
        assert unread == 0
        np.testing.assert_array_equal(values, column.values)


def test_numbers_with_both_decimal_marks_are_left_out_by_name() -> None:
    marks = [f"{i},5" if i % 2 else f"{i}.5" for i in range(300)]
    found = choose_columns(frame(a=marks, b=np.arange(300) % 7, y="a"), "y")
    assert found.numeric == ("b",)
    assert "others a decimal comma: write them alike" in found.notices[0]


@pytest.mark.parametrize("as_numbers", [True, False])
def test_days_of_eight_digits_are_dates(as_numbers: bool) -> None:
    days = [20260101 + 100 * (i % 12) + i % 28 for i in range(N)]
    found = choose(day=[float(d) for d in days] if as_numbers else [str(d) for d in days])
    assert found.numeric == ("v", "day.weekday", "day.month")
    assert values(found, "day.month")[:3] == [1, 2, 3]
    [cell] = {column.cell for column in found.inputs if column.name == "day.month"}
    assert read_values(cell, pd.Series([20261130.0]))[0] == [11]
    assert choose({"day": "number"}, day=days).numeric == ("v", "day less 20260664")


def test_other_numbers_of_eight_digits_stay_numbers() -> None:
    assert choose(load=[20260101.0 + 7 * i for i in range(N)]).numeric == (
        "v",
        "load less 20260518",
    )


@pytest.mark.parametrize("name", ["ID", "PassengerId", "customer_id", "orderid", "PID"])
def test_numbers_of_things_that_seldom_stand_twice_are_no_input(name: str) -> None:
    numbers = 1_000_000 + RNG.permutation(50_000)[:N]
    twice = numbers.copy()
    twice[-4:] = twice[:4]
    for cells in (numbers, twice):
        found = choose(**{name: cells.astype(float)})
        assert found.numeric == ("v",)
        assert f"column '{name}' is left out: " in found.notices[0]
    assert choose(paid=twice.astype(float)).numeric == ("v", "paid")


def test_numbers_that_count_within_groups_are_no_input() -> None:
    found = choose(**{"Sample Number": [i % 40 + 1.0 for i in range(N)]})
    assert found.numeric == ("v",)
    assert "it numbers the rows of each of several groups" in found.notices[0]
    assert choose(hour=[i % 24 * 1.0 for i in range(N)]).numeric == ("v", "hour")
    assert choose(number=[i * 7 % 40 + 1.0 for i in range(N)]).numeric == ("v", "number")


@pytest.mark.parametrize("name", ["month_number", "Hour No", "cycle number", "lap_nr"])
def test_a_count_of_time_is_an_input(name: str) -> None:
    assert choose(**{name: [i % 40 + 1.0 for i in range(N)]}).numeric == ("v", name)


@pytest.mark.parametrize("name", ["number_of_trees", "No. of inhabitants", "BID", "MID"])
def test_amounts_are_no_identifiers(name: str) -> None:
    assert choose(**{name: RNG.choice(10**5, N, replace=False)}).numeric == ("v", name)


def test_codes_are_no_numbers_and_what_is_said_of_them_is_whole() -> None:
    stations = [*map(str, range(1000, 1040)), "c168", "c204"]
    found = choose(station=[stations[i % 42] for i in range(N)])
    assert found.categorical == ("station",)
    padded = choose(provider=[f"{i % 40:06d}" for i in range(N)])
    assert padded.categorical == ("provider",)
    assert not any("are gaps" in line for line in padded.notices)


@pytest.mark.parametrize("name", ["zip", "zipcode", "Postcode", "PostalCode", "postal_code", "PLZ"])
def test_postcodes_without_a_zero_in_front_are_told(name: str) -> None:
    found = choose(**{name: [float(10_115 + 37 * (i % 40)) for i in range(N)]})
    assert found.numeric == ("v", name)
    assert found.notices == (
        f"column {name!r} is read as a number; if it is a code, say --columns '{name}=category'",
    )


def test_numbers_that_double_precision_can_not_tell_apart_are_not_called_the_same() -> None:
    table = frame(v=np.arange(40) % 7, ticks=2.0**63 + np.arange(40), y=["a", "b"] * 20)
    found = choose_columns(table, "y")
    assert found.numeric == ("v",)
    assert "column 'ticks' is left out: its numbers, near 9.223e+18, are too large to tell" in (
        " ".join(found.notices)
    )
