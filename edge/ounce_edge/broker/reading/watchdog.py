"""Noticing a consumer that reads nothing although there is something to read, and a partition that
another producer holds up.

A client may stay silent after a broker came back, with all partitions assigned and no error.
"""

from collections.abc import Mapping

from ounce_edge.broker.broker_view import Marks
from ounce_edge.broker.places import Partition

STUCK_AFTER_S = 30.0
BLOCKED_AFTER_S = 30.0
"""Longer than an ordinary transaction is open."""


class Stillness:
    """How long partitions have been where they are.

    Args:
        after_s: time that is too long.
    """

    def __init__(self, after_s: float) -> None:
        self._after_s = after_s
        self._since_s: dict[Partition, tuple[int, float]] = {}

    def observe(self, positions: Mapping[Partition, int], at_s: float) -> dict[Partition, float]:
        """Of these partitions, which should move, those that have not moved for too long.

        Args:
            positions: next offset to read.
            at_s: now, in seconds on any steady clock.

        Returns:
            Since when, on that clock.
        """
        self._since_s = {
            place: since
            if (since := self._since_s.get(place)) is not None and since[0] == at
            else (at, at_s)
            for place, at in positions.items()
        }
        return {p: s for p, (_, s) in self._since_s.items() if at_s - s >= self._after_s}


class Watchdog:
    """Compares where a consumer is with where its partitions end."""

    def __init__(self) -> None:
        self._unread = Stillness(STUCK_AFTER_S)
        self._held_up = Stillness(BLOCKED_AFTER_S)

    def find_stuck(
        self, positions: Mapping[Partition, int], marks: Mapping[Partition, Marks], at_s: float
    ) -> list[Partition]:
        """Partitions that have had records to read for `STUCK_AFTER_S` without one being read.

        Args:
            positions: next offset to read, of every assigned partition where it is known.
            marks: of those partitions of which the broker tells.
            at_s: now, in seconds on any steady clock.
        """
        behind = {p: at for p, at in positions.items() if p in marks and marks[p].stable_end > at}
        return [*self._unread.observe(behind, at_s)]

    def find_blocked(
        self, positions: Mapping[Partition, int], marks: Mapping[Partition, Marks], at_s: float
    ) -> dict[Partition, float]:
        """Partitions that are read up to a transaction that has been open for `BLOCKED_AFTER_S`.

        Arguments are those of `find_stuck`.

        Returns:
            Since when each is, on the clock of `at_s`.
        """
        held_up = {
            p: at
            for p, at in positions.items()
            if p in marks and marks[p].end > marks[p].stable_end and at >= marks[p].stable_end
        }
        return self._held_up.observe(held_up, at_s)

    def forget_stuck(self) -> None:
        """The consumer is another one: it has the whole time again."""
        self._unread = Stillness(STUCK_AFTER_S)
