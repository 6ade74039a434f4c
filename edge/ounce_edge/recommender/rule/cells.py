"""Messages of about the same deadline and the same lightest sufficient plan: what a crowd starts
from."""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ounce_edge.recommender.arrays import Floats, Items

BIN_OCTAVES = 2.0
"""Messages start out together where their times left are within so many factors of two."""
FEW = 16
"""So many messages are looked at one by one, which is quicker than arrays."""
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
    remaining_ms: Floats, rung: Items | Sequence[int], fastest_ms: float
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
    if not isinstance(rung, np.ndarray):
        left_ms = remaining_ms.tolist()
        late = [i for i, ms in enumerate(left_ms) if ms < fastest_ms]
        timely = [(i, ms, rung[i]) for i, ms in enumerate(left_ms) if ms >= fastest_ms]
        return np.array(late, np.intp), _of_few(timely, fastest_ms)
    is_late = remaining_ms < fastest_ms
    (late_ones,), (waiting,) = is_late.nonzero(), (~is_late).nonzero()
    remaining_ms, rung = remaining_ms[waiting], rung[waiting]
    if len(waiting) > FEW:
        return late_ones, _of_many(waiting, remaining_ms, rung, fastest_ms)
    few = zip(waiting.tolist(), remaining_ms.tolist(), rung.tolist(), strict=True)
    return late_ones, _of_few(few, fastest_ms)


def _of_few(waiting: Iterable[tuple[int, float, int]], fastest_ms: float) -> list[Cell]:
    """Of messages given as index, time left and rung."""
    cells: dict[tuple[int, int], tuple[list[int], list[float]]] = {}
    for i, ms, of_rung in waiting:
        of_bin = int(math.log2(ms / fastest_ms) / BIN_OCTAVES)
        items, left_ms = cells.setdefault((of_bin, of_rung), ([], []))
        items.append(i)
        left_ms.append(ms)
    return [
        Cell(of_bin, of_rung, items, min(left_ms))
        for (of_bin, of_rung), (items, left_ms) in sorted(cells.items())
    ]


def _of_many(waiting: Items, remaining_ms: Floats, rung: Items, fastest_ms: float) -> list[Cell]:
    bin_ = (np.log2(remaining_ms / fastest_ms) / BIN_OCTAVES).astype(np.intp)
    n_rungs = int(rung.max()) + 1
    key = bin_ * n_rungs + rung
    by_key = key.argsort(kind="stable")
    waiting, key, remaining_ms = waiting[by_key], key[by_key], remaining_ms[by_key]
    starts = np.concatenate([_FIRST, (key[1:] != key[:-1]).nonzero()[0] + 1])
    tightest_ms = np.minimum.reduceat(remaining_ms, starts).tolist()
    keys, bounds = key[starts].tolist(), pairwise([*starts.tolist(), len(waiting)])
    return [
        Cell(of_cell // n_rungs, of_cell % n_rungs, waiting[start:end], tightest)
        for of_cell, (start, end), tightest in zip(keys, bounds, tightest_ms, strict=True)
    ]
