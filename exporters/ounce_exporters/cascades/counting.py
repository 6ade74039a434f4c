"""Counting a cascade's answers under every combination of thresholds at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ounce_exporters.cascades.evidence import Evidence

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Counts:
    """Items under every combination of thresholds.

    Arrays of shape (n_steps, n_folds, *combinations), int64 or float64; the last axes
    are indices into the grids of thresholds, one for every step but the last.
    """

    reached: IntArray
    """Items that come to each step."""
    right: NDArray[np.float64]
    """`Evidence.worth` of the answers that each step gives, summed: how many are acceptable, where
    all count alike."""
    merit: NDArray[np.float64]
    """`Evidence.merit` of them, summed."""
    alarms: IntArray
    """False alarms among them, where the measure is of a class."""

    @property
    def answered(self) -> IntArray:
        """Items that each step answers."""
        onwards = np.concatenate([self.reached[1:], np.zeros_like(self.reached[:1])])
        return np.asarray(self.reached - onwards)


def count(
    sequence: Sequence[Evidence],
    grids: Sequence[NDArray[np.float64]],
    folds: IntArray,
    n_folds: int,
) -> Counts:
    """Count the items of each fold.

    Items are sorted into cells: by fold and, per accepting step, by the number of thresholds that
    their confidence reaches. Sums along the axes then hold every combination of thresholds.

    Args:
        sequence: the models in the order in which they run.
        grids: thresholds, ascending, of every step but the last.
        folds: fold of each item, array of shape (n_items,).
        n_folds: number of folds.
    """
    levels = [
        np.searchsorted(grid, _confidence(model), side="right")
        for model, grid in zip(sequence, grids, strict=False)
    ]
    shape = (n_folds, *(len(grid) + 1 for grid in grids))
    cells = np.ravel_multi_index((folds, *levels), shape)

    def tally(weights: NDArray[Any] | None = None) -> NDArray[np.float64]:
        sums = np.bincount(cells, weights, minlength=np.prod(shape))
        return sums.astype(np.float64).reshape(shape)

    everything = tally()
    combinations = (len(sequence), n_folds, *(len(grid) for grid in grids))
    reached, alarms = np.empty(combinations, np.int64), np.zeros(combinations, np.int64)
    right, merit = np.empty(combinations), np.empty(combinations)
    for k, model in enumerate(sequence):
        reached[k] = _sum(everything, gone_on=k, answered=False)
        right[k] = _sum(tally(model.worth), gone_on=k, answered=k < len(grids))
        merit[k] = _sum(tally(model.merit), gone_on=k, answered=k < len(grids))
        if model.judged is not None:
            alarms[k] = _sum(tally(model.judged.alarm), gone_on=k, answered=k < len(grids))
    return Counts(reached, right, merit, alarms)


def _sum(cells: NDArray[Any], *, gone_on: int, answered: bool) -> NDArray[Any]:
    """Sums over items that went on at the first `gone_on` steps and, if asked, were answered next.

    Args:
        cells: array of shape (n_folds, *(len(grid) + 1)); with threshold j of a step, an item goes
            on where its level is at most j.
    """
    axes = gone_on + answered
    sums = cells.sum(axis=tuple(range(1 + axes, cells.ndim)))
    for axis in range(1, 1 + axes):
        below = np.cumsum(sums, axis=axis)
        everything = np.take(below, [-1], axis=axis)
        below = np.delete(below, -1, axis=axis)
        sums = everything - below if answered and axis == axes else below
    return np.asarray(sums.reshape(*sums.shape, *(1,) * (cells.ndim - sums.ndim)))


def _confidence(model: Evidence) -> NDArray[np.float64]:
    assert model.confidence is not None  # cascades are for classification alone
    return model.confidence
