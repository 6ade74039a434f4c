"""Ending a process that waits in a call that does not return.

librdkafka's `rd_kafka_send_offsets_to_transaction` ignores its timeout (its issue 5456): when the
connection is lost meanwhile, it may wait until the connection is lost once more. No other thread
can end it, and the worker can neither go on nor stop in order.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

logger = logging.getLogger(__name__)


def _end_process(what: str) -> None:
    logger.critical("%s did not return: ending this process; its next start goes on", what)
    os._exit(1)


class TickGuard:
    """Calls `end` once one and the same thing has lasted too long. Time in which the process is
    stopped does not count.

    Args:
        what_lasts: looked at each tick; the same for as long as it lasts, None for nothing.
        ticks: how long it may last.
        tick_s: what a tick lasts, in seconds.
        end: called once, on the guard's thread.
        name: of the thread.
    """

    def __init__(
        self,
        what_lasts: Callable[[], object],
        ticks: float,
        tick_s: float,
        end: Callable[[], None],
        name: str,
    ) -> None:
        self._what_lasts, self._ticks, self._tick_s, self._end = what_lasts, ticks, tick_s, end
        self._closing = threading.Event()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def close(self) -> None:
        """Watch no more."""
        self._closing.set()

    def _run(self) -> None:
        last: object = None
        n = 0
        while not self._closing.wait(self._tick_s):
            now = self._what_lasts()
            n = n + 1 if now is not None and now == last else 0
            last = now
            if n >= self._ticks:
                self._end()
                return


class HangGuard(TickGuard):
    """Calls `end` once a watched call lasts too long.

    Args:
        ticks: how long.
        tick_s: what a tick lasts, in seconds.
        end: is told which call it is; by default ends the process, with exit code 1.
    """

    def __init__(
        self, ticks: int, *, tick_s: float = 1.0, end: Callable[[str], None] = _end_process
    ) -> None:
        self._call: object = None
        self._what = ""
        super().__init__(
            lambda: self._call, ticks, tick_s, lambda: end(self._what), name="hang-guard"
        )

    @contextmanager
    def watch(self, what: str) -> Iterator[None]:
        """Watch what is called inside; one call at a time."""
        self._what = what
        self._call = object()
        try:
            yield
        finally:
            self._call = None
