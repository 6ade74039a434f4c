"""Last rows that sum up the others are none to learn from."""

import re

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

_WORD = re.compile(
    r"(grand |sub-?)?total(s|e|en)?|sum|summe|gesamt(summe)?|insgesamt|somme|suma|totaal|"
    r"average|mean|mittelwert|durchschnitt|moyenne",
    re.IGNORECASE,
)
_LAST = 3
"""Rows that are looked at: sums, means, and behind them a remark."""
_HEAD = 1000
_LEAST_SUMS = 2
_CLOSE = 1e-3
"""Numbers are rounded, each row's and the sum's."""


def drop_totals(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The table without last rows that are called totals, or have sums in all their numbers.

    Returns:
        The rows, and what to say of each that is left out.
    """
    said = {}
    for place in range(max(len(frame) - _LAST, 1), len(frame)):
        row, above = frame.iloc[place], frame.iloc[:place]
        word = _word_of(row, above)
        if word is not None or _has_sums(row, above):
            how = f"is called {word!r}" if word is not None else "holds the sums of the rows above"
            said[place] = f"row {place + 1} is left out: it {how}"
    if not said:
        return frame, []
    return frame.drop(index=frame.index[list(said)]).reset_index(drop=True), list(said.values())


def _word_of(row: pd.Series, above: pd.DataFrame) -> str | None:
    """A word for a total that stands in no other row of its column."""
    for name in above.columns:
        cell = row[name]
        is_word = isinstance(cell, str) and _WORD.fullmatch(cell.strip(": "))
        if is_word and not (above[name] == cell).any():
            return str(cell)
    return None


def _has_sums(row: pd.Series, above: pd.DataFrame) -> bool:
    """Whether all of a row's numbers are the sums of their columns."""
    cells = _numbers(pd.Series(row.to_list(), dtype=object))
    named = zip(above.columns, cells.tolist(), strict=True)
    totals = {name: total for name, total in named if not np.isnan(total)}
    if len(totals) < _LEAST_SUMS:
        return False
    head = above.iloc[:_HEAD]  # the sum is seldom so large: that is looked at first
    return all(
        total and abs(total) >= np.nanmax(np.abs(_numbers(head[name])), initial=0.0)
        for name, total in totals.items()
    ) and all(
        np.isclose(np.nansum(_numbers(above[name])), total, rtol=_CLOSE)
        for name, total in totals.items()
    )


def _numbers(column: pd.Series) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    if not is_numeric_dtype(column):
        column = pd.to_numeric(column.replace("", np.nan), errors="coerce")
    return column.to_numpy(np.float64)
