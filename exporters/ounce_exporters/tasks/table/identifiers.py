"""Columns that number or name the rows: a model learns the order of the file from them."""

import re

import numpy as np
from numpy.typing import NDArray

_NAME = re.compile(
    r"(?i)(^|[^a-z])(id|sno|rowid|row|index|no|nr|number|uuid|key|column 1)([^a-z0-9]|$)"
)
_AMOUNT = re.compile(r"(?i)(^|[^a-z])(no|nr|number|index)[^a-z]*of([^a-z]|$)")
"""Such as `number_of_rooms`: no row's number."""
_TIME = re.compile(
    r"(?i)(minute|hour|day|week|month|quarter|year|season|period|cycle|step|stage|lap|shift)"
)
"""Such as `month_number`, which counts up again and again, and tells much."""
_OF_SOMETHING = re.compile(
    r"(?i)(^|[^a-z])(id|uid|uuid|guid)([^a-z0-9]|$)|(?-i:[a-z]I[dD]|^[CPSTU]ID)([^a-z]|$)"
    r"|(patient|customer|client|user|member|person|subject|student|account|order|product|item|case)"
    r"_?id$"
)
"""Numbers that tell things apart, such as `PassengerId`."""
_NEARLY_ALL = 0.9
"""Share of rows that have a number of their own, or the one behind that of the row before."""
_DENSE = 0.5
"""Share of a range's whole numbers that distinct values take; measurements repeat before that."""
_LEAST_ROWS = 20
_EXACT = 2.0**53


def why_identifier(name: str, values: NDArray[np.float64]) -> str | None:
    """Why a numeric column tells rows apart and nothing else; None where it may tell more.

    Args:
        name: of the column.
        values: array of shape (n_rows,); a gap is NaN.
    """
    if len(values) < _LEAST_ROWS or not np.isfinite(values).all():
        return None
    if (values != np.round(values)).any():
        return None
    of_something = _OF_SOMETHING.search(name) is not None
    named = of_something or (_NAME.search(name) is not None and _AMOUNT.search(name) is None)
    distinct = len(np.unique(values))
    if distinct < len(values):
        if of_something and distinct > _NEARLY_ALL * len(values):
            return "nearly every row has another number, as an identifier has"
        counts_up = (np.diff(values) == 1).mean() > _NEARLY_ALL
        if named and counts_up and _TIME.search(name) is None:
            return "it numbers the rows of each of several groups"
        # Neighbouring whole numbers above 2**53 fall together.
        large = np.abs(values).max() > _EXACT
        return "it names the rows" if named and large and distinct > 0.99 * len(values) else None
    span = float(np.ptp(values)) + 1
    if span == len(values):
        return "it numbers the rows"
    ascending = bool((np.diff(values) > 0).all())
    if len(values) >= _DENSE * span and (ascending or named):
        return "it numbers the rows, some of which are not here"
    return "every row has another number, as an identifier has" if named else None
