"""Requests that are decoded and not yet answered."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ounce_edge.pipeline.progress import Poll
from ounce_edge.recommender.arrays import Items
from ounce_edge.wire.batch import RequestBatch, gather


@dataclass
class _Part:
    batch: RequestBatch
    repeated: set[int]
    """Items whose id was answered lately."""
    poll: Poll


@dataclass(frozen=True)
class Taken:
    """Requests that one call answers."""

    batch: RequestBatch
    repeated: set[int]
    """Items of `batch` whose id was answered lately."""
    sources: Sequence[tuple[_Part, Items]]
    """Where they came from, in the order of `batch`."""

    def settle(self) -> None:
        """All of them have an answer or a dead letter."""
        for part, items in self.sources:
            part.poll.open -= len(items)


class Waiting:
    """The waiting requests of one task.

    `deadline_ms` (milliseconds since 1970) and `min_accuracy` have one entry per request, oldest
    first; `take` names requests by their indices there.
    """

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self.deadline_ms: NDArray[np.float64] = np.empty(0)
        self.min_accuracy: NDArray[np.float64] = np.empty(0)
        self._part: Items = np.empty(0, np.intp)
        self._item: Items = np.empty(0, np.intp)
        self._parts: list[_Part] = []

    def __len__(self) -> int:
        return len(self.deadline_ms)

    def n_bytes(self, taken: Iterable[Taken] = ()) -> int:
        """Bodies held here and by what was taken: those of all polls of which a request is among
        these."""
        parts = [*self._parts, *(part for some in taken for part, _ in some.sources)]
        return sum({id(part): part.batch.n_bytes for part in parts}.values())

    def add(self, batch: RequestBatch, repeated: set[int], poll: Poll) -> None:
        """Requests arrived."""
        self._add(_Part(batch, repeated, poll), np.arange(len(batch)))

    def take(self, groups: Sequence[Items]) -> list[Taken]:
        """Remove groups of requests, each by its indices, ascending; no request is in two."""
        taken = [self._taken(items) for items in groups]
        if sum(map(len, groups)) == len(self):
            self._clear()
        else:
            kept = np.ones(len(self), dtype=bool)
            for items in groups:
                kept[items] = False
            self._keep(np.flatnonzero(kept))
        return taken

    def _taken(self, items: Items) -> Taken:
        parts, of_part, of_item = self._parts, self._part[items], self._item[items]
        if of_part[0] == of_part[-1]:
            sources = [(parts[of_part[0]], of_item)]
        else:
            sources = [
                (parts[p], of_item[of_part == p])
                for p in np.bincount(of_part).nonzero()[0].tolist()
            ]
        repeated, start = set[int](), 0
        for part, chosen in sources:
            if part.repeated:
                places = {item: start + i for i, item in enumerate(chosen.tolist())}
                repeated |= {places[item] for item in part.repeated & places.keys()}
            start += len(chosen)
        return Taken(gather([(part.batch, chosen) for part, chosen in sources]), repeated, sources)

    def give_back(self, taken: Taken, items: Items) -> None:
        """Settled requests that were not answered after all, by their indices in `taken.batch`."""
        start = 0
        for part, chosen in taken.sources:
            inside = items[(items >= start) & (items < start + len(chosen))] - start
            if len(inside):
                part.poll.open += len(inside)
                self._add(part, chosen[inside])
            start += len(chosen)

    def drop(self, partitions: Collection[int]) -> int:
        """Forget requests of partitions that others own now; how many."""
        places = zip(self._part.tolist(), self._item.tolist(), strict=True)
        found = [int(self._parts[p].batch.partitions[item]) for p, item in places]
        keep = [i for i, partition in enumerate(found) if partition not in partitions]
        dropped = np.setdiff1d(np.arange(len(self)), keep)
        for p in self._part[dropped].tolist():
            self._parts[p].poll.open -= 1
        self._keep(np.array(keep, dtype=np.intp))
        return len(dropped)

    def _add(self, part: _Part, items: Items) -> None:
        batch = part.batch
        if not len(items):
            return
        deadline_ms = batch.timestamps_ms[items] + batch.max_latency_ms[items]
        floors = batch.min_accuracy[items]
        here = np.full(len(items), len(self._parts), dtype=np.intp)
        self._parts.append(part)
        if len(self):
            self.deadline_ms = np.concatenate([self.deadline_ms, deadline_ms])
            self.min_accuracy = np.concatenate([self.min_accuracy, floors])
            self._part = np.concatenate([self._part, here])
            self._item = np.concatenate([self._item, items])
        else:
            self.deadline_ms, self.min_accuracy = deadline_ms, floors
            self._part, self._item = here, items

    def _keep(self, items: Items) -> None:
        self.deadline_ms, self.min_accuracy = self.deadline_ms[items], self.min_accuracy[items]
        self._part, self._item = self._part[items], self._item[items]
        (used,) = np.bincount(self._part).nonzero()
        if len(used) < len(self._parts):  # parts are in the order of their numbers, and stay so
            self._parts = [self._parts[p] for p in used.tolist()]
            self._part = np.searchsorted(used, self._part)
