"""Saying that something goes on, and how long it may take, while nothing else says so."""

import threading
import time
from collections.abc import Callable
from typing import Self

EVERY_S = 5.0
"""Nobody waits longer for a sign of life."""


class Heartbeat:
    """Calls `beat` every so often from a thread of its own, until the block ends.

    Args:
        beat: makes and shows a line; it may be called while the block works.
        every_s: seconds from one call to the next.
    """

    def __init__(self, beat: Callable[[], None], every_s: float = EVERY_S) -> None:
        self._beat = beat
        self._every_s = every_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._every_s):
            self._beat()


class Outlook:
    """Time that is left, from the work that is done and the work that was planned.

    Work is counted in nominal seconds. What it takes here is learned from what is done.

    Args:
        total: nominal seconds of everything.
        clock: gives seconds.
    """

    def __init__(self, total: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._total = total
        self._clock = clock
        self._begun_s = self._step_begun_s = clock()
        self._done = 0.0
        self._step = 0.0
        self._share: float | None = None

    def begin(self, work: float) -> None:
        """A step of so much work begins."""
        self._step, self._share, self._step_begun_s = work, None, self._clock()

    def tell(self, share: float) -> None:
        """So much of the step is done, in [0, 1]."""
        self._share = share

    def end(self) -> None:
        """The step is done."""
        self._done += self._step
        self._step, self._share = 0.0, None

    def drop(self, work: float) -> None:
        """So much work is not done at all."""
        self._total -= work

    @property
    def step_s(self) -> float:
        """Seconds since the step began."""
        return self._clock() - self._step_begun_s

    @property
    def share(self) -> float:
        """Share of the step that is done, as told last; 0 before."""
        return self._share or 0.0

    @property
    def _reckoned_share(self) -> float:
        """As told, or else by the step's time; in [0, 0.95] then."""
        if self._share is not None:
            return self._share
        speed = self._speed
        if speed is None or not self._step:
            return 0.0
        return min(self.step_s / (self._step * speed), 0.95)

    @property
    def left_s(self) -> float | None:
        """Seconds until all is done, about; None before anything is done."""
        speed = self._speed
        if speed is None:
            return None
        return max(self._total - self._done - self._step * self._reckoned_share, 0.0) * speed

    @property
    def _speed(self) -> float | None:
        """Seconds that a nominal second takes; None before anything is done."""
        if self._share:
            return (self._clock() - self._begun_s) / (self._done + self._step * self._share)
        return (self._step_begun_s - self._begun_s) / self._done if self._done else None


def in_words(seconds: float | None) -> str:
    """The time that is left as it is told; empty where nobody knows."""
    if seconds is None:
        return ""
    return f"about {seconds:.0f} s left" if seconds < 100 else f"about {seconds / 60:.0f} min left"
