"""Offsets that the consumer commits, of partitions that are ours."""

import logging
import threading
import time
from collections.abc import Collection

from confluent_kafka import Consumer, KafkaException, TopicPartition

from ounce_edge.broker.delivery.base import Delivery
from ounce_edge.broker.places import Partition, place_of

logger = logging.getLogger(__name__)

COMMIT_EVERY_S = 0.1
"""At most so often: each commit is a write of the broker, and at low rates nearly every poll would
make one. What was answered meanwhile is answered again after a crash."""


class Commits:
    """Commits what the delivery says is safe. For the consumer's thread.

    Args:
        delivery: knows what may be committed.
    """

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._under_way: list[TopicPartition] = []
        """What the commit that is not answered yet is of."""
        self._due_s = 0.0
        self.answered = threading.Event()
        """No commit is under way, also none of what others own by now; any thread may wait."""
        self.answered.set()

    def start(self, consumer: Consumer, ours: Collection[Partition]) -> None:
        """Commit, if it is time and no commit is under way: more would queue up at the broker,
        without end."""
        if self._under_way or time.monotonic() < self._due_s:
            return
        offsets = self._take(ours)
        if offsets:
            try:
                self.answered.clear()
                consumer.commit(offsets=offsets, asynchronous=True)
                self._under_way, self._due_s = offsets, time.monotonic() + COMMIT_EVERY_S
            except KafkaException as e:
                self.answered.set()
                self._delivery.give_back(offsets)
                logger.warning("offsets not committed: %s", e.args[0].str())

    def finish(self, consumer: Consumer, ours: Collection[Partition]) -> None:
        """Commit, and wait until that is answered."""
        offsets = self._take(ours)
        if offsets:
            try:
                consumer.commit(offsets=offsets, asynchronous=False)
            except KafkaException as e:
                self._delivery.give_back(offsets)
                logger.warning(
                    "offsets not committed, their new owner repeats: %s", e.args[0].str()
                )

    def end(self, was_refused: bool) -> None:
        """A commit is answered. Amid a rebalance they are refused, of partitions that stay, too."""
        if was_refused and self._under_way:
            self._delivery.give_back(self._under_way)
        self._under_way = []
        self.answered.set()

    def disown(self, partitions: Collection[TopicPartition]) -> None:
        """Others own these. They may come back, when others have committed later offsets."""
        gone = set(map(place_of, partitions))
        self._delivery.disown(partitions)
        self._under_way = [at for at in self._under_way if place_of(at) not in gone]

    def _take(self, ours: Collection[Partition]) -> list[TopicPartition]:
        """Those of partitions that are still ours: others' are for their owners to commit."""
        acknowledged = self._delivery.take_acknowledged()
        return [at for at in acknowledged if place_of(at) in ours]
