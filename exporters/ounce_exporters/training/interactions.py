"""Which pairs of features say together what neither says alone."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

_COARSE = 8
"""Intervals of a feature while pairs are looked for."""
_CELLS = 32
"""Places of a feature in the map of a pair at most: a text of more values is in no pair."""

Floats = NDArray[np.float64]


def find_pairs(
    rows: NDArray[np.float32],
    left: Floats,
    is_text: Sequence[bool],
    features: Sequence[int],
    most: int,
) -> list[tuple[int, int]]:
    """The pairs whose coarse map takes most off the squares of what single features leave.

    Args:
        rows: shape (n_rows, n_features); places of texts, or numbers.
        left: what single features leave, shape (n_rows, n_outputs).
        is_text: of each feature, whether it holds places of texts.
        features: those of which pairs are made.
        most: pairs at most.
    """
    places = {i: _coarse(rows[:, i], is_text=is_text[i]) for i in sorted(features)}
    able = [i for i in places if places[i].max(initial=0) < _CELLS]
    alone = {i: _taken_off(places[i], _CELLS, left) for i in able}
    gains = {
        (i, j): _taken_off(places[i] * _CELLS + places[j], _CELLS**2, left) - alone[i] - alone[j]
        for i, j in combinations(able, 2)
    }
    return sorted(gains, key=lambda pair: (-gains[pair], pair))[:most]


def _coarse(column: NDArray[np.float32], *, is_text: bool) -> NDArray[np.int64]:
    """Place of each value among a few intervals of about equally many rows, or its text's place;
    gaps have a place of their own."""
    gaps = np.isnan(column)
    present = column[~gaps]
    if is_text:
        return np.where(gaps, 0, column + 1).astype(np.int64)
    if len(present) == 0:
        return np.zeros(len(column), np.int64)
    ends = np.unique(np.quantile(present, np.linspace(0, 1, _COARSE + 1)[1:-1]))
    return np.where(gaps, _COARSE, np.searchsorted(ends, column)).astype(np.int64)


def _taken_off(cells: NDArray[np.int64], n_cells: int, left: Floats) -> float:
    """Squares that the mean of each cell takes off what is left; small cells count for less."""
    counts = np.bincount(cells, minlength=n_cells) + 1.0
    return sum(
        float((np.bincount(cells, weights=column, minlength=n_cells) ** 2 / counts).sum())
        for column in left.T
    )
