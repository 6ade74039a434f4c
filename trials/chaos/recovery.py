"""How long it took after a fault until all was answered again. Pure."""

from bisect import bisect_right
from collections.abc import Mapping
from itertools import accumulate
from math import inf

_PROMPT_S = 1.0


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
        held_up = [
            answered_s if answered_s - at_s > _PROMPT_S else 0.0 for at_s, answered_s in both
        ]
        self._by_then = list(accumulate(held_up, max))

    def after(self, ended_s: float, shows_s: float) -> float:
        """Seconds from the end of a fault until all inputs that it held up were answered: those
        that were delivered before its end, or up to `shows_s` after it, and waited for more than a
        second. Infinite where one never was answered."""
        n = bisect_right(self._delivered, ended_s + shows_s)
        return max(self._by_then[n - 1] - ended_s, 0.0) if n else 0.0

    def longest_wait(self, began_s: float, ended_s: float) -> float:
        """Seconds that an input delivered meanwhile waited at most."""
        first, last = bisect_right(self._delivered, began_s), bisect_right(self._delivered, ended_s)
        waits = zip(self._delivered[first:last], self._answered[first:last], strict=True)
        return max((answered - delivered for delivered, answered in waits), default=0.0)
