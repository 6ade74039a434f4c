"""The batch that is being confirmed, on a thread of its own: common to both deliveries."""

import asyncio
import time
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor, wait

from ounce_edge.broker.delivery.stall_watch import StallWatch
from ounce_edge.wire.records import Outgoing


class Confirming:
    """Confirms one batch after another. A part of `Delivery`, whose properties and calls it has.

    Args:
        thread_name: of the thread.
    """

    _watch: StallWatch

    def __init__(self, thread_name: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=thread_name)
        self._running: Future[None] | None = None
        self._began_s = 0.0
        """When the batch under way began to be confirmed; 0 where none is."""
        self._topics: Collection[str] = ()
        """Where the records of the batch under way go."""
        self.confirm_ms = 0.0

    @property
    def unconfirmed_s(self) -> float:
        """As `Delivery` says."""
        return passed_s(self._began_s)

    @property
    def trouble(self) -> str | None:
        """As `Delivery` says."""
        return self._watch.trouble

    @property
    def is_settled(self) -> bool:
        """As `Delivery` says."""
        return self._running is None or self._running.done()

    async def settled(self, timeout_s: float) -> bool:
        """As `Delivery` says."""
        if not self.is_settled and timeout_s > 0 and self._running is not None:
            await asyncio.wait([asyncio.wrap_future(self._running)], timeout=timeout_s)
        return self.is_settled

    def wait(self, timeout_s: float) -> bool:
        """As `Delivery` says."""
        if self._running is not None:
            if not self._running.done():
                wait([self._running], timeout_s)
            if self._running.done():
                self._running.result()
        return self.is_settled

    def _end_batch(self) -> None:
        """The batch before is confirmed; raises its error."""
        if self._running is not None:
            self._running.result()
            self._running = None

    def _begin_batch(self, batch: Collection[Outgoing], confirm: Callable[[], None]) -> None:
        self._topics = {outgoing.topic for outgoing in batch}
        self._began_s = time.monotonic()
        self._running = self._thread.submit(confirm)

    def _note_confirmed(self) -> None:
        self.confirm_ms, self._began_s = self.unconfirmed_s * 1e3, 0.0


def passed_s(began_s: float) -> float:
    """Seconds since a time on the clock of `time.monotonic`; 0 of 0, which is none."""
    return time.monotonic() - began_s if began_s else 0.0
