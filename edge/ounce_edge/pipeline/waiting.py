"""Requests that are decoded and not yet answered."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

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
    senders: NDArray[np.int32] | None
    """Who sent each, where decisions are recorded."""


class Taken(NamedTuple):
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
        self.routes: Items | None = None
        """Who may answer each; None: the first route for all."""
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

    def add(
        self,
        batch: RequestBatch,
        repeated: set[int],
        poll: Poll,
        senders: NDArray[np.int32] | None = None,
    ) -> None:
        """Requests arrived."""
        self._add(_Part(batch, repeated, poll, senders), np.arange(len(batch)))

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

    def give_back(self, taken: Taken, items: Items, route: int | None = None) -> None:
        """Settled requests that were not answered after all, by their indices in `taken.batch`.

        Args:
            taken: they were in it.
            items: which.
            route: who may answer them from now on; None: who might before.
        """
        start = 0
        for part, chosen in taken.sources:
            inside = items[(items >= start) & (items < start + len(chosen))] - start
            if len(inside):
                part.poll.open += len(inside)
                if route is not None:
                    part.batch.move(chosen[inside], route)
                self._add(part, chosen[inside])
            start += len(chosen)

    def drop(self, partitions: Collection[int]) -> int:
        """Forget requests of partitions that others own now; how many."""
        places = zip(self._part.tolist(), self._item.tolist(), strict=True)
        found = [int(self._parts[p].batch.partitions[item]) for p, item in places]
        keep = [i for i, partition in enumerate(found) if partition not in partitions]
        dropped = np.setdiff1d(np.arange(len(self)), keep)
        for p, item in zip(self._part[dropped].tolist(), self._item[dropped].tolist(), strict=True):
            part = self._parts[p]
            part.poll.end_one()
            if part.batch.rows is not None and (row := part.batch.rows[item]) is not None:
                row.of.abandon()
        self._keep(np.array(keep, dtype=np.intp))
        return len(dropped)

    def senders(self, items: Items | None) -> NDArray[np.int32]:
        """Numbers of who sent some requests, None: all; shape (n,). Of requests that were all added
        with them."""
        of_part = self._part if items is None else self._part[items]
        of_item = self._item if items is None else self._item[items]
        found = np.empty(len(of_part), np.int32)
        for p in np.unique(of_part).tolist():
            here, senders = of_part == p, self._parts[p].senders
            if senders is not None:
                found[here] = senders[of_item[here]]
        return found

    def reroute(self, route: Callable[[RequestBatch], NDArray[np.intp] | None]) -> None:
        """Another policy: ask anew who may answer each."""
        for part in self._parts:
            part.batch.routes = route(part.batch)
        self.routes = None
        if any(part.batch.routes is not None for part in self._parts):
            places = zip(self._part.tolist(), self._item.tolist(), strict=True)
            batches = [part.batch for part in self._parts]
            self.routes = np.array(
                [0 if (r := batches[p].routes) is None else int(r[item]) for p, item in places],
                np.intp,
            )

    def routes_by_urgency(self) -> Mapping[int, int]:
        """Requests by their route, that of the most urgent request first; at least one waits."""
        if self.routes is None:
            return {0: len(self)}
        found, counts = np.unique(self.routes, return_counts=True)
        soonest_ms = np.full(found[-1] + 1, np.inf)
        np.minimum.at(soonest_ms, self.routes, self.deadline_ms)
        order = soonest_ms[found].argsort()
        return dict(zip(found[order].tolist(), counts[order].tolist(), strict=True))

    def items_of(self, route: int) -> Items | None:
        """Indices of the requests of a route, ascending; None: all are."""
        return None if self.routes is None else np.flatnonzero(self.routes == route)

    def _add(self, part: _Part, items: Items) -> None:
        batch = part.batch
        if not len(items):
            return
        deadline_ms = batch.timestamps_ms[items] + batch.max_latency_ms[items]
        floors = batch.min_accuracy[items]
        if self.routes is not None or batch.routes is not None:
            own = np.zeros(len(items), np.intp) if batch.routes is None else batch.routes[items]
            before = np.zeros(len(self), np.intp) if self.routes is None else self.routes
            self.routes = np.concatenate([before, own])
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
        self.routes = None if self.routes is None else self.routes[items]
        self._part, self._item = self._part[items], self._item[items]
        (used,) = np.bincount(self._part).nonzero()
        if len(used) < len(self._parts):  # parts are in the order of their numbers, and stay so
            self._parts = [self._parts[p] for p in used.tolist()]
            self._part = np.searchsorted(used, self._part)
