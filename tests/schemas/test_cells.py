"""Cells: what stands in a file and what is sent are read alike."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ounce_schemas.cells import Cell, as_text, match_text, parse_number, read_cell, spellings

NAN = float("nan")


@pytest.mark.parametrize(
    ("text", "decimal", "unit", "number"),
    [
        ("21.5", ".", None, 21.5),
        (" +1e3 ", ".", None, 1000),
        (".5", ".", None, 0.5),
        ("5.", ".", None, 5),
        ("1,234.5", ".", None, 1234.5),
        ("1,234,567", ".", None, 1234567),
        ("1'234.5", ".", None, 1234.5),
        ("1\u202f234,5", ",", None, 1234.5),
        ("1.234,5", ",", None, 1234.5),
        ("1.234", ",", None, 1234),
        ("21,5", ",", None, 21.5),
        ("21.5 C", ".", "C", 21.5),
        ("21.5C", ".", "C", 21.5),
        ("$1,234", ".", "$", 1234),
        ("21.5", ".", "C", 21.5),
        ("\u22125.5", ".", None, -5.5),
        ("(1,234.5)", ".", None, -1234.5),
        ("-inf", ".", None, -math.inf),
    ],
)
def test_numbers_as_people_write_them(
    text: str, decimal: str, unit: str | None, number: float
) -> None:
    assert parse_number(text, decimal, unit) == number


@pytest.mark.parametrize("text", ["", " ", "NA", "n/a", "?", "null", "None", "NaN", "-"])
def test_marks_of_a_gap_are_no_number_but_a_gap(text: str) -> None:
    assert math.isnan(parse_number(text) or 0.0)


@pytest.mark.parametrize(
    ("text", "decimal"),
    [("1_000", "."), ("0x10", "."), ("1.4.2", "."), ("21,5", "."), ("2.5", ","), ("1,23,4", ".")],
)
def test_what_only_looks_like_a_number_is_none(text: str, decimal: str) -> None:
    assert parse_number(text, decimal) is None


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_survives_its_text(number: float) -> None:
    assert parse_number(repr(number)) == number


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("TRUE", "TRUE"),
        ("true", "TRUE"),
        (" True ", "TRUE"),
        ("NA", "NA"),
        ("None", "None"),
        ("", ""),
        ("yes", "yes"),
        ("YES", "YES"),
        ("Yes", "Yes"),
        ("never seen", "never seen"),
    ],
)
def test_a_text_is_the_known_one_that_is_meant(text: str, meant: str) -> None:
    known = spellings(("FALSE", "NA", "None", "TRUE", "YES", "yes"))
    assert match_text(text, known) == meant


@pytest.mark.parametrize(("value", "meant"), [(1, "True"), (0, "False"), ("1", "True"), (2, "2")])
def test_numbers_mean_true_and_false_where_a_column_knows_these_alone(
    value: object, meant: str
) -> None:
    cell = Cell(column="open", read="text", texts=("False", "True"))
    assert read_cell(cell, value) == meant
    more = cell.model_copy(update={"texts": ("False", "True", "maybe")})
    assert read_cell(more, value) == as_text(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (True, "true"), (7, "7"), (7.0, "7"), (0.5, "0.5"), (NAN, ""), (" a b ", "a b")],
)
def test_json_values_are_what_a_file_would_hold(value: object, text: str) -> None:
    assert as_text(value) == text


@pytest.mark.parametrize(
    ("cell", "value", "read"),
    [
        (Cell(column="x", read="number", decimal=","), "21,5", 21.5),
        (Cell(column="x", read="number", offset=33_554_432), 33_554_437, 5.0),
        (Cell(column="x", read="number"), "often", None),
        (Cell(column="x", read="text", texts=("FALSE", "TRUE")), True, "TRUE"),
        (Cell(column="x", read="number"), True, 1.0),
        (Cell(column="x", read="number", decimal=","), False, 0.0),
        (Cell(column="x", read="hour"), "2026-01-02 17:40:00", 17.0),
        (Cell(column="x", read="weekday"), "2026-01-02T17:40:00+05:00", 4.0),
        (Cell(column="x", read="month", date_format="%d/%m/%Y"), "31/12/2026", 12.0),
        (Cell(column="x", read="hour"), "17:40", 17.0),
        (Cell(column="x", read="hour"), "soon", None),
        (Cell(column="x", read="seconds"), "1:30:00", 5400.0),
        (Cell(column="x", read="seconds"), "90:00", 5400.0),
        (Cell(column="x", read="seconds", date_format="%H:%M"), "17:40", 63_600.0),
        (Cell(column="x", read="seconds"), 5400, 5400.0),
        (Cell(column="x", read="seconds"), "1:75:00", None),
        (Cell(column="x", read="seconds"), "soon", None),
    ],
)
def test_a_cell_is_read_by_its_rule(cell: Cell, value: object, read: object) -> None:
    assert read_cell(cell, value) == read
