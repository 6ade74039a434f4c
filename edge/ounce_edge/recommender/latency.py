"""What is believed of a model's service time on this machine."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

WINDOW_CALLS = 256
"""Calls remembered: enough to see a 99th percentile, few enough to forget within seconds."""
WINDOW_SECONDS = 10.0
"""Older calls no longer count: a model that looked slow is believed its profile again."""


class LatencyBelief:
    """Service time of one model by batch size: a profile, corrected by what was seen lately.

    The profile gives the shape of the curve; recent calls give the ratio between the truth and the
    profile. A ratio seen at one batch size corrects all, so one call is enough to notice that the
    machine has slowed down. The median of the ratios corrects the median; their 99th percentile,
    never taken under the profile's own while calls are few, the 99th percentile.

    Args:
        batch_sizes: ascending, at least one.
        p50_ms: median time of one call at each batch size, milliseconds.
        p99_ms: 99th percentile, likewise.
    """

    def __init__(
        self, batch_sizes: Sequence[int], p50_ms: Sequence[float], p99_ms: Sequence[float]
    ) -> None:
        self._sizes: NDArray[np.float64] = np.array(batch_sizes, dtype=np.float64)
        self._p50_ms: NDArray[np.float64] = np.array(p50_ms, dtype=np.float64)
        # The median over batch sizes: a hiccup at one size must not pass for the model's habit.
        self._prior_tail = max(1.0, float(np.median(np.array(p99_ms) / self._p50_ms)))
        last, before = self._sizes[-1], self._sizes[-2] if len(self._sizes) > 1 else 0.0
        rise = self._p50_ms[-1] - (self._p50_ms[-2] if len(self._sizes) > 1 else 0.0)
        self._ms_per_row = max(float(rise / (last - before)), 0.0)
        self._ratios = np.ones(WINDOW_CALLS)
        self._seen_at_s = np.full(WINDOW_CALLS, -np.inf)
        self._next = 0
        self._seen = False
        self._median_ratio = 1.0
        self._p99_ratio = self._prior_tail

    def profile_ms(self, n_items: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """The profile's median time of one call, linear between and beyond its batch sizes."""
        beyond = np.maximum(np.subtract(n_items, self._sizes[-1]), 0.0) * self._ms_per_row
        return np.asarray(np.interp(n_items, self._sizes, self._p50_ms) + beyond)

    def median_ms(self, n_items: int) -> float:
        """Median time of one call with `n_items`, milliseconds."""
        return float(self.profile_ms(n_items)) * self._median_ratio

    def excess_ms(self, n_items: int) -> float | None:
        """How much longer calls take than the profile says; None when none was seen lately."""
        return self.median_ms(n_items) - float(self.profile_ms(n_items)) if self._seen else None

    def p99_ms(self, n_items: int | NDArray[np.float64]) -> NDArray[np.float64]:
        """99th percentile of the time of one call with `n_items` (number or array), ms."""
        return self.profile_ms(n_items) * self._p99_ratio

    def observe(self, n_items: int, elapsed_ms: float, at_s: float) -> None:
        """Learn from one call.

        Args:
            n_items: its batch size.
            elapsed_ms: its time, milliseconds.
            at_s: when, on any steady clock, seconds.
        """
        self._ratios[self._next] = elapsed_ms / float(self.profile_ms(n_items))
        self._seen_at_s[self._next] = at_s
        self._next = (self._next + 1) % WINDOW_CALLS
        self.refresh(at_s)

    def refresh(self, at_s: float) -> None:
        """Forget calls older than the window."""
        recent = np.sort(self._ratios[self._seen_at_s > at_s - WINDOW_SECONDS])
        n = len(recent)
        self._seen = n > 0
        if n == 0:
            self._median_ratio, self._p99_ratio = 1.0, self._prior_tail
            return
        self._median_ratio = float(recent[n // 2])
        seen = float(recent[int(np.ceil(0.99 * n)) - 1])
        few = max(0.0, 1.0 - n / (WINDOW_CALLS // 2))
        self._p99_ratio = max(seen, few * self._prior_tail * self._median_ratio)
