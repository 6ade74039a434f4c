"""Sends traces from a thread of its own: a receiver that is away or slow costs traces alone."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from ounce_edge.telemetry.trace_facts import Traced

logger = logging.getLogger(__name__)

TRACE_OUTCOMES = ("sent", "dropped", "limited")
"""What becomes of messages that are to be traced."""
MOST_WAITING = 2000
"""Messages that may wait to be sent: some megabytes."""
_AT_ONCE = 100
"""Messages of one request, which then has about 1,000 spans."""
_PAUSE_S = 1.0
_TELL_EVERY_S = 60.0

Export = Callable[[Sequence[Any]], bool]
"""Sends spans, and says whether they were taken; may take seconds."""


class Maker(Protocol):
    """As `SpanMaker`."""

    def spans(self, traced: Traced) -> Iterable[Any]: ...


class TraceSender:
    """Makes spans and sends them.

    Args:
        maker: makes them.
        export: sends them.
        count: is told how many messages were `sent`, `dropped` or `limited`.
        why: says why the last export failed.
        clock: seconds on a steady clock.
    """

    def __init__(
        self,
        maker: Maker,
        export: Export,
        count: Callable[[str, int], None],
        why: Callable[[], str] = lambda: "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._maker = maker
        self._export = export
        self.count = count
        self._why = why
        self._clock = clock
        self._waiting: deque[tuple[Traced, int]] = deque()
        self._n_waiting = 0
        self._changed = threading.Condition()
        self._is_closing = False
        self._told_at_s = -_TELL_EVERY_S
        self._n_untold = 0
        self._thread = threading.Thread(target=self._run, name="traces", daemon=True)

    def start(self) -> None:
        """Send from now on."""
        self._thread.start()

    def send(self, traced: Traced, n: int) -> None:
        """Take what is to be sent; it is dropped where too much waits. Never waits."""
        with self._changed:
            if self._n_waiting + n > MOST_WAITING:
                self._lose(n, "too many wait to be sent")
                return
            self._waiting.append((traced, n))
            self._n_waiting += n
            if self._n_waiting >= _AT_ONCE:
                self._changed.notify()

    def close(self, timeout_s: float = 2.0) -> None:
        """Send what waits, as far as time permits."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._n_waiting < _AT_ONCE and not self._is_closing:
                    self._changed.wait(_PAUSE_S)
                some = self._take()
                if not some and self._is_closing:
                    return
            if some:
                self._send(some)

    def _take(self) -> list[tuple[Traced, int]]:
        some = list[tuple[Traced, int]]()
        n = 0
        while self._waiting and n < _AT_ONCE:
            some.append(self._waiting.popleft())
            n += some[-1][1]
        self._n_waiting -= n
        return some

    def _send(self, some: Sequence[tuple[Traced, int]]) -> None:
        n = sum(n for _, n in some)
        try:
            is_taken = self._export([s for traced, _ in some for s in self._maker.spans(traced)])
            why = "" if is_taken else self._why()
        except Exception as e:  # whatever a client raises, it costs these traces alone
            is_taken, why = False, f"{type(e).__name__}: {e}"
        if is_taken:
            self.count("sent", n)
            return
        with self._changed:
            self._lose(n, why)

    def _lose(self, n: int, why: str) -> None:
        """Count, and tell at most once a minute. With the lock held."""
        self.count("dropped", n)
        self._n_untold += n
        now_s = self._clock()
        if now_s - self._told_at_s >= _TELL_EVERY_S:
            self._told_at_s = now_s
            logger.warning("traces of %d messages are lost: %s", self._n_untold, why)
            self._n_untold = 0
