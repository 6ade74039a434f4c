"""Last rows that sum up the others are none to learn from."""

import re
from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray
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
_LEAST_ADDED = 3
"""Numbers other than 0 above a sum: of fewer, chance makes one."""
_CLOSE = 1e-3
"""Numbers are rounded, each row's and the sum's; whole ones are not."""

Numbers = NDArray[np.float64]


def drop_totals(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The table without last rows of totals: they hold sums of all columns of numbers, or are
    called totals and hold a sum or a mean.

    Returns:
        The rows, and what to say of each that is left out, or is called a total and kept.
    """
    left_out, lines = [], []
    for place in range(max(len(frame) - _LAST, 1), len(frame)):
        row, above = frame.iloc[place], frame.iloc[:place]
        word = _word_of(row, above)
        if word is None and not _has_sums(row, above):
            continue
        if word is not None and not any(_is_sum_or_mean(*pair) for pair in _pairs(row, above)):
            lines.append(
                f"row {place + 1} is called {word!r} and kept, as it holds neither sum nor mean of "
                "the rows above: if it is no record, take it out"
            )
            continue
        how = f"is called {word!r}" if word is not None else "holds the sums of the rows above"
        lines.append(f"row {place + 1} is left out: it {how}")
        left_out.append(place)
    if not left_out:
        return frame, lines
    return frame.drop(index=frame.index[left_out]).reset_index(drop=True), lines


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
    head = above.iloc[:_HEAD]  # the sum is seldom so large: that is looked at first
    if not all(
        total and abs(total) >= np.nanmax(np.abs(column), initial=0.0)
        for total, column in _pairs(row, head)
    ):
        return False
    pairs = list(_pairs(row, above))
    return len(pairs) >= _LEAST_SUMS and all(_is_sum(*pair) for pair in pairs)


def _pairs(row: pd.Series, above: pd.DataFrame) -> Iterator[tuple[float, Numbers]]:
    """Each number of a row, and those of its column above."""
    cells = _numbers(pd.Series(row.to_list(), dtype=object))
    for name, total in zip(above.columns, cells.tolist(), strict=True):
        if not np.isnan(total):
            yield total, _numbers(above[name])


def _is_sum(total: float, column: Numbers) -> bool:
    added = int(np.count_nonzero(np.nan_to_num(column)))
    return added >= _LEAST_ADDED and _is_close(total, float(np.nansum(column)), column)


def _is_sum_or_mean(total: float, column: Numbers) -> bool:
    known = column[~np.isnan(column)]
    if not len(known) or np.ptp(known) == 0:  # of a constant any row holds the mean
        return False
    return _is_sum(total, column) or bool(np.isclose(known.mean(), total, rtol=_CLOSE))


def _is_close(total: float, found: float, column: Numbers) -> bool:
    whole = bool((np.nan_to_num(column) == np.round(np.nan_to_num(column))).all())
    return bool(np.isclose(found, total, rtol=1e-9 if whole else _CLOSE))


def _numbers(column: pd.Series) -> Numbers:
    if not is_numeric_dtype(column):
        column = pd.to_numeric(column.replace("", np.nan), errors="coerce")
    return column.to_numpy(np.float64)
