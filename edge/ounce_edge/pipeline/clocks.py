"""The clocks that a pipeline goes by; tests hand in their own."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Clocks:
    """What time it is, and how long something took."""

    wall: Callable[[], float] = time.time
    """Seconds since 1970: record timestamps are held against it. It may be set back or forth."""
    steady: Callable[[], float] = time.perf_counter
    """Seconds since any moment; it only goes forward."""
    processor: Callable[[], float] = time.thread_time
    """Seconds that this thread has had the processor."""
