"""Noticing requests that were answered lately: same source, same id."""

from collections.abc import Sequence


class RecentIds:
    """Remembers at least the last `capacity` ids, and at most twice as many.

    Two generations: when the young one is full it becomes the old one, which is dropped. Forgetting
    is then one assignment, where taking the oldest entry out of one dictionary would search it.
    """

    def __init__(self, capacity: int = 65_536) -> None:
        self._capacity = capacity
        self._young: set[tuple[str, str]] = set()
        self._old: set[tuple[str, str]] = set()

    def repeats(self, identities: Sequence[tuple[str, str] | None]) -> set[int]:
        """Indices of identities that were seen before; all are remembered from now on."""
        found = set()
        for i, identity in enumerate(identities):
            if identity is None:
                continue
            if identity in self._young or identity in self._old:
                found.add(i)
            self._young.add(identity)
            if len(self._young) >= self._capacity:
                self._young, self._old = set(), self._young
        return found
