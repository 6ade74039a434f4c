"""A decision with all that it depended on, and what takes a record of it."""

import struct
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ounce_edge.evidence.decision_entry import DecisionEntry, LogHeader
from ounce_edge.evidence.incidents import Incident
from ounce_edge.evidence.senders import SenderBook, new_senders
from ounce_edge.recommender.arrays import Floats, Items
from ounce_edge.recommender.beliefs.tables import BeliefState
from ounce_edge.recommender.rule.exploration import Draws
from ounce_edge.recommender.rule.schedule import Schedule

LENGTH = struct.Struct("<I")
"""What an entry's length is written as, before it."""
AnsweredIds = Sequence[tuple[Items, Sequence[bytes]]]
"""Of a schedule, what was answered or refused then: indices of requests and, for each of them, its
id as JSON text."""


class Decided(NamedTuple):
    """A decision, and all that it depended on beside the header."""

    state: BeliefState
    """What was believed."""
    left_ms: Floats
    """Time left per request; shape (n,)."""
    floors: Floats
    """Floor per request; shape (n,)."""
    schedule: Schedule
    """What was decided."""
    exploration: Draws | None = None
    """What was drawn, where the policy explores."""
    overload_lasts: bool = False
    """Whether late requests had piled up."""
    route: int = 0
    """Of all requests."""
    senders: NDArray[np.int32] | None = None
    """Who sent each; shape (n,)."""
    posteriors: Sequence[tuple[float, float]] = ()
    """Per plan, what exploring draws from, where the route explores."""


class Recorder(Protocol):
    """Takes a record of each decision of one task. None is ever waited for."""

    senders: SenderBook
    """Numbers those who send the requests that decisions are on."""

    @property
    def is_stopped(self) -> bool:
        """Whether recording stands."""

    def begin(self, header: LogHeader) -> None:
        """From now on decisions depend on something else."""

    def record(self, at_ms: float, decided: Decided, answered: AnsweredIds) -> None:
        """Take one decision; see `entry_of`."""

    def take_incidents(self) -> list[Incident]:
        """What people should know; each is given once."""

    def flush(self) -> None:
        """Let readers see what was recorded."""

    def close(self) -> None:
        """Write what is buffered."""


def framed(content: bytes) -> bytes:
    """An entry behind its length."""
    return LENGTH.pack(len(content)) + content


def entry_of(
    at_ms: float, decided: Decided, answered: AnsweredIds, book: SenderBook, written: set[int]
) -> DecisionEntry:
    """What is recorded of one decision.

    Args:
        at_ms: milliseconds since 1970.
        decided: what, and on what grounds.
        answered: of the schedule.
        book: of the senders.
        written: numbers of the senders that entries before this one tell of; those that this one
            tells of are added.
    """
    schedule, exploration = decided.schedule, decided.exploration
    considered = _everything_in(schedule)
    senders = None if decided.senders is None else decided.senders[considered]

    def places(items: Items) -> bytes:
        return np.searchsorted(considered, items).astype("<i4").tobytes()

    return DecisionEntry(
        at_ms,
        decided.state,
        len(decided.left_ms),
        decided.left_ms[considered].astype("<f8").tobytes(),
        decided.floors[considered].astype("<f8").tobytes(),
        [(g.plan, g.choice, places(g.items)) for g in schedule.groups],
        places(schedule.refused),
        b"".join([places(items) for items, _ in answered]),
        [json_id for _, json_ids in answered for json_id in json_ids],
        exploration and (exploration.chosen[considered].tobytes(), exploration.drawn),
        decided.overload_lasts,
        decided.route,
        b"" if senders is None else senders.astype("<i4").tobytes(),
        () if senders is None else new_senders(book, senders, written),
        decided.posteriors,
    )


def _everything_in(schedule: Schedule) -> Items:
    """Indices of all requests that a decision considered, ascending."""
    return np.sort(np.concatenate([schedule.refused, *(g.items for g in schedule.groups)]))
