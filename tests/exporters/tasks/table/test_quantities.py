"""Columns of numbers, however they are written."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ounce_exporters.tasks.table.quantities import find_decimal, read_quantity
from ounce_schemas.cells import parse_number
from ounce_schemas.errors import DataError


def column(*texts: str, repeat: int = 1) -> pd.Series:
    return pd.Series(list(texts) * repeat, dtype=str, name="x")


@pytest.mark.parametrize(
    ("texts", "values", "decimal", "unit"),
    [
        (["21.5", "3"], [21.5, 3], ".", None),
        (["21,5", "3"], [21.5, 3], ",", None),
        (["1,234.50", "3"], [1234.5, 3], ".", None),
        (["1.234,50", "3"], [1234.5, 3], ",", None),
        (["1,234", "2,345,678"], [1234, 2345678], ".", None),
        (["1,234", "12", "999"], [1234, 12, 999], ".", None),
        (["0,123", "1,234"], [0.123, 1.234], ",", None),
        (["1'234.5", "2"], [1234.5, 2], ".", None),
        (["21.5 C", "22 C"], [21.5, 22], ".", "C"),
        (["21,5 °C", "22 °C"], [21.5, 22], ",", "°C"),
        (["$1,234.5", "$7"], [1234.5, 7], ".", "$"),
        (["€ 1.234,50", "€ 7,00"], [1234.5, 7], ",", "€"),
        (["\u22121.5", "2"], [-1.5, 2], ".", None),
        (["(1,234.50)", "12.5"], [-1234.5, 12.5], ".", None),
        (["01", "12"], [1, 12], ".", None),
        (["5%", "7.5%", "9"], [5, 7.5, 9], ".", "%"),
    ],
)
def test_numbers_are_read_as_meant(
    texts: list[str], values: list[float], decimal: str, unit: str | None
) -> None:
    found = read_quantity(column(*texts), None)
    assert found is not None
    assert found.values.tolist() == values
    assert (found.decimal, found.unit, found.odd) == (decimal, unit, {})


@pytest.mark.parametrize(
    "texts",
    [
        ["1.4.2", "2.0.1"],
        ["a", "b"],
        ["5 C", "7 F"],
        ["0", "1", "2", "3+"],
        ["12", "14", "17", "3B"],
        ["1_000", "2_000"],
        ["01234", "90210"],
        ["030 123 456", "140 555 777"],
        ["1,5", "2.5"],
        ["", ""],
    ],
)
def test_what_is_no_number_stays_text(texts: list[str]) -> None:
    assert read_quantity(column(*texts, repeat=5), None) is None


def test_a_few_odd_texts_are_gaps_of_a_number() -> None:
    texts = [str(i) for i in range(100)] + ["often", "rarely", "?", "NA", ""]
    found = read_quantity(column(*texts), None)
    assert found is not None
    assert np.isnan(found.values[100:]).all()
    assert found.values[:100].tolist() == list(range(100))
    assert found.odd == {"often": 1, "rarely": 1}
    assert found.marks == ("?", "NA")


def test_one_group_behind_a_comma_is_asked_about() -> None:
    doubtful = column("1,234", "5,678", "9,012")
    with pytest.raises(DataError, match=r"'x' holds '1,234': .*--decimal , .*--decimal \."):
        read_quantity(doubtful, None)
    for decimal, first in ((".", 1234), (",", 1.234)):
        found = read_quantity(doubtful, decimal)
        assert found is not None
        assert found.values[0] == first


def test_the_other_columns_settle_a_doubt() -> None:
    doubtful = column("1,234", "5,678")
    assert find_decimal([doubtful, column("21,5", "3,25")]) == ","
    assert find_decimal([doubtful, column("21.5", "3.25")]) == "."
    assert find_decimal([doubtful]) is None
    assert find_decimal([column("21,5"), column("21.5")]) is None


def test_points_divide_thousands_where_commas_are_decimal_marks() -> None:
    found = read_quantity(column("1.234", "12.500", "7"), ",")
    assert found is not None
    assert found.values.tolist() == [1234, 12500, 7]


@settings(deadline=None)
@given(
    st.lists(
        st.one_of(
            st.floats(allow_nan=False).map(repr),
            st.integers().map(str),
            st.sampled_from(["", "NA", "1,234.5", "1,234,567", "+7", "-0.5", "1e39", "inf"]),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_a_column_is_read_as_its_cells_are(texts: list[str]) -> None:
    found = read_quantity(column(*texts), ".")
    cells = [parse_number(text, ".") for text in texts]
    if found is None:
        assert not any(number is not None and np.isfinite(number) for number in cells)
        return
    expected = np.array([np.nan if number is None else number for number in cells])
    np.testing.assert_array_equal(found.values, expected)


def test_numbers_with_empty_cells_are_plain() -> None:
    found = read_quantity(pd.Series(["1.5", "", "2e3", ""], dtype=str, name="v"), None)
    assert found is not None
    np.testing.assert_array_equal(found.values, [1.5, np.nan, 2000, np.nan])
    assert found.is_plain
    assert (found.unit, found.odd, found.marks) == (None, {}, ())


def test_codes_among_measurements_are_odd_ones() -> None:
    measured = [f"{12 + i / 8}" for i in range(80)]
    found = read_quantity(column(*measured, "l25", "o7"), None)
    assert found is not None
    assert found.odd == {"l25": 1, "o7": 1}
