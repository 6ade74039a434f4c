"""Learning curves of LCDB as forecasts meet them: four points, and the error much further on."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from ounce_exporters.advisor.forecasting import N_POINTS, extrapolate, features

_LEAST_SEEDS = 5
_LEAST_ROWS = 1000
_ON_GRID = 0.1
DOUBLINGS = (1.0, 2.0, 3.0, 3.5)
N_FOLDS = 5


@dataclass(frozen=True)
class Cases:
    """Curves with so many doublings ahead, one row each."""

    doublings: float
    sets: NDArray[np.int64]
    """Number of the data set of each; shape (n_curves,)."""
    features: NDArray[np.float64]
    """Array of shape (n_curves, n_features)."""
    last: NDArray[np.float64]
    """Error at the last point that is known; shape (n_curves,)."""
    law: NDArray[np.float64]
    """Error that the plain power law through all known points forecasts; shape (n_curves,)."""
    truth: NDArray[np.float64]
    """Error at the point to forecast; shape (n_curves,)."""

    def take(self, rows: NDArray[np.bool_]) -> "Cases":
        """Some of the curves."""
        arrays = (self.features, self.last, self.law, self.truth)
        return Cases(self.doublings, self.sets[rows], *(array[rows] for array in arrays))


def read_cases(folder: Path, doublings: float) -> Cases:
    """Cases from LCDB's `accuracy.parquet`: each curve's last point is the one to forecast.

    Args:
        folder: holds the file.
        doublings: of rows, from the last known point to the one to forecast.
    """
    table = pd.read_parquet(folder / "accuracy.parquet")
    table = table[table["n"] >= _LEAST_SEEDS].sort_values("size_train")
    found = []
    for (number, _), curve in table.groupby(["openmlid", "learner"], sort=True):
        case = _case(curve, doublings)
        if case is not None:
            found.append((number, *case))
    sets, *arrays = zip(*found, strict=True)
    return Cases(doublings, np.array(sets, np.int64), *map(np.array, arrays))


def _case(curve: pd.DataFrame, doublings: float) -> tuple[object, ...] | None:
    steps = 2 * np.log2(curve["size_train"].to_numpy(np.float64))
    curve = curve[np.abs(steps - np.round(steps)) < _ON_GRID]
    rows = curve["size_train"].to_numpy(np.float64)
    if len(rows) == 0 or rows[-1] < _LEAST_ROWS:
        return None
    steps = np.round(2 * np.log2(rows)).astype(int)
    errors = 1 - curve["accuracy"].to_numpy(np.float64)
    places = {int(step): place for place, step in enumerate(steps)}
    last = int(steps[-1] - round(2 * doublings))
    wanted = [last - 2 * k for k in range(N_POINTS - 1, -1, -1)]
    if any(step not in places for step in wanted):
        return None
    at = [places[step] for step in wanted]
    train = 1 - float(curve["accuracy_train"].iloc[at[-1]])
    values, _ = features(rows[at], errors[at], train, float(rows[-1]))
    known = at[-1] + 1
    law, _, _ = extrapolate(rows[:known], errors[:known], float(rows[-1]))
    return values, errors[at[-1]], law, errors[-1]


def folds_of(sets: NDArray[np.int64]) -> Iterator[NDArray[np.bool_]]:
    """Which curves are left out in turn: all of a data set together.

    Args:
        sets: number of each curve's data set.
    """
    numbers = np.unique(sets)
    fold = np.random.default_rng(0).permutation(len(numbers)) % N_FOLDS
    for number in range(N_FOLDS):
        yield np.isin(sets, numbers[fold == number])
