"""Requests that are decoded and not yet answered, and which polls are answered in full."""

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ounce_edge.wire.decoding import Batch, take

Items = NDArray[np.intp]


@dataclass
class Poll:
    """One task's records of one poll; answered in full when `open` is 0."""

    next_offsets: Mapping[int, int]
    """By partition, the offset behind its last record."""
    open: int
    """Records without an answer or dead letter."""


class Progress:
    """Which offsets may be committed: those of polls that are answered in full, as all before are.

    Requests are answered in the order of their deadlines, not of their offsets; a commit covers
    everything before it, so it waits for the oldest.
    """

    def __init__(self) -> None:
        self._polls: deque[Poll] = deque()

    def begin(self, next_offsets: Mapping[int, int], n_records: int) -> Poll:
        """A poll's records are taken."""
        poll = Poll(next_offsets, n_records)
        self._polls.append(poll)
        return poll

    def disown(self, partitions: Collection[int]) -> None:
        """Others own these partitions now, and commit their offsets."""
        for poll in self._polls:
            poll.next_offsets = {p: o for p, o in poll.next_offsets.items() if p not in partitions}

    def advance(self) -> dict[int, int]:
        """By partition, the offset that a successor goes on at; each is given once."""
        done: dict[int, int] = {}
        while self._polls and not self._polls[0].open:
            done.update(self._polls.popleft().next_offsets)
        return done


@dataclass
class _Part:
    batch: Batch
    repeated: set[int]
    """Items whose id was answered lately."""
    poll: Poll


@dataclass(frozen=True)
class Taken:
    """Requests that one call answers."""

    batch: Batch
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

    def add(self, batch: Batch, repeated: set[int], poll: Poll) -> None:
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
        return Taken(_gather([(part.batch, chosen) for part, chosen in sources]), repeated, sources)

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


def _gather(parts: Sequence[tuple[Batch, Items]]) -> Batch:
    """Some items of some batches as one batch; the batch itself where that is all of it."""
    if len(parts) == 1:
        batch, items = parts[0]
        return batch if len(items) == len(batch) else _some(batch, items)
    some = [_some(batch, items) for batch, items in parts]
    return Batch(
        records=[r for b in some for r in b.records],
        keys=[k for b in some for k in b.keys],
        partitions=np.concatenate([b.partitions for b in some]),
        inputs={n: np.concatenate([b.inputs[n] for b in some]) for n in some[0].inputs},
        json_ids=[[i for b in some for i in b.whole_ids()]],
        heads=[h for b in some for h in b.heads],
        identities=[i for b in some for i in b.identities],
        outputs=[o for b in some for o in b.outputs],
        max_latency_ms=np.concatenate([b.max_latency_ms for b in some]),
        min_accuracy=np.concatenate([b.min_accuracy for b in some]),
        timestamps_ms=np.concatenate([b.timestamps_ms for b in some]),
        all_bare=all(b.all_bare for b in some),
    )


def _some(batch: Batch, items: Items) -> Batch:
    return Batch(
        records=take(batch.records, items),
        keys=take(batch.keys, items),
        partitions=batch.partitions[items],
        inputs={name: array[items] for name, array in batch.inputs.items()},
        json_ids=[take(column, items) for column in batch.json_ids],
        heads=take(batch.heads, items),
        identities=take(batch.identities, items),
        outputs=take(batch.outputs, items),
        max_latency_ms=batch.max_latency_ms[items],
        min_accuracy=batch.min_accuracy[items],
        timestamps_ms=batch.timestamps_ms[items],
        all_bare=batch.all_bare,
    )
