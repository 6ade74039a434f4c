"""Ending a worker that makes no progress, since nothing else can end a call that does not return.

Its supervisor begins it anew, or its group gives its partitions to others. Without an end it holds
them, and they wait.
"""

import logging
import os
import threading
from collections.abc import Callable

from ounce_edge.broker.hang_guard import TickGuard
from ounce_edge.telemetry.health import Health

logger = logging.getLogger(__name__)

_TICK_S = 1.0
_LAST_WORDS_S = 5.0
_PATIENCE_S = 30.0
"""Behind the time at which the worker is not healthy: so long others have to look, or to end it."""


def _end_process(stalled_s: float) -> None:
    logger.critical(
        "no progress for %.0f s: ending this process; its next start, or another worker, goes on "
        "at the committed offset",
        stalled_s,
    )
    os._exit(1)


class StallGuard(TickGuard):
    """Calls `end` once a worker has made no progress for too long.

    Args:
        health: knows of progress.
        drain_s: what giving up partitions may take, in seconds.
        last_words: said before that, for some seconds at most.
        tick_s: from one look to the next.
        end: is told how long there was no progress, in seconds; by default ends the process, with
            exit code 1.
    """

    def __init__(
        self,
        health: Health,
        drain_s: float,
        last_words: Callable[[], None] = lambda: None,
        *,
        tick_s: float = _TICK_S,
        end: Callable[[float], None] = _end_process,
    ) -> None:

        def give_up() -> None:
            _say(last_words)
            end(health.stalled_s)

        super().__init__(
            lambda: health.progress_at_s if health.stalled_s else None,
            (_PATIENCE_S + drain_s) / _TICK_S,
            tick_s,
            give_up,
            name="stall-guard",
        )


def _say(last_words: Callable[[], None]) -> None:
    """On a thread of its own: what holds up the worker may hold up this, too."""
    thread = threading.Thread(target=last_words, name="last-words", daemon=True)
    thread.start()
    thread.join(_LAST_WORDS_S)
