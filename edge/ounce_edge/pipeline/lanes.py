"""Threads that make long calls beside the one that serves. They know nothing of what they call.

A lane takes one call at a time and none is queued: once a lane is free, who calls decides anew,
with what came meanwhile. All methods are for one thread at a time; only the calls run on lanes.
"""

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class _Running:
    future: Future[Any]
    began_s: float
    takes_s: float
    """As predicted."""


class Lanes:
    """A fixed number of threads, started when they are first needed.

    Args:
        n: how many; with 0 none is ever free.
        steady: seconds on a clock that only goes forward.
    """

    def __init__(self, n: int, steady: Callable[[], float] = time.perf_counter) -> None:
        self._n = n
        self._steady = steady
        self._threads = ThreadPoolExecutor(max(n, 1), thread_name_prefix="lane")
        self._running: list[_Running] = []
        self._ended = threading.Event()

    def __len__(self) -> int:
        return self._n

    @property
    def n_free(self) -> int:
        """Lanes that can take a call now."""
        return self._n - len(self._still_running())

    @property
    def next_end_ms(self) -> float:
        """Time until the next of the running calls ends, as predicted: 0 where it takes longer than
        that, infinite where none is running."""
        now_s = self._steady()
        left_s = [call.began_s + call.takes_s - now_s for call in self._still_running()]
        return max(min(left_s, default=math.inf), 0.0) * 1e3

    @property
    def longest_s(self) -> float:
        """For how long the oldest of the calls has been running; 0 where none is."""
        began_s = [call.began_s for call in self._still_running()]
        return self._steady() - min(began_s) if began_s else 0.0

    def start(self, call: Callable[[], T], takes_ms: float) -> Future[T]:
        """Make a call on a free lane.

        Args:
            call: to make; what it raises, its future raises.
            takes_ms: its predicted time, milliseconds.

        Raises:
            RuntimeError: no lane is free, or they are closed.
        """
        if not self.n_free:
            raise RuntimeError(f"none of {self._n} lanes is free; look at `n_free` first")
        future = self._threads.submit(call)
        self._running.append(_Running(future, self._steady(), takes_ms / 1e3))
        future.add_done_callback(lambda _: self._ended.set())
        return future

    def wait(self, timeout_s: float) -> None:
        """Block until a call has ended since the last wait, or the time is over."""
        self._ended.wait(timeout_s)
        self._ended.clear()

    def close(self) -> None:
        """Wait for the calls that are running, and end the threads."""
        self._threads.shutdown(wait=True)

    def _still_running(self) -> list[_Running]:
        self._running = [call for call in self._running if not call.future.done()]
        return self._running
