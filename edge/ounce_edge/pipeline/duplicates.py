"""Noticing requests that were answered lately: same origin, same id."""

from collections.abc import Sequence

from ounce_edge.evidence.names import MOST_BYTES, bounded_name
from ounce_edge.wire.requests.identity import Identity

_Name = Identity | tuple[bytes, bytes]


class RecentIds:
    """Remembers at least the last `capacity` identities, and at most twice as many.

    Two generations: when the young one is full it becomes the old one, which is dropped. Forgetting
    is then one assignment, where taking the oldest entry out of one dictionary would search it.
    """

    def __init__(self, capacity: int = 65_536) -> None:
        self._capacity = capacity
        self._young: set[_Name] = set()
        self._old: set[_Name] = set()

    def repeats(self, identities: Sequence[Identity | None]) -> set[int]:
        """Indices of identities that were seen before; all are remembered from now on."""
        found = set()
        young, old = self._young, self._old
        for i, identity in enumerate(identities):
            if identity is None:
                continue
            is_short = len(identity.id) + len(identity.origin) <= MOST_BYTES
            name = identity if is_short else _bounded(identity)
            if name in young or name in old:
                found.add(i)
            young.add(name)
            if len(young) >= self._capacity:
                young, old = set[_Name](), young
        self._young, self._old = young, old
        return found


def _bounded(identity: Identity) -> tuple[bytes, bytes]:
    """In place of a long one, of bounded size and no other's."""
    return bounded_name(identity.id.encode()), bounded_name(identity.origin)
