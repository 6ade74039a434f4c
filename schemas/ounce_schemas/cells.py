"""One reading of a cell of a person's table, for training and for serving.

A text counts as it stands in the file, without the blanks around it. A number may be written with
the table's decimal mark, groups of thousands and unit.
"""

import re
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, time
from functools import lru_cache
from typing import Literal

from pydantic import BaseModel, Field

DatePart = Literal["hour", "weekday", "month"]
DATE_PARTS: dict[DatePart, str] = {
    "hour": "0 to 23",
    "weekday": "0 is Monday, 6 is Sunday",
    "month": "1 to 12",
}
"""What can be read from a date, and the range of it. The clock is the one that the cell shows."""
GAPS = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none", "-", "--", "?", "missing"})
"""Texts, in lower case, that mark a missing number."""

_DURATION = re.compile(
    r"(?P<sign>[+-]?)((?P<days>\d{1,6}) days?,? )?((?P<hours>\d{1,6}):)?(?P<minutes>\d{1,6}):"
    r"(?P<seconds>[0-5]\d(\.\d+)?)",
    re.ASCII,
)
"""`1:30:00`, `90:00` (minutes and seconds), `2 days 03:00:00`."""
_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
_GROUPS = "[,'\u2019\u00a0\u202f ]", "[.'\u2019\u00a0\u202f ]"
_GROUPED = {
    mark: re.compile(rf"[+-]?\d{{1,3}}({group}\d{{3}})+({re.escape(mark)}\d*)?")
    for mark, group in zip(".,", _GROUPS, strict=True)
}
_GROUP = {mark: re.compile(group) for mark, group in zip(".,", _GROUPS, strict=True)}


class Cell(BaseModel, extra="forbid", frozen=True):
    """How one value of an input tensor is read from a cell of the table that the task is of."""

    column: str = Field(description="Column of the table")
    aliases: tuple[str, ...] | None = Field(
        default=None, description="Other names that senders have for the column"
    )
    missing: tuple[str | float, ...] | None = Field(
        default=None, description="Values, such as -9999, that stand for a gap"
    )
    read: Literal["number", "text", "sentence", "seconds", "hour", "weekday", "month"]
    decimal: Literal[".", ","] | None = Field(
        default=None, description="Decimal mark of a number; absent: the point"
    )
    unit: str | None = Field(default=None, description="Unit that may stand beside a number")
    offset: float | None = Field(
        default=None, description="Taken off a number in double precision: FP32 holds the rest"
    )
    date_format: str | None = Field(
        default=None, description="As for strptime; absent: ISO 8601", min_length=1
    )
    texts: tuple[str, ...] | None = Field(
        default=None, description="Texts that the models have learned; others are unknown to them"
    )
    gaps: bool | None = Field(
        default=None,
        description="Whether a row that the models have learned has a gap here; absent: not known",
    )


def read_cell(cell: Cell, value: object) -> float | str | None:
    """The value of an input tensor: a number (NaN is a gap) or a text (empty is a gap).

    Args:
        cell: how to read it.
        value: a text as it stands in the file, or a JSON number, truth value or null.

    Returns:
        None for what can't be read so: no number, no date.
    """
    text = as_text(value)
    if cell.missing and text in {as_text(gap) for gap in cell.missing}:
        return "" if cell.read in ("text", "sentence") else float("nan")
    if cell.read == "text":
        return match_text(text, spellings(cell.texts or ()))
    if cell.read == "sentence":
        return text
    if cell.read == "number":
        if isinstance(value, bool):  # as training reads truth values of Parquet
            return float(value) - (cell.offset or 0.0)
        decimal = "." if isinstance(value, int | float) or cell.decimal is None else cell.decimal
        number = parse_number(text, decimal, cell.unit)
        return None if number is None else number - (cell.offset or 0.0)
    if cell.read == "seconds":
        return parse_seconds(text, cell.date_format)
    return parse_date_part(text, cell.read, cell.date_format)


