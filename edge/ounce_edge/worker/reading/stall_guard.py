"""Ending a worker that makes no progress, since nothing else can end a call that does not return.

Its supervisor begins it anew, or its group gives its partitions to others. Without an end it holds
them, and they wait.
"""

import logging
import os
import threading
from collections.abc import Callable

from ounce_edge.telemetry.health import Health

logger = logging.getLogger(__name__)

_TICK_S = 1.0
_PATIENCE_S = 30.0
"""Behind the time at which the worker is not healthy: so long others have to look, or to end it."""


def _end_process(stalled_s: float) -> None:
    logger.critical(
        "no progress for %.0f s: ending this process; its next start, or another worker, goes on "
        "at the committed offset",
        stalled_s,
    )
    os._exit(1)


class StallGuard:
    """Time in which the process is stopped does not count.

    Args:
        health: knows of progress.
        drain_s: what giving up partitions may take, in seconds.
        tick_s: from one look to the next.
        end: is told how long there was no progress, in seconds; by default ends the process, with
            exit code 1.
    """

    def __init__(
        self,
        health: Health,
        drain_s: float,
        *,
        tick_s: float = _TICK_S,
        end: Callable[[float], None] = _end_process,
    ) -> None:
        self._health, self._tick_s, self._end = health, tick_s, end
        self._most_ticks = (_PATIENCE_S + drain_s) / _TICK_S
        self._closing = threading.Event()
        threading.Thread(target=self._run, name="stall-guard", daemon=True).start()

    def close(self) -> None:
        """Look no more."""
        self._closing.set()

    def _run(self) -> None:
        n, seen_s = 0, 0.0
        while not self._closing.wait(self._tick_s):
            progress_at_s, stalled_s = self._health.progress_at_s, self._health.stalled_s
            n = n + 1 if stalled_s and progress_at_s == seen_s else 0
            seen_s = progress_at_s
            if n >= self._most_ticks:
                self._end(stalled_s)
                return
