"""Messages sorted by what they need: what every decision starts from."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ounce_edge.recommender.arrays import NONE, Floats, Items

BIN_OCTAVES = 2.0
"""Messages are sorted together where their times left are within so many factors of two."""
FEW = 16
"""So many messages are looked at one by one, which is quicker than arrays."""
_FIRST: Items = np.zeros(1, np.intp)


class Cell(NamedTuple):
    """Messages of about the same deadline and the same lightest sufficient plan."""

    rung: int
    """Place of that plan in the frontier; behind its end where there is none."""
    bin: int
    """Number of their deadline, ascending with it."""
    items: Items | Sequence[int]
    """Their indices, ascending."""
    tightest_ms: float
    """The least time left of any of them."""


def sort_messages(
    remaining_ms: Floats, min_accuracy: Floats, sure: Sequence[float], fastest_ms: float
) -> tuple[Items, Sequence[Cell]]:
    """Sort messages by their lightest sufficient plan and by their deadline.

    Args:
        remaining_ms: time left per message, milliseconds, negative when late; shape (n,).
        min_accuracy: floor per message; shape (n,).
        sure: accuracy that each of the frontier's plans is sure to have, ascending.
        fastest_ms: with less time left, a message is late.

    Returns:
        Indices of the late messages, ascending; and the cells of the others, by rung and bin.
    """
    sort = _sort_few if len(remaining_ms) <= FEW else _sort_many
    return sort(remaining_ms, min_accuracy, sure, fastest_ms)


def _sort_few(
    remaining_ms: Floats, min_accuracy: Floats, sure: Sequence[float], fastest_ms: float
) -> tuple[Items, Sequence[Cell]]:
    late, found = list[int](), dict[tuple[int, int], tuple[list[int], list[float]]]()
    floors = min_accuracy.tolist()
    for i, left_ms in enumerate(remaining_ms.tolist()):
        if left_ms < fastest_ms:
            late.append(i)
            continue
        rung = bisect_left(sure, floors[i])
        key = rung, int(math.log2(left_ms / fastest_ms) / BIN_OCTAVES)
        items, times_ms = found.setdefault(key, ([], []))
        items.append(i)
        times_ms.append(left_ms)
    cells = [Cell(*key, items, min(times_ms)) for key, (items, times_ms) in sorted(found.items())]
    return np.array(late, np.intp) if late else NONE, cells


def _sort_many(
    remaining_ms: Floats, min_accuracy: Floats, sure: Sequence[float], fastest_ms: float
) -> tuple[Items, Sequence[Cell]]:
    is_late = remaining_ms < fastest_ms
    (late,), (timely,) = is_late.nonzero(), (~is_late).nonzero()
    if not len(timely):
        return late, ()
    left_ms = remaining_ms[timely]
    rung = np.searchsorted(sure, min_accuracy[timely], side="left")
    bin_ = (np.log2(left_ms / fastest_ms) / BIN_OCTAVES).astype(np.intp)
    n_bins = int(bin_.max()) + 1
    key = rung * n_bins + bin_
    by_key = key.argsort(kind="stable")
    timely, key, left_ms = timely[by_key], key[by_key], left_ms[by_key]
    starts = np.concatenate([_FIRST, (key[1:] != key[:-1]).nonzero()[0] + 1])
    tightest_ms = np.minimum.reduceat(left_ms, starts).tolist()
    keys, bounds = key[starts].tolist(), pairwise([*starts.tolist(), len(timely)])
    cells = [
        Cell(of_cell // n_bins, of_cell % n_bins, timely[start:end], tightest)
        for of_cell, (start, end), tightest in zip(keys, bounds, tightest_ms, strict=True)
    ]
    return late, cells
