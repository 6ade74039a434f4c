"""How a worker takes and answers polls, as its delivery demands."""

import math
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

from confluent_kafka import TopicPartition

from ounce_edge.broker.delivery.base import Delivery
from ounce_edge.broker.delivery.refusals import Refused
from ounce_edge.broker.places import Partition, place_of
from ounce_edge.pipeline.reports import Report
from ounce_edge.wire.records import Record
from ounce_edge.worker.serving.tasks import Tasks

PATIENCE_S = 2.0
"""So long answers wait for the batch before theirs, and nothing else is done. After that the worker
polls on, without taking records: a consumer that does not poll loses its partitions."""
LAST_WORDS_S = 2.0
"""So long a broker gets at least for a batch when partitions are given up."""
Count = Callable[[Sequence[Report], Sequence[Refused]], None]


class Mode(ABC):
    """Takes polls, answers them, and gives the answers to a delivery.

    Args:
        tasks: answer.
        delivery: takes the answers.
        lock: over both, held for each piece of work.
        count: called, once a batch is confirmed, with what became of it.
    """

    def __init__(
        self, tasks: Tasks, delivery: Delivery, lock: threading.Lock, count: Count
    ) -> None:
        self._tasks = tasks
        self._delivery = delivery
        self._lock = lock
        self._count = count
        self._ends: dict[Partition, int] = {}

    @abstractmethod
    async def take(self, records: Sequence[Record]) -> None:
        """Take one poll, and answer some of what waits."""

    @abstractmethod
    async def work(self) -> bool:
        """Between two polls: answer some of what waits, if that comes before reading; whether there
        was something to do."""

    @abstractmethod
    def finish(self, until_s: float) -> None:
        """Answer all that waits and have it confirmed, as far as time permits. Blocks.

        Args:
            until_s: on the clock of `time.monotonic`.
        """

    @abstractmethod
    def poll_size(self, room: int, each_room: float) -> int:
        """Records that the next poll may take.

        Args:
            room: how many more may wait.
            each_room: share of all the room that each takes.
        """

    @abstractmethod
    def polled(self, n_records: int, is_more: bool, took_s: float) -> None:
        """A poll gave records, in so many seconds; maybe there are more."""

    @property
    def n_untouched(self) -> int:
        """Records that were taken, and are not with a pipeline yet."""
        return 0

    def reach_ends(self, ends: Mapping[Partition, int]) -> None:
        """All that can be read of these partitions was taken, up to these offsets. With the lock
        held."""
        self._ends.update(ends)

    def drop(self, partitions: Collection[TopicPartition]) -> int:
        """Others own these; how many requests of theirs are dropped. With the lock held."""
        for at in partitions:
            self._ends.pop(place_of(at), None)
        return self._tasks.drop(partitions)

    def start_over(self) -> None:
        """All since the committed offsets is read again. With the lock held."""
        self._ends.clear()
        self._tasks.take_answered()
        self._tasks.forget_ids()

    def due_in_s(self) -> float:
        """Seconds until there is something to do; infinite where nothing is open."""
        return math.inf if self.is_stalled else self._tasks.due_in_s()

    @property
    def is_stalled(self) -> bool:
        """Whether the broker has not taken a batch for longer than one waits for that."""
        return self._delivery.unconfirmed_s > PATIENCE_S

    async def _hand_over(self) -> bool:
        """Give the delivery what was answered, once it has the batch before; whether it has all."""
        if self._ends and not self.n_untouched:
            with self._lock:
                self._tasks.reach_ends(self._ends)
                self._ends.clear()
        if not self._tasks.is_news:
            self._delivery.wait(0.0)  # raises its error, also while nothing more comes
            return True
        if not await self._delivery.settled(PATIENCE_S - self._delivery.unconfirmed_s):
            return False
        with self._lock:
            return self._start_confirming()

    def _start_confirming(self) -> bool:
        """`_hand_over`, with the lock held and without waiting."""
        if self._tasks.is_news and self._delivery.is_settled:
            answered = self._tasks.take_answered()
            self._delivery.start_confirming(
                answered.offsets, partial(self._count, answered.reports)
            )
        return not self._tasks.is_news
