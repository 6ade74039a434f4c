"""Noticing requests that were answered lately: same source, same id."""

from collections.abc import Sequence


class RecentIds:
    """The last ids that were seen, at most `capacity` of them."""

    def __init__(self, capacity: int = 65_536) -> None:
        self._capacity = capacity
        self._seen: dict[tuple[str, str], None] = {}

    def repeats(self, identities: Sequence[tuple[str, str] | None]) -> set[int]:
        """Indices of identities that were seen before; all are remembered from now on."""
        found = set()
        seen = self._seen
        for i, identity in enumerate(identities):
            if identity is None:
                continue
            if identity in seen:
                found.add(i)
            else:
                seen[identity] = None
        while len(seen) > self._capacity:
            del seen[next(iter(seen))]
        return found
