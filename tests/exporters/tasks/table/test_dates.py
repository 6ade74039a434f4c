"""Dates are read in the format that they are in, and give the parts that differ."""

import re

import numpy as np
import pandas as pd
import pytest
from ounce_exporters.tasks.table.columns import choose_columns
from ounce_exporters.tasks.table.dates import (
    epoch_unit,
    in_order,
    is_dates,
    read_dates,
    why_no_dates,
)
from ounce_exporters.tasks.table.repeats import find_order
from ounce_schemas.errors import DataError

from tests.exporters.tasks.table.tables import frame


def column(*texts: str) -> pd.Series:
    return pd.Series(list(texts), dtype=str, name="at")


@pytest.mark.parametrize(
    ("texts", "date_format", "months", "hours"),
    [
        (["2026-03-01 08:15:00", "2026-11-30 17:00:00"], None, [3, 11], [8, 17]),
        (["2026-03-01T08:15:00Z", "2026-11-30T17:00:00+02:00"], None, [3, 11], [8, 17]),
        (["2026-03-01", "2026-11-30"], None, [3, 11], None),
        (["1/3/2026 8:15", "30/11/2026 17:00"], "%d/%m/%Y %H:%M", [3, 11], [8, 17]),
        (["3/1/2026 8:15 AM", "11/30/2026 5:00 PM"], "%m/%d/%Y %I:%M %p", [3, 11], [8, 17]),
        (["01.03.2026", "12.11.2026"], "%d.%m.%Y", [3, 11], None),
        (["01-Mar-2026", "30-Nov-2026"], "%d-%b-%Y", [3, 11], None),
        (["March 1, 2026", "November 30, 2026"], "%B %d, %Y", [3, 11], None),
        (
            ["2026-03-01 08:15:00 UTC", "2026-11-30 17:00:00 UTC"],
            "%Y-%m-%d %H:%M:%S %Z",
            [3, 11],
            [8, 17],
        ),
        (["2026/03/01", "2026/11/30"], "%Y/%m/%d", [3, 11], None),
        (["20260301", "20261130"], None, [3, 11], None),
        (["20260301T081500", "20261130T170000"], None, [3, 11], [8, 17]),
        (["20260301081500", "20261130170000"], "%Y%m%d%H%M%S", [3, 11], [8, 17]),
        (
            ["Sun, 01 Mar 2026 08:15:00 +0000", "Mon, 30 Nov 2026 17:00:00 +0000"],
            "%a, %d %b %Y %H:%M:%S %z",
            [3, 11],
            [8, 17],
        ),
        (["Sunday, March 1, 2026", "Monday, November 30, 2026"], "%A, %B %d, %Y", [3, 11], None),
        (
            ["Sun Mar  1 08:15:00 2026", "Mon Nov 30 17:00:00 2026"],
            "%a %b %d %H:%M:%S %Y",
            [3, 11],
            [8, 17],
        ),
        (
            ["01/Mar/2026:08:15:00 +0000", "30/Nov/2026:17:00:00 +0000"],
            "%d/%b/%Y:%H:%M:%S %z",
            [3, 11],
            [8, 17],
        ),
        (["08:15", "17:00"], None, None, [8, 17]),
        (["8:15", "17:00"], "%H:%M", None, [8, 17]),
    ],
)
def test_formats_are_found_out(
    texts: list[str],
    date_format: str | None,
    months: list[int] | None,
    hours: list[int] | None,
) -> None:
    assert is_dates(column(*texts, ""))
    found = read_dates(column(*texts, ""))
    assert found is not None
    assert found.date_format == date_format
    for part, values in (("month", months), ("hour", hours)):
        if values is None:
            assert part not in found.parts
        else:
            np.testing.assert_array_equal(found.parts[part], [*values, np.nan])  # type: ignore[index]


@pytest.mark.parametrize("text", ["1.4.2", "12.5", "17", "10-20", "v1.2.2026b", "1/2", ""])
def test_versions_and_numbers_are_no_dates(text: str) -> None:
    assert not is_dates(column(text))


STYLES = ("%d/%m/%Y", "%b %d %Y", "%s", "%Y-%m-%dT%H:%M:%S+01:00", "%Y%m%d")


@pytest.mark.parametrize("styles", [STYLES, STYLES[2:4], STYLES[:2]], ids=["five", "two", "days"])
@pytest.mark.parametrize("rows", [60, 400])
def test_dates_of_several_formats_are_called_so(styles: tuple[str, ...], rows: int) -> None:
    days = pd.date_range("2026-01-01 08:15", periods=rows, freq="1D")
    at = [day.strftime(styles[i % len(styles)]) for i, day in enumerate(days)]
    columns = choose_columns(frame(at=at, v=np.arange(rows) / 7, y=np.arange(rows) % 2), "y")
    (told,) = [line for line in columns.notices if "'at'" in line]
    assert re.search(r"its dates are in several formats, such as '.+' and '.+': write all", told)


