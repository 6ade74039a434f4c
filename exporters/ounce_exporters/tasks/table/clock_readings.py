"""Columns of durations and times of day: `1:30:00`, `90:00`, `8:15 PM`."""

import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from ounce_schemas.cells import DATE_PARTS, GAPS, Cell, parse_seconds

from ounce_exporters.tasks.table.dates import read_dates
from ounce_exporters.tasks.table.notices import Notices

_CLOCK = re.compile(r"[+-]?(\d+ days?,? )?\d{1,6}(:[0-5]\d){1,2}(\.\d+)?( ?[AaPp][Mm])?", re.ASCII)
_HOURS_AND_MINUTES = re.compile(r"([01]?\d|2[0-3]):[0-5]\d", re.ASCII)
_PAIR = re.compile(r"\d{1,2}:([0-5]\d)", re.ASCII)
_FEW = 20
_ENOUGH = 30
"""Distinct times of which none has minutes below 10 by chance in one column of 200."""


def is_clock(column: pd.Series) -> bool:
    """Whether every text that is no gap is a duration or a time of day."""
    # The first few tell nearly always; then all are looked at.
    if not all(map(_may_be_clock, column.iloc[:_FEW].to_list())):
        return False
    texts = column.drop_duplicates().to_list()
    return all(map(_may_be_clock, texts)) and any(t.lower() not in GAPS for t in texts)


def are_scores(column: pd.Series) -> bool:
    """Whether a column of pairs such as `25:18` shows that it is no clock: of many distinct texts
    none has a second number below 10, which a clock's would in one of six."""
    texts = [text for text in column.drop_duplicates() if text.lower() not in GAPS]
    pairs = [_PAIR.fullmatch(text) for text in texts]
    return len(texts) >= _ENOUGH and all(pair and pair[1] >= "10" for pair in pairs)


def clock_inputs(
    column: pd.Series, notices: Notices
) -> list[tuple[str, Cell, NDArray[np.float64]]]:
    """The seconds of such a column; of times of day the hour as well.

    Where all its texts may be hours and minutes of a day, they are. Others of two numbers are
    minutes and seconds.

    Args:
        column: texts; empty is a gap.
        notices: is told how it is read.

    Returns:
        Name, rule and values of each input; none where a text can't be read.
    """
    name = str(column.name)
    texts = [text for text in column.drop_duplicates() if text.lower() not in GAPS]
    of_day = read_dates(column)
    seconds_format = None
    if all(map(_HOURS_AND_MINUTES.fullmatch, texts)):
        seconds_format = "%H:%M"
    elif of_day is not None and any(text[-1:] in "mM" for text in texts):
        seconds_format = of_day.date_format
    seconds = {text: parse_seconds(text, seconds_format) for text in column.unique()}
    if any(value is None for value in seconds.values()):
        return []
    cell = Cell(column=name, read="seconds", date_format=seconds_format)
    found = [(f"{name}.seconds", cell, column.map(seconds).to_numpy(np.float64))]
    if of_day is not None and "hour" in of_day.parts:
        hour = Cell(column=name, read="hour", date_format=of_day.date_format)
        found.append((f"{name}.hour", hour, of_day.parts["hour"]))
    also = f", and {name}.hour ({DATE_PARTS['hour']})" if len(found) > 1 else ""
    what = "hours and minutes" if seconds_format == "%H:%M" else "a duration or a time of day"
    notices.say(
        f"column {name!r} is {what}: its input is {name}.seconds{also}; if it is a score or a "
        f"ratio, say --columns '{name}=category'"
    )
    return found


def _may_be_clock(text: str) -> bool:
    return text.lower() in GAPS or _CLOCK.fullmatch(text) is not None
