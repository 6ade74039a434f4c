"""Were requests that waited together taken in the order of their deadlines? Pure.

Compared is when a worker took requests to answer them, not when the answers came: of two calls that
run at once, the later one may end first. A worker takes each partition's requests in order, so that
it holds all before the last one that it took. Between one that is taken and one that it holds and
leaves waiting, the worker chose; those choices are judged. Requests that one decision takes have
the same time and are not compared.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Taken:
    """Requests, and when they were taken to be answered; arrays of shape (n,), times in
    milliseconds of one clock."""

    partition: NDArray[np.int64]
    offset: NDArray[np.int64]
    deadline_ms: NDArray[np.float64]
    taken_ms: NDArray[np.float64]


@dataclass(frozen=True)
class Order:
    """What was found."""

    pairs: int
    """Of a request that was taken and one that was left waiting, neither of them late."""
    out_of_order: int
    """Pairs of which the one taken had the later deadline."""
    chosen: int
    """Requests taken while one that was not late was left waiting."""
    chosen_late: int
    """Those that were late already."""

    @property
    def share_in_order(self) -> float:
        """Of the pairs; 1 where there are none."""
        return 1.0 - self.out_of_order / max(self.pairs, 1)

    @property
    def late_share(self) -> float:
        """Of those taken while others could still be kept."""
        return self.chosen_late / max(self.chosen, 1)


def find_order(requests: Taken) -> Order:
    """Hold every request against what was left waiting when it was taken."""
    by_place = np.lexsort((requests.offset, requests.partition))
    by_deadline = np.argsort(requests.deadline_ms, kind="stable")
    deadlines_ms = requests.deadline_ms[by_deadline]
    rank = np.empty(len(by_place), np.int64)
    """Of each request among the deadlines."""
    rank[by_deadline] = np.arange(len(rank))
    place = np.empty(len(by_place), np.int64)
    """Of each request among its partition's offsets, the partitions behind one another."""
    place[by_place] = np.arange(len(place))
    starts = np.searchsorted(requests.partition[by_place], np.unique(requests.partition))
    known = dict(zip(np.unique(requests.partition).tolist(), starts.tolist(), strict=True))
    """By partition, the place behind the last request that is known to be taken."""
    waits = np.zeros(len(rank), dtype=bool)
    """By rank."""
    pairs = out_of_order = chosen = chosen_late = 0
    by_time = np.argsort(requests.taken_ms, kind="stable")
    cuts = np.flatnonzero(np.diff(requests.taken_ms[by_time])) + 1
    for step in np.split(by_time, cuts):
        for partition in np.unique(requests.partition[step]).tolist():
            end = int(place[step[requests.partition[step] == partition]].max()) + 1
            waits[rank[by_place[known[partition] : end]]] = True
            known[partition] = max(known[partition], end)
        waits[rank[step]] = False
        now_ms = requests.taken_ms[step[0]]
        first = int(np.searchsorted(deadlines_ms, now_ms, side="right"))
        earlier = np.concatenate([[0], np.cumsum(waits[first:])])
        if earlier[-1]:
            in_time = requests.deadline_ms[step][requests.deadline_ms[step] > now_ms]
            pairs += len(in_time) * int(earlier[-1])
            out_of_order += int(earlier[np.searchsorted(deadlines_ms, in_time) - first].sum())
            chosen += len(step)
            chosen_late += len(step) - len(in_time)
    return Order(pairs, out_of_order, chosen, chosen_late)