def as_text(value: object) -> str:
    """A value as a text file would hold it: null is empty, whole numbers have no point."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return "" if value != value else str(int(value)) if value.is_integer() else repr(value)
    return str(value).strip()


def parse_number(text: str, decimal: str = ".", unit: str | None = None) -> float | None:
    """A number in double precision; NaN for a gap, None for what is no number."""
    text = text.strip()
    if text.lower() in GAPS:
        return float("nan")
    if unit:
        text = text.removeprefix(unit).removesuffix(unit).strip()
    text = text.replace("\u2212", "-")  # the minus sign of typography
    if text.startswith("(") and text.endswith(")"):  # and the one of accounts
        text = f"-{text[1:-1]}"
    if _GROUPED[decimal].fullmatch(text):
        text = _GROUP[decimal].sub("", text)
    if decimal == ",":
        if "." in text:
            return None
        text = text.replace(",", ".")
    if _PLAIN.fullmatch(text) or _INFINITE.fullmatch(text):
        return float(text)
    return None


def parse_seconds(text: str, date_format: str | None = None) -> float | None:
    """A duration, or a time of day since midnight; NaN for a gap, None for what is neither.

    Args:
        text: the cell; a number is one of seconds.
        date_format: of a time of day, as for strptime; None: hours, minutes and seconds, or minutes
            and seconds, of a duration.
    """
    text = text.strip()
    if text.lower() in GAPS:
        return float("nan")
    if _PLAIN.fullmatch(text):
        return float(text)
    if date_format is not None:
        moment = parse_date(text, date_format)
        return None if moment is None else _since_midnight_s(moment)
    found = _DURATION.fullmatch(text)
    if found is None or (found["hours"] and int(found["minutes"]) > 59):
        return None
    minutes = (int(found["days"] or 0) * 24 + int(found["hours"] or 0)) * 60 + int(found["minutes"])
    seconds = minutes * 60 + float(found["seconds"])
    return -seconds if found["sign"] == "-" else seconds


def _since_midnight_s(moment: datetime) -> float:
    return moment.hour * 3600 + moment.minute * 60 + moment.second + moment.microsecond / 1e6


def parse_date_part(text: str, part: DatePart, date_format: str | None = None) -> float | None:
    """A part of a date; NaN for a gap, None for what is no date."""
    if text.strip().lower() in GAPS:
        return float("nan")
    moment = parse_date(text, date_format)
    if moment is None:
        return None
    return float({"hour": moment.hour, "weekday": moment.weekday(), "month": moment.month}[part])


def parse_date(text: str, date_format: str | None = None) -> datetime | None:
    """A date, or a time of day; None for what is neither.

    Args:
        text: the cell.
        date_format: as for strptime; None for ISO 8601.
    """
    text = text.strip()
    try:
        if date_format is not None:
            return datetime.strptime(text, date_format)
        if ":" in text[:3]:
            return datetime.combine(datetime(1970, 1, 1), time.fromisoformat(text))
        return datetime.fromisoformat(text)
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def spellings(known: tuple[str, ...]) -> dict[str, str]:
    """Known texts by how they may be written: as they are, and by `_fold` where one is meant.

    Where they are true and false alone, 1 and 0 mean these: a device may have no truth values.
    """
    folded = [_fold(text) for text in known]
    n = Counter(folded)
    alone = {fold: text for fold, text in zip(folded, known, strict=True) if n[fold] == 1}
    if alone.keys() == {_TRUE, _FALSE}:
        alone |= {"1": alone[_TRUE], "0": alone[_FALSE]}
    return {**alone, **{text: text for text in known}}


def match_text(text: str, known: Mapping[str, str]) -> str:
    """The known text that is meant: the same one, or the only one that differs in case.

    Args:
        text: a cell, or what a request holds.
        known: the `spellings` of the texts that were learned.

    Returns:
        The text itself, without blanks around it, where no known one is meant.
    """
    text = text.strip()
    return known.get(text) or known.get(_fold(text), text)


def _fold(text: str) -> str:
    # The mark keeps it apart from texts that are in lower case as they are.
    return "\0" + text.casefold()


_TRUE, _FALSE = _fold("true"), _fold("false")
