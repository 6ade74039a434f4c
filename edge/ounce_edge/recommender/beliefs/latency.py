"""What is believed of a model's service time on this machine."""

import math
from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.float64] | float
WINDOW_CALLS = 256
"""Calls remembered: enough to see a 99th percentile, few enough to forget within seconds."""
WINDOW_SECONDS = 10.0
"""Older calls do not count: a model that looked slow is believed its profile again."""
LEVEL_SECONDS = 1.0
"""The level is the median of the calls of the last second, so that it follows within one."""
CENTRED_CALLS = 4
"""Calls on either side of the one whose distance from the level is taken."""
LEVEL_CALLS = (3, 2 * CENTRED_CALLS + 1)
"""At least and at most this many calls make the level."""
TAIL_EVERY_CALLS = 16
"""How often the tail is worked out anew."""
_MOST_PROFILES = 1024
"""Batch sizes whose profile is remembered."""


class LatencyBelief:
    """Service time of one model by batch size: a profile, corrected by what was seen lately.

    The profile gives the shape of the curve. A call gives one ratio between the truth and the
    profile, at whatever batch size it had. Two robust figures correct the profile:

    - The level: a median of the last second's calls. A machine that slows down, or recovers, is
      believed after a few calls.
    - The spread: the 99th percentile of the calls' distances from the level around them, over ten
      seconds. A distance is taken once the calls on both sides are known. So a step of the level
      passes for a step, and only what sticks out for a tail. The spread grows with the square root
      of the time, as the sum of many independent delays does. So what sticks out of a call of
      microseconds does not multiply one of milliseconds. While calls are few the profile's own
      tail counts as well.

    Args:
        batch_sizes: ascending, at least one.
        p50_ms: median time of one call at each batch size, milliseconds.
        p99_ms: 99th percentile, likewise.
    """

    def __init__(
        self, batch_sizes: Sequence[int], p50_ms: Sequence[float], p99_ms: Sequence[float]
    ) -> None:
        self._sizes: NDArray[np.float64] = np.array(batch_sizes, dtype=np.float64)
        # A larger batch never takes less time; where it was measured so, that was noise.
        self._p50_ms: NDArray[np.float64] = np.maximum.accumulate(np.array(p50_ms, np.float64))
        # The median over batch sizes: a hiccup at one size must not pass for the model's habit.
        self._prior_tail = max(1.0, float(np.median(np.array(p99_ms) / np.array(p50_ms))))
        several = len(self._sizes) > 1
        last, before = self._sizes[-1], self._sizes[-2] if several else 0.0
        rise = self._p50_ms[-1] - (self._p50_ms[-2] if several else 0.0)
        self._ms_per_row = max(float(rise / (last - before)), 0.0)
        self._profiles: dict[int, float] = {}
        """By batch size."""
        self._calls: deque[tuple[float, float]] = deque(maxlen=LEVEL_CALLS[1])
        """Ratio and time of the latest calls, oldest first."""
        self._profiles_ms: deque[float] = deque(maxlen=LEVEL_CALLS[1])
        """What the profile says of the latest calls."""
        self._distances: deque[tuple[float, float]] = deque(maxlen=WINDOW_CALLS)
        self._n_seen = 0
        self._seen_at_s = -np.inf
        self.usual = 1.0
        """The level in the long run: what a sudden slowness is held against."""
        self.level = 1.0
        """Median time of a call, over the profile's."""
        self.tail = self._prior_tail
        """99th percentile of the time of a call over its median, by the profile; fades to 1 as
        calls are seen."""
        self.spread = 0.0
        """What the 99th percentile of the time of a call is more than its median, over the level,
        as seen. It is that of a call of 1 ms, and grows with the square root of the time."""

    def profile_ms(self, n_items: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """The profile's median time of one call, linear between and beyond its batch sizes."""
        beyond = np.maximum(np.subtract(n_items, self._sizes[-1]), 0.0) * self._ms_per_row
        return np.asarray(np.interp(n_items, self._sizes, self._p50_ms) + beyond)

    def profile_of(self, n_items: int) -> float:
        """`profile_ms` of one batch size; those that come again are looked up."""
        found = self._profiles.get(n_items)
        if found is None:
            if len(self._profiles) >= _MOST_PROFILES:
                self._profiles.clear()
            found = self._profiles[n_items] = float(self.profile_ms(n_items))
        return found

    def median_ms(self, n_items: int) -> float:
        """Median time of one call with `n_items`, milliseconds."""
        return self.profile_of(n_items) * self.level

    def p99_ms(self, n_items: int | NDArray[np.float64]) -> NDArray[np.float64]:
        """99th percentile of the time of one call with `n_items` (number or array), ms."""
        profile_ms = self.profile_ms(n_items)
        return self.level * (profile_ms + excess_ms(profile_ms, self.tail, self.spread))

    def excess_ms(self, n_items: int) -> float | None:
        """How much longer calls take than the profile says; None when none was seen lately."""
        if not self._calls:
            return None
        return self.profile_of(n_items) * (self.level - 1.0)

    def seen_since(self, at_s: float) -> bool:
        """Whether a call ended at `at_s` or later."""
        return self._seen_at_s >= at_s

    @property
    def slowdown(self) -> float:
        """The level over the usual one: about 1 as long as nothing changes."""
        return self.level / self.usual

    @property
    def slower_by_ms(self) -> float:
        """How much longer than usual a call like the latest one takes; 0 where none was seen."""
        return self._profiles_ms[-1] * (self.level - self.usual) if self._profiles_ms else 0.0

    @property
    def latest_slowdown(self) -> float:
        """The latest call over the usual level; 1 where none was seen lately."""
        return self._calls[-1][0] / self.usual if self._calls else 1.0

    def start_over(self) -> None:
        """Judge the level by the calls that come now."""
        self._calls.clear()

    def observe(self, n_items: int, elapsed_ms: float, at_s: float) -> None:
        """Learn from one call.

        Args:
            n_items: its batch size.
            elapsed_ms: its time, milliseconds.
            at_s: when, on any steady clock, seconds.
        """
        profile_ms = self.profile_of(n_items)
        self._calls.append((max(elapsed_ms, 1e-6) / profile_ms, at_s))  # a coarse clock says 0
        self._profiles_ms.append(profile_ms)
        self._seen_at_s = at_s
        self._n_seen += 1
        self.level = self._level(at_s)
        weight = max(1.0 / self._n_seen, 1.0 / WINDOW_CALLS)
        self.usual *= (self.level / self.usual) ** weight
        around = [r for r, _ in self._calls]
        if len(around) > CENTRED_CALLS:
            ratio, seen_at_s = self._calls[-CENTRED_CALLS - 1]
            distance = ratio / sorted(around)[len(around) // 2] - 1.0
            scale = self._profiles_ms[-CENTRED_CALLS - 1] ** 0.5
            self._distances.append((distance * scale, seen_at_s))
        if self._n_seen % TAIL_EVERY_CALLS == 0:
            self._forget(at_s)

    def refresh(self, at_s: float) -> None:
        """Forget calls older than the window."""
        self._forget(at_s)
        if self._calls:
            self.level = self._level(at_s)
        else:
            self.level = 1.0

    def _level(self, at_s: float) -> float:
        least, _ = LEVEL_CALLS
        ratios = [r for r, seen_at_s in self._calls if seen_at_s > at_s - LEVEL_SECONDS]
        if len(ratios) < least:
            ratios = [r for r, _ in self._calls][-least:]
        if len(ratios) == 1:  # believed slow only once another one says so, too
            ratios.append(self.usual)
        return sorted(ratios)[(len(ratios) - 1) // 2]  # of two, the smaller: one hiccup is none

    def _forget(self, at_s: float) -> None:
        oldest_s = at_s - WINDOW_SECONDS
        for remembered in (self._calls, self._distances):
            while remembered and remembered[0][1] <= oldest_s:
                remembered.popleft()
        distances = sorted([d for d, _ in self._distances])
        n = len(distances)
        self.spread = max(0.0, distances[math.ceil(0.99 * n) - 1]) if n else 0.0
        few = max(0.0, 1.0 - n / (WINDOW_CALLS // 2))
        self.tail = max(1.0, few * self._prior_tail)


def excess_ms(median_ms: Times, tail: Times, spread: Times) -> NDArray[np.float64]:
    """99th percentile of a call's time less its median, at the level 1; `LatencyBelief` says how.

    Args:
        median_ms: median time of the call, any shape.
        tail: at least 1, shape that broadcasts with the times.
        spread: likewise.
    """
    return np.asarray(np.maximum((tail - 1.0) * median_ms, spread * np.sqrt(median_ms)))
