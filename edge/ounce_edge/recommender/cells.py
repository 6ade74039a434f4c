"""Messages of about the same deadline and the same lightest sufficient plan: what a crowd starts
from."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ounce_edge.recommender.schedule import Floats, Items

BIN_OCTAVES = 2.0
"""Messages start out together where their times left are within so many factors of two."""
_FIRST: Items = np.zeros(1, np.intp)


class Cell(NamedTuple):
    """Messages that start out together."""

    bin: int
    """Number of their deadline, ascending with it."""
    rung: int
    """That of their lightest sufficient plan in the frontier."""
    items: Items | Sequence[int]
    """Their indices, ascending."""
    tightest_ms: float
    """The least time left of any of them."""


def cells_of(
    remaining_ms: Floats, rung: NDArray[np.intp] | Sequence[int], fastest_ms: float
) -> tuple[Items, list[Cell]]:
    """Sort messages.

    Args:
        remaining_ms: time left per message, milliseconds; shape (n,).
        rung: place of each message's lightest sufficient plan in the frontier; an array where there
            are many.
        fastest_ms: with less time left, a message is late.

    Returns:
        Indices of the late ones, ascending, and the cells of the others, by deadline and rung.
    """
    if isinstance(rung, np.ndarray):
        return _of_many(remaining_ms, rung, fastest_ms)
    return _of_few(remaining_ms.tolist(), rung, fastest_ms)


def _of_few(
    left_ms: Sequence[float], rung: Sequence[int], fastest_ms: float
) -> tuple[Items, list[Cell]]:
    late: list[int] = []
    cells: dict[tuple[int, int], list[int]] = {}
    for i, (ms, of_item) in enumerate(zip(left_ms, rung, strict=True)):
        if ms < fastest_ms:
            late.append(i)
        else:
            of_bin = int(math.log2(ms / fastest_ms) / BIN_OCTAVES)
            cells.setdefault((of_bin, of_item), []).append(i)
    return np.array(late, np.intp), [
        Cell(of_bin, of_rung, items, min([left_ms[i] for i in items]))
        for (of_bin, of_rung), items in sorted(cells.items())
    ]


def _of_many(
    remaining_ms: Floats, rung: NDArray[np.intp], fastest_ms: float
) -> tuple[Items, list[Cell]]:
    is_late = remaining_ms < fastest_ms
    (late,) = is_late.nonzero()
    (waiting,) = (~is_late).nonzero()
    if not len(waiting):
        return late, []
    left_ms, rung = remaining_ms[waiting], rung[waiting]
    bin_ = (np.log2(left_ms / fastest_ms) / BIN_OCTAVES).astype(np.intp)
    n_rungs = int(rung.max()) + 1
    key = bin_ * n_rungs + rung
    by_key = key.argsort(kind="stable")
    waiting, key, left_ms = waiting[by_key], key[by_key], left_ms[by_key]
    starts = np.concatenate([_FIRST, (key[1:] != key[:-1]).nonzero()[0] + 1])
    tightest_ms = np.minimum.reduceat(left_ms, starts).tolist()
    keys, bounds = key[starts].tolist(), pairwise([*starts.tolist(), len(waiting)])
    return late, [
        Cell(of_cell // n_rungs, of_cell % n_rungs, waiting[start:end], tightest)
        for of_cell, (start, end), tightest in zip(keys, bounds, tightest_ms, strict=True)
    ]
