"""Which messages are traced: a share of all, and those that missed a target or failed."""

import math
import random
from collections.abc import Callable


class RateLimit:
    """Lets at most so many through in a second; what is saved up is a second's worth.

    Args:
        per_s: how many.
        clock: seconds on a steady clock.
    """

    def __init__(self, per_s: float, clock: Callable[[], float]) -> None:
        self._per_s = per_s
        self._clock = clock
        self._saved = per_s
        self._at_s = clock()

    def take(self, wanted: int) -> int:
        """How many of some may pass now."""
        now_s = self._clock()
        self._saved = min(self._saved + max(now_s - self._at_s, 0.0) * self._per_s, self._per_s)
        self._at_s = now_s
        passed = min(wanted, int(self._saved))
        self._saved -= passed
        return passed


class TraceChoice:
    """Chooses by share and rate.

    Args:
        share: of messages whose sender says nothing, in [0, 1].
        per_s: at most so many a second of those that are sampled, and as many of those that missed
            a target or failed.
        clock: seconds on a steady clock.
        rng: draws.
    """

    def __init__(
        self, share: float, per_s: float, clock: Callable[[], float], rng: random.Random
    ) -> None:
        self._share = share
        self._rate = -math.log1p(-share) if share < 1.0 else math.inf
        """Of the exponential distribution whose whole part is the gap between two."""
        self._rng = rng
        self._passed_over = self._gap()
        """Messages until the next one that is sampled."""
        self._sampled = RateLimit(per_s, clock)
        self._notable = RateLimit(per_s, clock)

    def draw(self, n: int) -> list[int]:
        """Which of `n` messages of senders that say nothing are sampled; ascending.

        The gaps between them are drawn, so that the cost is that of those which are sampled.
        """
        found, at = list[int](), self._passed_over
        while at < n:
            found.append(int(at))
            at += 1 + self._gap()
        self._passed_over = at - n
        return found

    def _gap(self) -> float:
        """How many messages are passed over until one is sampled; infinite where none is."""
        if self._share >= 1.0:
            return 0
        if self._share <= 0.0:
            return math.inf
        return int(self._rng.expovariate(self._rate))

    def limit(self, sampled: list[int], notable: list[int]) -> tuple[list[int], int]:
        """Which of these messages are traced, and how many are not for the rate's sake.

        Args:
            sampled: that may be traced.
            notable: that missed a target or failed; they come before others.
        """
        others = [*set(sampled).difference(notable)] if notable else sampled
        kept = notable[: self._notable.take(len(notable))]
        kept = kept + others[: self._sampled.take(len(others))]
        return sorted(kept), len(notable) + len(others) - len(kept)
