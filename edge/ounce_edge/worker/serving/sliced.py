"""At least once: what comes first of all that waits is answered first, in slices of time."""

import threading
import time
from collections.abc import Sequence

from ounce_edge.broker.delivery.base import Delivery
from ounce_edge.pipeline.turn import Turn
from ounce_edge.recommender.pacing.poll_size import PollSize
from ounce_edge.wire.records import Record
from ounce_edge.worker.serving.mode import LAST_WORDS_S, Count, Mode
from ounce_edge.worker.serving.tasks import Tasks

POLL_SLICES = 2.0
"""A poll may take as long as so many slices: a smaller one spends too much of its time on what each
poll takes, whatever it gives."""


class Sliced(Mode):
    """Answers in the order of deadlines, over all polls, and looks for newer requests between."""

    def __init__(
        self, tasks: Tasks, delivery: Delivery, lock: threading.Lock, count: Count
    ) -> None:
        super().__init__(tasks, delivery, lock, count)
        self._poll = PollSize()
        self._reading_ms = 0.0
        """Time that the last poll took, beside decoding what it gave."""
        self._each_room = 0.0

    async def take(self, records: Sequence[Record]) -> None:
        """As `Mode` says."""
        began_s = time.perf_counter()
        with self._lock:
            self._tasks.admit(records)
        admitting_ms = (time.perf_counter() - began_s) * 1e3
        self._poll.learn(len(records), self._reading_ms + admitting_ms)
        await self._step()

    async def work(self) -> bool:
        """As `Mode` says; where more is there to be read, reading comes first."""
        if not self._poll.is_behind and not self._tasks.due_in_s():
            await self._step()
            return True
        await self._hand_over()
        return False

    def finish(self, until_s: float) -> None:
        """As `Mode` says."""
        with self._lock:
            self._tasks.answer_all(until_s)
            for _ in range(2):  # the batch under way, and then what was answered since
                if self._delivery.wait(max(until_s - time.monotonic(), LAST_WORDS_S)):
                    self._start_confirming()

    def poll_size(self, room: int, each_room: float) -> int:
        """As `Mode` says: as many as are read in the time of a few slices, so that urgent ones need
        not wait for many others. Where all that waits is late, as many as there is room for."""
        self._each_room = each_room
        if self._poll.is_behind and self._tasks.all_late:
            return room
        return min(room, self._most())

    def polled(self, n_records: int, is_more: bool, took_s: float) -> None:
        """As `Mode` says."""
        self._poll.polled(n_records, is_more)
        self._reading_ms = took_s * 1e3

    async def _step(self) -> None:
        """One slice of work for each task that has any, then have it confirmed. Where more is there
        to be read, only what can't wait for that."""
        poll_ms = self._poll.poll_ms(self._most()) if self._poll.is_behind else 0.0
        with self._lock:
            self._tasks.answer_some(Turn(poll_ms=poll_ms, each_room=self._each_room))
        await self._hand_over()

    def _most(self) -> int:
        return self._poll.within(POLL_SLICES * self._tasks.slice_ms)
