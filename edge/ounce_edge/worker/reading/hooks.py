"""What the consumer asks and tells, handed on to those whose duty it is."""

import logging
import math
from collections.abc import Callable, Sequence
from typing import cast

from confluent_kafka import Consumer, Message
from ounce_schemas.errors import BrokerError, OunceError

from ounce_edge.broker.places import Partition
from ounce_edge.telemetry.health import Health
from ounce_edge.wire.records import Record
from ounce_edge.worker.reading.partitions import Partitions
from ounce_edge.worker.serving.serving import Serving

logger = logging.getLogger(__name__)


class Reading:
    """The `ConsumerHooks` of a worker.

    Args:
        serving: answers what is read.
        partitions: what is read.
        health: is told of progress, and of trouble with the group.
        fail: called with an error that ends the worker.
        is_leaving: whether nothing more is to be taken.
        kind: what the group has to share with this worker, in words.
    """

    def __init__(
        self,
        serving: Serving,
        partitions: Partitions,
        health: Health,
        fail: Callable[[OunceError], None],
        is_leaving: Callable[[], bool],
        kind: str,
    ) -> None:
        self._serving = serving
        self._partitions = partitions
        self._health = health
        self._fail = fail
        self._is_leaving = is_leaving
        self._kind = kind

    async def take(self, records: tuple[Message, ...]) -> None:
        """Take one poll. Whatever goes wrong here stops the worker before any of it is committed:
        another worker, or the next start, repeats it."""
        if self._is_leaving():
            return
        try:
            unanswered = self._partitions.unanswered(cast("Sequence[Record]", records))
            if unanswered:
                await self._serving.take(unanswered)
        except Exception as e:
            self._fail(as_ours(e))

    async def work(self) -> float:
        """As `ConsumerHooks` says."""
        if self._is_leaving():
            return math.inf
        try:
            if ends := self._partitions.take_ends():
                self._serving.reach_ends(ends)
            await self._serving.work()
        except Exception as e:
            self._fail(as_ours(e))
        return self._serving.due_in_s()

    def look_after(self, consumer: Consumer) -> None:
        """As `ConsumerHooks` says."""
        self._partitions.look_after(consumer)

    def room(self) -> int:
        """As `ConsumerHooks` says."""
        return self._serving.room()

    def batch_delay_s(self) -> float:
        """As `ConsumerHooks` says."""
        return self._serving.batch_delay_s()

    def on_poll(self, n_records: int, is_more: bool, took_s: float) -> None:
        """As `ConsumerHooks` says."""
        self._serving.polled(n_records, is_more, took_s)
        if n_records == 0 and self._serving.due_in_s() == math.inf:
            self._serving.progressed()

    def on_end(self, partition: Partition, offset: int) -> None:
        """As `ConsumerHooks` says."""
        self._partitions.on_end(partition, offset)

    def on_reset(self, partition: Partition, offset: int) -> None:
        """As `ConsumerHooks` says."""
        self._partitions.on_reset(partition, offset)

    def on_commit(self, was_refused: bool) -> None:
        """As `ConsumerHooks` says."""
        self._partitions.on_commit(was_refused)

    def on_group_trouble(self, why: str) -> None:
        """As `ConsumerHooks` says; told once, until partitions are assigned again."""
        trouble = f"the group does not take this worker: {why}; {self._kind}"
        if self._health.group_trouble != trouble:
            logger.error("%s; trying again until it does", trouble)
        self._health.group_trouble = trouble

    def on_error(self, error: BrokerError) -> None:
        """As `ConsumerHooks` says."""
        self._fail(error)


def as_ours(error: Exception) -> OunceError:
    """The error as one that ends a worker with a sentence."""
    if isinstance(error, OunceError):
        return error
    logger.error("unexpected error", exc_info=error)
    return OunceError(f"unexpected error, nothing of this batch is committed: {error!r}")
