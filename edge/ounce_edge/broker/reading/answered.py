"""Which of the requests that a partition keeps were answered before. Pure."""

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class KnownAnswers:
    """What is known of one partition."""

    start: int
    """Offset of the first request that is not known to be answered; the end where all are."""
    later: tuple[range, ...] = ()
    """Offsets behind it of requests that are answered, ascending."""
    n: int = 0
    """Requests that are answered."""
    is_whole: bool = True
    """Whether all answers and requests were looked at, rather than as many as time permits."""

    def __contains__(self, offset: int) -> bool:
        """Whether the request at this offset, from `start` on, is answered."""
        i = bisect_right(self.later, offset, key=lambda run: run.start)
        return i > 0 and offset in self.later[i - 1]


class AnswerNames:
    """Names of the requests that answers are of, eight bytes for each answer.

    A request is named by its id and the device that sent it, or by its position, as in a dead
    letter. A sender may give an id twice, so each answer is of one request.

    Args:
        topic: of the requests.
    """

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._position = re.compile(re.escape(topic) + r"-\d+-\d+")
        self._added = array("q")
        self._names = np.empty(0, np.int64)
        self._left = np.empty(0, np.intp)

    def add(self, id_: str, key: bytes | None) -> None:
        """A prediction with this id, for this device, is there."""
        self._added.append(self._name(id_, key))

    def add_position(self, partition: int, offset: int) -> None:
        """A dead letter of the request in this position is there."""
        self._added.append(hash(self._position_id(partition, offset)))

    def __len__(self) -> int:
        return len(self._added) + int(self._left.sum())

    def take(
        self, places: Sequence[tuple[int, int]], ids: Sequence[tuple[str, bytes | None] | None]
    ) -> list[bool]:
        """Whether there is an answer to each of these requests; it is no other request's then.

        Args:
            places: partition and offset of each.
            ids: id and device of each; None where it has no id, or can't be read.
        """
        if self._added:
            joined = np.concatenate([np.repeat(self._names, self._left), self._added])
            self._names, self._left = np.unique(joined, return_counts=True)
            self._added = array("q")
        by_place = self._find(hash(self._position_id(*place)) for place in places)
        by_id = self._find(0 if named is None else self._name(*named) for named in ids)
        return [
            self._take(place) or (named is not None and self._take(own))
            for place, own, named in zip(by_place, by_id, ids, strict=True)
        ]

    def _find(self, names: Iterable[int]) -> list[int]:
        """Place of each name among those that are there; -1 where it is not."""
        wanted = np.fromiter(names, np.int64)
        found = self._names.searchsorted(wanted)
        is_there = np.zeros(len(wanted), bool)
        (inside,) = (found < len(self._names)).nonzero()
        is_there[inside] = self._names[found[inside]] == wanted[inside]
        return [*map(int, np.where(is_there, found, -1))]

    def _take(self, i: int) -> bool:
        if i < 0 or not self._left[i]:
            return False
        self._left[i] -= 1
        return True

    def _name(self, id_: str, key: bytes | None) -> int:
        return hash(id_ if self._position.fullmatch(id_) else (id_, key or b""))

    def _position_id(self, partition: int, offset: int) -> str:
        return f"{self._topic}-{partition}-{offset}"


class AnsweredRuns:
    """Collects what is known of one partition, request by request.

    Args:
        low: offset of the oldest request.
    """

    def __init__(self, low: int) -> None:
        self._next = low
        self._start: int | None = None
        self._later: list[range] = []
        self._n = 0
        self._is_run = False

    def add(self, offset: int, is_answered: bool) -> None:
        """The next request."""
        self._next = offset + 1
        self._n += is_answered
        if self._start is None:
            self._start = None if is_answered else offset
        elif is_answered:
            first = self._later.pop().start if self._is_run else offset
            self._later.append(range(first, offset + 1))
        self._is_run = is_answered

    def result(self, end: int, is_whole: bool) -> KnownAnswers:
        """What is known.

        Args:
            end: where the partition ends.
            is_whole: as in `KnownAnswers`.
        """
        reached = end if is_whole else self._next
        start = reached if self._start is None else self._start
        return KnownAnswers(start, tuple(self._later), self._n, is_whole)
