"""Processor time of what is done often."""

import time
from collections.abc import Callable

EVERY = 7
"""Of so many times one is measured: to ask for a thread's time is a call of the system, which takes
microseconds on virtual machines. A prime number, so that no habit of the load is met each time."""


class SampledTime:
    """Measures one of `EVERY` times, which then counts for all of them.

    Args:
        clock: processor time of this thread, seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.thread_time) -> None:
        self._clock = clock
        self._n = 0

    def begin(self) -> float | None:
        """It begins: the time to hand to `end_ms`."""
        self._n += 1
        return None if self._n % EVERY else self._clock()

    def end_ms(self, began_s: float | None) -> float:
        """It has ended: processor time of it and of those that were not measured, milliseconds."""
        return 0.0 if began_s is None else (self._clock() - began_s) * 1e3 * EVERY
