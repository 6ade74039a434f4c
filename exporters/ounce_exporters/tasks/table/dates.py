"""Dates and times of day: which format they are in, and the parts that a model can use."""

import re
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from ounce_schemas.cells import DATE_PARTS, GAPS, DatePart, as_text, parse_date
from ounce_schemas.errors import DataError
from ounce_schemas.wording import counted

_LOOKS_LIKE = re.compile(
    r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})([T ].*)?"
    r"|([A-Za-z]{3,9},? )?(\d{1,2}[-/ .]+[A-Za-z]{3,9}|[A-Za-z]{3,9} +\d{1,2},?)"
    r"([-/ ]\d{4}([ :].*)?| \d{2}:\d{2}.* \d{4})"
    r"|\d{1,2}:\d{2}(:\d{2})?(?!\d).*"
    r"|(19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(T\d{4}.*|([01]\d|2[0-3])([0-5]\d){2})?"
)
_AS_NUMBERS = (19_000_101, 20_991_231), (19_000_101_000_000, 20_991_231_235_959)
"""Days such as 20260301, and times such as 20260301081500."""
_DAYS = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d-%b-%Y", "%d %b %Y", "%d/%b/%Y"),
    *("%b %d, %Y", "%b %d %Y", "%d-%B-%Y", "%d %B %Y", "%B %d, %Y", "%B %d %Y"),
    *("%a, %d %b %Y", "%a %d %b %Y", "%A, %B %d, %Y", "%A, %d %B %Y"),
)
_WHOLE = (
    *("%Y%m%d%H%M%S", "%a %b %d %H:%M:%S %Y", "%a %b %d %H:%M:%S %Z %Y"),
    *("%d/%b/%Y:%H:%M:%S %z", "%d/%b/%Y:%H:%M:%S"),
)
"""Of a day and a time that stand otherwise: as C and `date` write them, and logs of web servers."""
_DAY_OR_MONTH_FIRST = (("%d/%m/%Y", "%m/%d/%Y"), ("%d-%m-%Y", "%m-%d-%Y"))
_SHORT = (
    *("%d.%m.%y", "%m/%d/%y", "%d/%m/%y", "%y/%m/%d", "%m-%d-%y", "%d-%m-%y", "%y-%m-%d"),
    "%d-%b-%y",
)
_TIMES = (
    *("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p"),
    *(" %H:%M:%S %z", " %H:%M:%S %Z"),
)
_TIMES_OF_DAY = ("%H:%M", "%H:%M:%S", "%I:%M %p")
_EPOCH_S = 946_684_800, 2_208_988_800
"""2000 to 2040, in seconds since 1970."""
_EPOCH_UNITS = {"seconds": 1.0, "milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}
_TIME_NAME = re.compile(
    r"(?i)(.*[^a-z])?(date|time|datetime|timestamp|stamp|ts|epoch|at|when)([^a-z].*)?"
)
_LEAST_TIMES = 20
_SAMPLE = 2000
_FEW = 20


@dataclass(frozen=True)
class Dates:
    """A column of dates."""

    date_format: str | None
    """As for strptime; None for ISO 8601."""
    parts: dict[DatePart, NDArray[np.float64]]
    """Those that differ between rows; arrays of shape (n_rows,), a gap is NaN."""
    zones: tuple[str, ...] = ()
    """Of its times, as differences from UTC such as +01:00."""


def is_dates(column: pd.Series) -> bool:
    """Whether every text that is no gap looks like a date with a year, or a time of day."""
    # The first few tell nearly always; then many are looked at.
    if not all(map(_may_be_date, column.iloc[:_FEW].to_list())):
        return False
    texts = column.drop_duplicates().iloc[:_SAMPLE].to_list()
    return all(map(_may_be_date, texts)) and any(t.lower() not in GAPS for t in texts)


def short_dates(column: pd.Series) -> str | None:
    """What to say of texts that are all dates with years of two digits, or else versions such as
    `1.4.25`; None where they are not, or too few to tell.

    Args:
        column: texts; empty is a gap.
    """
    texts = [text for text in column.drop_duplicates() if text.lower() not in GAPS]
    if len(texts) < _LEAST_TIMES:
        return None
    name = column.name
    fitting = [
        f"'{name}=date:{day}{time}'"
        for day, time in product(_SHORT, _TIMES)
        if _fits(texts, f"{day}{time}")
    ]
    if not fitting:
        return None
    return (
        f"column {name!r} may hold dates with years of two digits; if so, say --columns "
        f"{' or '.join(fitting)}"
    )


def are_days(column: pd.Series) -> bool:
    """Whether all of a column's numbers are days such as 20260301, or times such as
    20260301081500, and more than one."""
    values = column.dropna()
    if not any(values.between(*both).all() for both in _AS_NUMBERS) or values.nunique() < 2:
        return False
    return is_dates(values.map(as_text))


def epoch_unit(name: str, numbers: NDArray[np.float64]) -> str | None:
    """The unit in which a column counts the time since 1970; None where it does not seem to.

    Args:
        name: of the column.
        numbers: those that are there, in the rows' order.
    """
    if len(np.unique(numbers)) < _LEAST_TIMES:
        return None
    if not _TIME_NAME.fullmatch(name) and (np.diff(numbers) < 0).any():
        return None
    least, most = numbers.min(), numbers.max()
    fitting = (
        unit
        for unit, a_second in _EPOCH_UNITS.items()
        if least >= _EPOCH_S[0] * a_second and most < _EPOCH_S[1] * a_second
    )
    return next(fitting, None)


def _may_be_date(text: str) -> bool:
    return text.lower() in GAPS or _LOOKS_LIKE.fullmatch(text) is not None


def why_no_dates(column: pd.Series) -> str | None:
    """Why a column of dates can't be read; None where it is none, or can be.

    Args:
        column: texts; empty is a gap.
    """
    texts = [text for text in column.drop_duplicates() if text.lower() not in GAPS][:_SAMPLE]
    if not all(_may_be_date(t) or _counts_seconds(t) for t in texts[:_FEW]):
        return None
    counted_s = [t for t in texts if _counts_seconds(t)]
    dates = [t for t in texts if not _counts_seconds(t)]
    if not dates or not all(map(_may_be_date, dates)):
        return None
    first = _find_format(dates[:1], str(column.name), doubt=False)
    others = [t for t in dates if first is None or parse_date(t, first or None) is None]
    if first is not None and not others and not counted_s:
        return None
    if counted_s or (first is not None and others):
        return (
            f"its dates are in several formats, such as {dates[0]!r} and "
            f"{(counted_s or others)[0]!r}: write all in one, such as 2026-03-01T08:15:00Z"
        )
    return (
        "its dates are in no format that is known; give one with --columns "
        f"'{column.name}=date:FORMAT'"
    )


def _counts_seconds(text: str) -> bool:
    is_short = text.isdecimal() and len(text) <= len(str(_EPOCH_S[1]))
    return is_short and _EPOCH_S[0] <= int(text) < _EPOCH_S[1]


def read_dates(column: pd.Series, date_format: str | None = None) -> Dates | None:
    """A column of texts as dates.

    Args:
        column: texts; empty is a gap.
        date_format: as for strptime, where given.

    Returns:
        None where they are in no format that is known.

    Raises:
        DataError: day and month could be exchanged; or what is given does not fit.
    """
    if date_format is None:
        texts = [t for t in column.drop_duplicates() if t.lower() not in GAPS]
        found = _find_format(texts, str(column.name))
        if found is None:
            return None
        date_format = found or None
    parsed = {text: parse_date(text, date_format) for text in column.unique()}
    wrong = next((t for t, d in parsed.items() if d is None and t.lower() not in GAPS), None)
    if wrong is not None:
        raise DataError(f"column {column.name!r} holds {wrong!r}, no date of {date_format!r}")
    parts: dict[DatePart, NDArray[np.float64]] = {}
    for part in DATE_PARTS:
        of_text = {
            text: np.nan
            if d is None
            else float(d.weekday() if part == "weekday" else getattr(d, part))
            for text, d in parsed.items()
        }
        values = column.map(of_text).to_numpy(np.float64)
        if len(np.unique(values[~np.isnan(values)])) > 1:
            parts[part] = values
    zones = {d.isoformat()[-6:] for d in parsed.values() if d is not None and d.tzinfo is not None}
    return Dates(date_format, parts, tuple(sorted(zones)))


def in_order(column: pd.Series, date_format: str | None = None) -> NDArray[np.int64]:
    """Rows by time: numbers by size, dates by date.

    Args:
        column: numbers or texts.
        date_format: as for strptime, where given.

    Raises:
        DataError: a cell is empty, or is neither number nor date.
    """
    if not pd.api.types.is_numeric_dtype(column):
        dates = [t for t in column.drop_duplicates() if t.lower() not in GAPS]
        found = date_format
        if found is None and is_dates(column):
            found = _find_format(dates, str(column.name))
        if found is not None:
            stamps = {t: parse_date(t, found or None) for t in dates}
            aware = any(d is not None and d.tzinfo is not None for d in stamps.values())
            seconds = {
                t: d.timestamp() if aware else (d - pd.Timestamp(0).to_pydatetime()).total_seconds()
                for t, d in stamps.items()
                if d is not None
            }
            column = column.map(seconds)
        else:
            column = pd.to_numeric(column, errors="coerce")
    values = column.to_numpy(np.float64)
    if np.isnan(values).any():
        raise DataError(
            f"--time {column.name!r}: {counted(np.isnan(values).sum(), 'cell is', 'cells are')} "
            "empty, or no date or number that rows can be put in order by"
        )
    return np.argsort(values, kind="stable")


def _find_format(texts: list[str], name: str, doubt: bool = True) -> str | None:
    """A format that all texts are in; empty for ISO 8601, None for none.

    Raises:
        DataError: day and month could be exchanged, and `doubt` says that it matters.
    """
    if not texts:
        return None
    if _fits(texts, None):
        return ""
    known = (*(day + time for day, time in product(_DAYS, _TIMES)), *_TIMES_OF_DAY, *_WHOLE)
    for date_format in known:
        if _fits(texts, date_format):
            return date_format
    for formats, time in product(_DAY_OR_MONTH_FIRST, _TIMES):
        fitting = [day + time for day in formats if _fits(texts, day + time)]
        if len(fitting) == 2 and doubt:
            raise DataError(
                f"column {name!r} holds {texts[0]!r}: say which comes first, day or month, with "
                f"--columns '{name}=date:{fitting[0]}' or '{name}=date:{fitting[1]}'"
            )
        if fitting:
            return fitting[0]
    return None


def _fits(texts: list[str], date_format: str | None) -> bool:
    # The first few tell nearly always; then all are looked at.
    return all(parse_date(text, date_format) is not None for text in texts)
