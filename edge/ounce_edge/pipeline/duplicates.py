"""Noticing requests that were answered lately: same origin, same id."""

from collections.abc import Sequence

from ounce_edge.evidence.names import MOST_BYTES, bounded_name
from ounce_edge.wire.identity import Identity


class RecentIds:
    """Remembers at least the last `capacity` identities, and at most twice as many.

    Two generations: when the young one is full it becomes the old one, which is dropped. Forgetting
    is then one assignment, where taking the oldest entry out of one dictionary would search it.
    """

    def __init__(self, capacity: int = 65_536) -> None:
        self._capacity = capacity
        self._young: set[tuple[str | bytes, bytes]] = set()
        self._old: set[tuple[str | bytes, bytes]] = set()

    def repeats(self, identities: Sequence[Identity | None]) -> set[int]:
        """Indices of identities that were seen before; all are remembered from now on."""
        found = set()
        for i, identity in enumerate(identities):
            if identity is None:
                continue
            name = _bounded(identity)
            if name in self._young or name in self._old:
                found.add(i)
            self._young.add(name)
            if len(self._young) >= self._capacity:
                self._young, self._old = set(), self._young
        return found


def _bounded(identity: Identity) -> tuple[str | bytes, bytes]:
    """The identity itself where it is short, else one of bounded size that is no other's."""
    if len(identity.id) + len(identity.origin) <= MOST_BYTES:
        return identity
    return bounded_name(identity.id.encode()), bounded_name(identity.origin)
