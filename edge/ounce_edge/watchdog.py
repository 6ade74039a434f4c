"""Noticing a consumer that reads nothing although there is something to read.

Clients have been seen to stay silent after a broker came back, with all partitions assigned and no
error. What they say of their own lag is as old as their last fetch, so the ends of the partitions
are asked of the broker, on another connection.
"""

from collections.abc import Mapping

Partition = tuple[str, int]

STUCK_AFTER_S = 30.0


class Watchdog:
    """Compares where a consumer is with where its partitions end."""

    def __init__(self) -> None:
        self._since_s: dict[Partition, tuple[int, float]] = {}

    def stuck(
        self, positions: Mapping[Partition, int], ends: Mapping[Partition, int], at_s: float
    ) -> list[Partition]:
        """Partitions that have had records to read for `STUCK_AFTER_S` without one being read.

        Args:
            positions: next offset to read, of every assigned partition.
            ends: next offset to be written, where it is known.
            at_s: now, on any steady clock.
        """
        behind = {p: at for p, at in positions.items() if ends.get(p, at) > at}
        self._since_s = {
            p: since
            if (since := self._since_s.get(p)) is not None and since[0] == at
            else (at, at_s)
            for p, at in behind.items()
        }
        return [p for p, (_, s) in self._since_s.items() if at_s - s >= STUCK_AFTER_S]
