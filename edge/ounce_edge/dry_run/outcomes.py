"""Outcomes of decisions on few messages, which come again and again.

Where time is plentiful under both policies, the outcome of a decision depends neither on how much
time is left nor on the order of its messages: as many of each kind of sender, answered the same
way, have the same outcome again.
"""

from collections.abc import Hashable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ounce_edge.dry_run.figures import Tally
from ounce_edge.dry_run.recorded import RecordedDecision
from ounce_edge.dry_run.settling import Settled

MOST_MESSAGES = 16
"""Of a decision that is remembered. More of them hardly come again."""
_MOST_KNOWN = 100_000
SLACK_MS = 1e-6
"""Far above what rounding makes of a sum of times."""


class Outcome(NamedTuple):
    """What one decision was, and would be."""

    before: Tally
    after: Tally
    n_changed: int
    """Messages that another plan would answer."""
    most_change: float
    """Weight of the greatest change."""
    need_ms: float
    """The outcome is the same wherever all messages have so much time left; infinite: it depends
    on more."""


class OutcomeMemory:
    """Remembers outcomes while beliefs stay as they are."""

    def __init__(self) -> None:
        self._known: dict[int, Outcome] = {}
        self._situations: dict[Hashable, int] = {}
        """Numbers by all that is recorded."""
        self._numbers: dict[Hashable, int] = {}
        """Of situations that differ in more than the order of their messages."""

    def forget(self) -> None:
        """Something else is believed."""
        self._known.clear()

    def situation(
        self, decision: RecordedDecision, settled: Settled, numbers: NDArray[np.int32]
    ) -> int | None:
        """Number of all that an outcome depends on beside beliefs and time; None: it is not
        remembered.

        Args:
            decision: that is replayed.
            settled: what holds for senders at its time.
            numbers: of the senders; shape (n,), n >= 1.
        """
        if (
            len(numbers) > MOST_MESSAGES
            or decision.exploration is not None
            or decision.overload_lasts
        ):
            return None
        kinds = settled.kind[numbers]
        recorded = (
            kinds.tobytes(),
            decision.route,
            decision.min_accuracy,
            bytes(decision.groups),
            decision.answered,
        )
        number = self._situations.get(recorded)
        if number is None:
            if len(self._situations) >= _MOST_KNOWN:
                for memory in (self._situations, self._numbers, self._known):
                    memory.clear()  # together, as numbers begin anew
            number = self._numbers.setdefault(_orderless(decision, kinds), len(self._numbers))
            self._situations[recorded] = number
        return number

    def look_up(self, situation: int, left_ms: bytes) -> Outcome | None:
        """The outcome; None: it is not known, or time is short.

        Args:
            situation: of the decision.
            left_ms: time left of each message, as recorded.
        """
        found = self._known.get(situation)
        if found is None or min(np.frombuffer(left_ms, "<f8").tolist()) < found.need_ms:
            return None
        return found

    def keep(self, situation: int, outcome: Outcome) -> None:
        """Remember an outcome, where it holds for more than its decision."""
        if outcome.need_ms == np.inf:
            return
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[situation] = outcome


def _orderless(decision: RecordedDecision, kinds: NDArray[np.int32]) -> Hashable:
    """What is recorded, whatever the order of the messages."""
    plans, call_of = [], [-1] * len(kinds)
    for place, (plan, items) in enumerate(decision.calls()):
        plans.append(plan)
        for item in items.tolist():
            call_of[item] = place
    answered = [False] * len(kinds)
    for item in np.frombuffer(decision.answered, "<i4").tolist():
        answered[item] = True
    floors = np.frombuffer(decision.min_accuracy, "<f8").tolist()
    each = sorted(zip(kinds.tolist(), floors, call_of, answered, strict=True))
    return decision.route, tuple(plans), tuple(each)
