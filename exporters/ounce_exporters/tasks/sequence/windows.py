"""The last steps of each unit, one window for each row of a long table."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from ounce_schemas.errors import DataError
from ounce_schemas.wording import counted

REMAINING = "remaining"
"""Column of how many steps of its unit are left."""
_GAP = 1.5
"""A step that takes so many times the median one leaves a gap."""


def in_order(
    units: NDArray[np.object_], times: NDArray[np.float64] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64], list[str]]:
    """Rows unit by unit, in the order of time.

    Args:
        units: whose each row is, texts, array of shape (n_rows,).
        times: of each row; None: rows stand in order.

    Returns:
        The rows, without those that repeat a time; of each of them its stretch, as a number: rows
        of one unit without a gap in time between them; and lines about gaps and repeats.
    """
    of_unit = np.unique(units, return_inverse=True)[1]
    if times is None:
        order = np.argsort(of_unit, kind="stable")
        return order, of_unit[order], []
    order = np.lexsort((np.arange(len(times)), times, of_unit))
    same = of_unit[order][1:] == of_unit[order][:-1]
    repeats = np.append(same & (np.diff(times[order]) == 0), False)
    lines = []
    if repeats.any():
        first = order[int(repeats.argmax())]
        lines.append(
            f"{counted(repeats.sum(), 'row repeats', 'rows repeat')} a time of their unit, the "
            f"first that of unit {units[first]!r} at {times[first]:g}: the last of each counts"
        )
    order = order[~repeats]
    sorted_units, steps = of_unit[order], np.diff(times[order])
    same = sorted_units[1:] == sorted_units[:-1]
    usual = float(np.median(steps[same])) if same.any() else 1.0
    gaps = same & (steps > _GAP * usual)
    if gaps.any():
        i = int(gaps.argmax())
        lines.append(
            f"{counted(gaps.sum(), 'gap')} in time, the first in unit {units[order[i]]!r} after "
            f"{times[order[i]]:g}: no window reaches across one"
        )
    stretches = np.concatenate([[0], np.cumsum(~same | gaps)]).astype(np.int64)
    return order, stretches, lines


def cut_windows(
    values: NDArray[np.float32], stretches: NDArray[np.int64], n_steps: int
) -> NDArray[np.float32]:
    """The last `n_steps` rows of each row's stretch, itself the last; NaN where there are fewer.

    Args:
        values: rows in order, array of shape (n_rows, n_channels).
        stretches: number of each row's stretch, ascending.
        n_steps: of a window.

    Returns:
        Array of shape (n_rows, n_steps, n_channels).
    """
    n, channels = values.shape
    windows = np.full((n, n_steps, channels), np.nan, np.float32)
    for back in range(min(n_steps, n)):
        here = np.flatnonzero(stretches[back:] == stretches[: n - back]) + back
        windows[here, n_steps - 1 - back] = values[here - back]
    return windows


def pad(series: Sequence[NDArray[np.float32]], n_steps: int) -> NDArray[np.float32]:
    """The last `n_steps` of each series; NaN before those that are shorter.

    Args:
        series: each of shape (n, n_channels).
        n_steps: of a window.
    """
    windows = np.full((len(series), n_steps, series[0].shape[1]), np.nan, np.float32)
    for window, one in zip(windows, series, strict=True):
        kept = one[-n_steps:]
        window[n_steps - len(kept) :] = kept
    return windows


def with_remaining(frame: pd.DataFrame, unit: str, time: str | None, most: int) -> pd.DataFrame:
    """The table with the column `REMAINING`: rows of the same unit that are left, at most `most`.

    Raises:
        DataError: the table has such a column, or lacks the one of units.
    """
    for name in (unit, *([] if time is None else [time])):
        if name not in frame:
            raise DataError(
                f"there is no column {name!r}: the table has {', '.join(frame.columns)}"
            )
    if REMAINING in frame:
        raise DataError(f"the table has a column {REMAINING!r}: name it with --target")
    units = frame[unit].to_numpy(object)
    times = None if time is None else read_times(frame, time)
    order, _, _ = in_order(units, times)
    of_unit = np.unique(units[order], return_inverse=True)[1]
    ends = np.searchsorted(of_unit, of_unit, side="right") - 1
    left = np.full(len(frame), np.nan)
    left[order] = np.minimum(ends - np.arange(len(order)), most)
    kept: pd.DataFrame = frame.assign(**{REMAINING: left})[~np.isnan(left)]
    return kept.reset_index(drop=True)


def read_times(frame: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """A column of numbers or dates as numbers.

    Raises:
        DataError: a time is neither.
    """
    numbers = pd.to_numeric(frame[name], errors="coerce")
    if numbers.isna().any():
        dates = pd.to_datetime(frame[name], errors="coerce", utc=True, format="mixed")
        if dates.isna().any():
            neither = dates.isna() & numbers.isna()
            wrong = frame[name][neither if neither.any() else dates.isna()].iloc[0]
            raise DataError(f"--time {name}: {str(wrong)[:40]!r} is no number and no date")
        return dates.astype("int64").to_numpy(np.float64) / 1e9
    return numbers.to_numpy(np.float64)