@pytest.mark.parametrize("text", ["²", "9" * 5000], ids=["a power", "5000 digits"])
def test_digits_that_are_no_number_are_no_dates(text: str) -> None:
    assert why_no_dates(column("2026-03-01", text)) is None


def test_times_as_one_number_are_dates() -> None:
    days = pd.date_range("2026-01-01 08:15", periods=60, freq="7h")
    at = days.strftime("%Y%m%d%H%M%S").astype(np.int64)
    columns = choose_columns(frame(at=at, v=np.arange(60) / 7, y=np.arange(60) % 2), "y")
    assert [input_.name for input_ in columns.inputs][:1] == ["at.hour"]


def test_day_and_month_that_could_be_exchanged_are_asked_about() -> None:
    doubtful = column("01/02/2026", "11/12/2026")
    with pytest.raises(DataError, match=r"--columns 'at=date:%d/%m/%Y' or 'at=date:%m/%d/%Y'"):
        read_dates(doubtful)
    found = read_dates(doubtful, "%m/%d/%Y")
    assert found is not None
    assert found.parts["month"].tolist() == [1, 11]
    with pytest.raises(DataError, match=r"holds '01/02/2026', no date of '%Y-%m-%d'"):
        read_dates(doubtful, "%Y-%m-%d")


def test_rows_are_put_in_order_by_dates_or_numbers() -> None:
    days = column("30/11/2026", "01/12/2025", "13/01/2026")
    assert in_order(days).tolist() == [1, 2, 0]
    assert in_order(column("10", "9", "100")).tolist() == [1, 0, 2]
    assert in_order(pd.Series([2.0, 1.0], name="at")).tolist() == [1, 0]
    assert in_order(column("02/01/2026", "01/02/2026"), "%d/%m/%Y").tolist() == [0, 1]
    assert in_order(column("02/01/2026", "01/02/2026"), "%m/%d/%Y").tolist() == [1, 0]
    with pytest.raises(DataError, match="--time 'at': 1 cell is empty, or no date or number"):
        in_order(column("1", "2", "soon"))


def test_times_of_several_zones_are_told() -> None:
    times = column("2026-03-01T08:15:00Z", "2026-03-01T17:15:00+01:00")
    assert choose_columns(times.to_frame(), None).notices[0] == (
        "column 'at' has times of different zones (+00:00, +01:00): an hour is the one that the "
        "cell shows"
    )
    one = column("2026-03-01T08:15:00Z", "2026-03-01T17:15:00Z")
    assert not any("zones" in line for line in choose_columns(one.to_frame(), None).notices)


@pytest.mark.parametrize(
    ("name", "first", "step", "unit"),
    [
        ("at", 1.76e9, 60, "seconds"),
        ("event_ts", 1.76e12, -60_000, "milliseconds"),
        ("x", 1.76e15, 6e7, "microseconds"),
        ("Timestamp", 1.76e18, 6e10, "nanoseconds"),
        ("bytes", 1.76e9, -60, None),
        ("at", 1.76e7, 60, None),
    ],
)
def test_counts_since_1970_are_told(name: str, first: float, step: float, unit: str | None) -> None:
    numbers = first + step * np.arange(40)
    assert epoch_unit(name, numbers) == unit
    frame = pd.DataFrame({name: [f"{n:.0f}" for n in numbers], "y": ["a", "b"] * 20})
    told = [line for line in choose_columns(frame, "y").notices if "since 1970" in line]
    assert len(told) == (unit is not None)
    order = find_order(frame, "y")
    assert (order is not None) == (unit is not None and step > 0)


@pytest.mark.parametrize(
    ("form", "proposed"),
    [
        ("%d.%m.%y", ["%d.%m.%y"]),
        ("%d.%m.%y %H:%M", ["%d.%m.%y %H:%M"]),
        ("%m/%d/%y", ["%m/%d/%y"]),
        ("%y-%m-%d", ["%d-%m-%y", "%y-%m-%d"]),
        ("%d.40.%y", []),
    ],
)
def test_dates_with_years_of_two_digits_are_texts_and_told(form: str, proposed: list[str]) -> None:
    at = pd.date_range("2026-01-01", periods=60, freq="3D").strftime(form).tolist() * 2
    columns = choose_columns(frame(at=at, v=np.arange(120) / 7, y=np.arange(120) % 2), "y")
    assert [c.cell.read for c in columns.inputs if c.cell.column == "at"] == ["text"]
    told = [line for line in columns.notices if "years of two digits" in line]
    assert [re.findall("at=date:(.*?)'", line) for line in told] == ([proposed] if proposed else [])
