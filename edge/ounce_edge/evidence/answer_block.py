"""Some thousands of answers in a row, column by column: they are indexed and forgotten together."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any, NamedTuple

from numpy.typing import NDArray

from ounce_edge.evidence.names import bounded_names

MOST_FRESH = 128
"""Groups that are folded together: where they are small, folding thousands would be felt."""
POSITION = b""
"""Origin of an answer whose id is a position, which is unique of itself."""


class AnswerGroup(NamedTuple):
    """Answers of one plan; n of them, whose names are bounded."""

    json_ids: Sequence[Sequence[bytes]]
    """Columns of n entries which together make up the ids as JSON text, quotes included."""
    origins: Sequence[bytes] | None
    """Who sent each, or `POSITION`; None: all ids are positions."""
    keys: Sequence[bytes] | None
    """Of the requests' records, empty where there is none; None where `origins` is."""
    plan: Hashable
    predicted: NDArray[Any]
    """Label indices, or values; shape (n,)."""

    def bounded(self) -> "AnswerGroup":
        """The same, with names of bounded size."""
        if self.origins is None or self.keys is None:
            return self
        return self._replace(
            json_ids=[bounded_names(column) for column in self.json_ids],
            origins=bounded_names(self.origins),
            keys=bounded_names(self.keys),
        )


@dataclass(slots=True)
class AnswerBlock:
    """Answers of some groups, and which of them have their label."""

    n: int = 0
    fresh: list[AnswerGroup] = field(default_factory=list)
    """Groups that are not in the columns yet."""
    ids: list[bytes] = field(default_factory=list)
    origins: list[bytes] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)
    plans: list[Hashable] = field(default_factory=list)
    predicted: list[float] = field(default_factory=list)
    latest: dict[tuple[bytes, bytes], int] = field(default_factory=dict)
    """Place of the latest answer by id and origin, of the first `n_indexed` answers."""
    origin_of: dict[bytes, bytes] = field(default_factory=dict)
    """One origin of each id."""
    shared: dict[bytes, set[bytes]] = field(default_factory=dict)
    """All origins of the ids that have several."""
    n_indexed: int = 0
    labelled: set[tuple[bytes, bytes]] = field(default_factory=set)
    """Ids and origins of answers that have their label."""
    _known: dict[bytes, bytes] = field(default_factory=dict)
    """One object for each origin and key, whose answers are many."""

    def add(self, group: AnswerGroup) -> None:
        """Add one group."""
        self.fresh.append(group)
        self.n += len(group.predicted)
        if len(self.fresh) >= MOST_FRESH:
            self._fold()

    def origins_of(self, json_id: bytes) -> Iterable[bytes]:
        """Who sent requests with this id that were answered here."""
        if json_id in self.shared:
            return self.shared[json_id]
        origin = self.origin_of.get(json_id)
        return () if origin is None else (origin,)

    def key_of(self, json_id: bytes, origin: bytes) -> bytes:
        """Key of the latest of these requests."""
        return self.keys[self.latest[json_id, origin]]

    def label(self, json_id: bytes, origin: bytes) -> tuple[Hashable, float]:
        """Plan and prediction of the latest of these answers, which has its label now."""
        self.labelled.add((json_id, origin))
        place = self.latest[json_id, origin]
        return self.plans[place], self.predicted[place]

    def complete_index(self) -> None:
        """Index what is not indexed yet."""
        self._fold()
        if self.n_indexed == self.n:
            return
        ids, origins = self.ids[self.n_indexed :], self.origins[self.n_indexed :]
        places = range(self.n_indexed, self.n)
        self.latest.update(zip(zip(ids, origins, strict=True), places, strict=True))
        self.origin_of.update(zip(ids, origins, strict=True))
        self.n_indexed = self.n
        if len(self.latest) > len(self.origin_of):
            for json_id, origin in self.latest:
                if self.origin_of[json_id] != origin:
                    self.shared.setdefault(json_id, {self.origin_of[json_id]}).add(origin)

    def _fold(self) -> None:
        for group in self.fresh:
            n = len(group.predicted)
            self.ids += map(b"".join, zip(*group.json_ids, strict=True))
            if group.origins is None or group.keys is None:
                self.origins += repeat(POSITION, n)
                self.keys += repeat(b"", n)
            else:
                self.origins += [self._known.setdefault(name, name) for name in group.origins]
                self.keys += [self._known.setdefault(name, name) for name in group.keys]
            self.plans += repeat(group.plan, n)
            self.predicted += group.predicted.tolist()
        self.fresh.clear()
