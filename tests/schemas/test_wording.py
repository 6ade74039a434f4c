"""Numbers with what they count, and values in messages."""

import pytest
from ounce_schemas.wording import counted, figure, shown, table


@pytest.mark.parametrize(
    ("n", "text"),
    [
        (0, "0 rows"),
        (1, "1 row"),
        (2, "2 rows"),
        (1200, "1,200 rows"),
        (0.8, "1 row"),
        (-1, "-1 rows"),
    ],
)
def test_a_number_stands_with_what_it_counts(n: float, text: str) -> None:
    assert counted(n, "row") == text


def test_the_verb_goes_with_the_number() -> None:
    found = [counted(n, "entry is", "entries are") for n in (1, 2)]
    assert found == ["1 entry is", "2 entries are"]


@pytest.mark.parametrize(
    ("value", "text"),
    [("warm", "'warm'"), (b"3", "b'3'"), ([1, 2], "[1, 2]"), ("x" * 99, "'" + "x" * 39)],
)
def test_the_beginning_of_a_value_is_shown(value: object, text: str) -> None:
    assert shown(value) == text


def test_a_large_figure_has_no_exponent() -> None:
    values = (0.0123456, 1.5, 99.94, 99.96, 12345.6, -1234.5, 0.0)
    told = ["0.0123", "1.5", "99.9", "100", "12,346", "-1,234", "0"]
    assert [figure(value) for value in values] == told


def test_lists_that_python_can_not_write_are_named() -> None:
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]
    assert shown(nested) == "a list of lists, nested too deeply"


def test_a_number_that_python_can_not_write_is_named() -> None:
    assert shown(10**5000) == "a number of thousands of digits"


def test_columns_are_aligned_but_the_last() -> None:
    rows = [("name", "ms", "note"), ("mlp", "1", ""), ("tree", "10.5", "a note")]
    assert table(rows, right=[1]).splitlines() == [
        "name    ms  note",
        "mlp      1",
        "tree  10.5  a note",
    ]
    assert table(rows).splitlines()[1:] == ["mlp   1", "tree  10.5  a note"]
