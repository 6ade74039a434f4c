"""Were requests that waited together answered in the order of their deadlines? Pure.

Which requests a worker holds can't be seen from outside, but it takes each partition in order: once
a request is answered, those before it in its partition were taken, too. So between a request that
is answered and one that is not, though it is known to be taken by then, the worker chose. Those
choices are judged. Requests that one call answers have the same time and are not compared.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Answered:
    """Requests and when they were answered; arrays of shape (n,), times in milliseconds of one
    clock."""

    partition: NDArray[np.int64]
    offset: NDArray[np.int64]
    deadline_ms: NDArray[np.float64]
    answered_ms: NDArray[np.float64]


@dataclass(frozen=True)
class Order:
    """What was found."""

    pairs: int
    """Of a request that was answered and one that was left waiting, neither of them late."""
    out_of_order: int
    """Pairs of which the answered one had the later deadline."""
    chosen: int
    """Answers given while a request that was not late was left waiting."""
    chosen_late: int
    """Those that were late already."""

    @property
    def share_in_order(self) -> float:
        """Of the pairs; 1 where there are none."""
        return 1.0 - self.out_of_order / max(self.pairs, 1)

    @property
    def late_share(self) -> float:
        """Of the answers given while others could still be kept."""
        return self.chosen_late / max(self.chosen, 1)


def find_order(requests: Answered) -> Order:
    """Hold every answer against what was left waiting."""
    by_place = np.lexsort((requests.offset, requests.partition))
    by_deadline = np.argsort(requests.deadline_ms, kind="stable")
    deadlines_ms = requests.deadline_ms[by_deadline]
    rank = np.empty(len(by_place), np.int64)
    """Of each request among the deadlines."""
    rank[by_deadline] = np.arange(len(rank))
    place = np.empty(len(by_place), np.int64)
    """Of each request among its partition's offsets, the partitions behind one another."""
    place[by_place] = np.arange(len(place))
    taken = np.searchsorted(requests.partition[by_place], np.unique(requests.partition))
    known = dict(zip(np.unique(requests.partition).tolist(), taken.tolist(), strict=True))
    """By partition, the place behind the last request that is known to be taken."""
    waits = np.zeros(len(rank), dtype=bool)
    """By rank."""
    pairs = out_of_order = chosen = chosen_late = 0
    by_time = np.argsort(requests.answered_ms, kind="stable")
    cuts = np.flatnonzero(np.diff(requests.answered_ms[by_time])) + 1
    for call in np.split(by_time, cuts):
        for partition in np.unique(requests.partition[call]).tolist():
            end = int(place[call[requests.partition[call] == partition]].max()) + 1
            waits[rank[by_place[known[partition] : end]]] = True
            known[partition] = max(known[partition], end)
        waits[rank[call]] = False
        now_ms = requests.answered_ms[call[0]]
        first = int(np.searchsorted(deadlines_ms, now_ms, side="right"))
        earlier = np.concatenate([[0], np.cumsum(waits[first:])])
        if earlier[-1]:
            in_time = requests.deadline_ms[call][requests.deadline_ms[call] > now_ms]
            pairs += len(in_time) * int(earlier[-1])
            out_of_order += int(earlier[np.searchsorted(deadlines_ms, in_time) - first].sum())
            chosen += len(call)
            chosen_late += len(call) - len(in_time)
    return Order(pairs, out_of_order, chosen, chosen_late)
