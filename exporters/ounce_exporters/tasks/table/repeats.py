"""Rows that tell of each other: those of one machine or person, and those that follow in time."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from ounce_schemas.errors import DataError
from pandas.api.types import is_numeric_dtype

from ounce_exporters.tasks.table.columns import InputColumn
from ounce_exporters.tasks.table.dates import epoch_unit, in_order, is_dates

_WHOSE = re.compile(
    r"(?i)(.*[^a-z])?((subject|patient|person|individual|participant|respondent|student|pupil|child|family|"
    r"household|animal|machine|device|sensor|vehicle|engine|pump|unit|customer|user|client|member|"
    r"employee|worker|firm)s?([ _.-]?(id|nr|no|number))?|id|nr)"
)
_AMOUNT = re.compile(r"(?i)(^|[^a-z])(per|no|num|number|n|nr|count|total|sum|mean)[^a-z].+")
"""Such as `price_per_unit` or `num_customers`."""
_TIME = re.compile(r"(?i)(.*[^a-z])?(date|time|datetime|timestamp|year)([^a-z].*)?")
_LEAST_TIMES = 20
_HEAD = 1000
_LEAST_VALUES = 10
_LEAST_ROWS = 2
"""Of half of the values."""
_MOSTLY = 0.5


def find_neighbours(inputs: Sequence[InputColumn], frame: pd.DataFrame, target: str) -> list[str]:
    """One line for each column by which rows tell of each other in a split by chance."""
    if not inputs:
        return []
    found = find_order(frame, target), find_copies(inputs, frame)
    return find_units(inputs) + [line for line in found if line is not None]


def find_copies(inputs: Sequence[InputColumn], frame: pd.DataFrame) -> str | None:
    """A line where most rows are copies of others; None where values are so few that rows are
    alike by chance, as those of whole numbers and categories are.

    Args:
        inputs: of the table.
        frame: the table, with the target.
    """
    numbers = [column.values for column in inputs if column.is_number]
    measured = any(
        (values % 1 > 0).any() and len(np.unique(values)) >= _LEAST_VALUES for values in numbers
    )
    copied = float(frame.duplicated().mean()) if measured else 0.0
    if copied < _MOSTLY:
        return None
    return (
        f"{copied:.0%} of the rows are copies of others, in all splits, so models are judged by "
        "rows that they know: leave the copies out of the table"
    )


def find_units(columns: Sequence[InputColumn]) -> list[str]:
    """One line for each column that seems to tell whose a row is, each with several rows."""
    found = []
    for column in columns:
        name = column.cell.column
        if column.cell.read not in ("number", "text") or not _WHOSE.fullmatch(name):
            continue
        if _AMOUNT.search(name):
            continue
        values = column.values
        present = values[~np.isnan(values)] if column.is_number else values[values != ""]
        if column.is_number and (present != np.round(present)).any():
            continue
        kinds, n_rows = np.unique(present.astype(str), return_counts=True)
        if len(kinds) >= _LEAST_VALUES and np.median(n_rows) >= _LEAST_ROWS:
            found.append(
                f"column {name!r} seems to tell whose a row is: {len(kinds)} have "
                f"{np.median(n_rows):g} rows or so each, in all splits; to know how good models "
                f"are of others, train --unit '{name}'"
            )
    return found


def find_order(frame: pd.DataFrame, target: str) -> str | None:
    """A line where the rows stand in the order of a column of times; None elsewhere.

    Args:
        frame: the table.
        target: column to predict.
    """
    for name in map(str, frame):
        column = frame[name]
        if name == target or column.nunique() < _LEAST_TIMES:
            continue
        is_date = not is_numeric_dtype(column) and is_dates(column)
        if not is_date and not _TIME.fullmatch(name) and not _counts_time(column):
            continue
        try:
            order = in_order(column)
        except DataError:  # a gap, or a format that is not known
            continue
        if (np.diff(order) == 1).all():
            return (
                f"the rows stand in the order of {name!r}, and neighbours may tell of each other; "
                f"to know how good models are of later rows, train --time '{name}'"
            )
    return None


def _counts_time(column: pd.Series) -> bool:
    numbers = pd.to_numeric(column.iloc[:_HEAD], errors="coerce").to_numpy(np.float64)
    return epoch_unit(str(column.name), numbers[np.isfinite(numbers)]) is not None
