"""How long it took after a fault until all was answered again. Pure."""

from bisect import bisect_right
from collections.abc import Mapping
from itertools import accumulate
from math import inf


class Recovery:
    """Joins when inputs were delivered with when they were first answered.

    Args:
        delivered: seconds by id, on any clock.
        settled: the same of answers, on the same clock.
    """

    def __init__(self, delivered: Mapping[str, float], settled: Mapping[str, float]) -> None:
        both = sorted((at_s, settled.get(id, inf)) for id, at_s in delivered.items())
        self._delivered = [at_s for at_s, _ in both]
        self._answered = [at_s for _, at_s in both]
        self._by_then = list(accumulate(self._answered, max))

    def after(self, ended_s: float) -> float:
        """Seconds from the end of a fault until every input that was delivered before it was
        answered; infinite where one never was."""
        n = bisect_right(self._delivered, ended_s)
        return max(self._by_then[n - 1] - ended_s, 0.0) if n else 0.0

    def longest_wait(self, began_s: float, ended_s: float) -> float:
        """Seconds that an input delivered meanwhile waited at most."""
        first, last = bisect_right(self._delivered, began_s), bisect_right(self._delivered, ended_s)
        waits = zip(self._delivered[first:last], self._answered[first:last], strict=True)
        return max((answered - delivered for delivered, answered in waits), default=0.0)
