"""At least once: answers are published, and offsets committed after the broker holds them all."""

import logging
import threading
from collections import deque
from collections.abc import Collection, Sequence
from functools import partial
from itertools import chain, repeat

from confluent_kafka import Consumer, Producer, TopicPartition
from ounce_schemas.errors import BrokerError

from ounce_edge.broker.delivery.base import Confirmed
from ounce_edge.broker.delivery.confirming import Confirming
from ounce_edge.broker.delivery.publishing import PRODUCER_SETTINGS, Publishing, produce
from ounce_edge.broker.delivery.refusals import Entry, Failures, Refusal, Refusals, as_entries
from ounce_edge.broker.delivery.stall_watch import StallWatch, why_unconfirmed
from ounce_edge.broker.link import writer_settings
from ounce_edge.broker.places import Partition, place_of
from ounce_edge.wire.records import Outgoing

logger = logging.getLogger(__name__)

_FLUSH_SLICES_S = (*([0.001] * 100), 0.1)
"""A flush notices its end at its own timeout, so short ones first; the last one is repeated."""


class AtLeastOnce(Confirming):
    """A `Delivery`: after a crash some answers may come again.

    One batch is confirmed on a thread of its own. The next one is decoded, chosen for and run
    meanwhile. Its answers are held back until then: an empty queue of the producer means that the
    whole batch before is acknowledged.

    Args:
        publishing: how to publish, and where.
    """

    is_transactional = False
    is_aborted = False

    def __init__(self, publishing: Publishing) -> None:
        super().__init__("confirm")
        self._same_partitions = publishing.same_partitions
        self._refusals = Refusals(publishing.dead_letters, publishing.max_message_bytes)
        self._failures = Failures()
        self._producer = Producer(
            {
                **PRODUCER_SETTINGS,
                **writer_settings(),
                # What can be tried again is: the worker waits, and goes on by itself.
                "message.timeout.ms": 0,
                # A link that is lost takes the consumer's connection, too. It is back after this.
                "connections.max.idle.ms": 5000,
                **publishing.settings,
                "on_delivery": self._failures.on_delivery,
            },
            logger=logger,
        )
        self._batch: list[Outgoing] = []
        """What was published since the last batch."""
        self._held_back: list[Outgoing] = []
        """What is to be published once the batch under way is confirmed."""
        self._refused: list[Refusal] = []
        """Of `_batch`, by the client itself."""
        self._lock = threading.Lock()
        """Over the two fields that follow."""
        self._under_way: list[TopicPartition] = []
        """Offsets of the batch that is being confirmed."""
        self._acknowledged: deque[list[TopicPartition]] = deque()
        self._closing = threading.Event()
        self._watch = StallWatch(
            lambda: self.unconfirmed_s, lambda: why_unconfirmed(publishing.settings, self._topics)
        )

    def publish(self, outgoing: Outgoing) -> None:
        """As `Delivery` says."""
        if not self.is_settled:
            self._held_back.append(outgoing)
            return
        self._release()
        self._produce(outgoing)

    def start_confirming(self, offsets: list[TopicPartition], then: Confirmed) -> None:
        """As `Delivery` says; what is held back is published first."""
        self._release()
        batch, self._batch = self._batch, []
        refused, self._refused = self._refused, []
        with self._lock:
            self._under_way = offsets
        self._begin_batch(batch, partial(self._confirm, batch, refused, then))

    def take_acknowledged(self) -> list[TopicPartition]:
        """Offsets to commit, of batches that the broker holds in full."""
        latest: dict[Partition, TopicPartition] = {}
        with self._lock:
            while self._acknowledged:
                latest.update({place_of(at): at for at in self._acknowledged.popleft()})
        return list(latest.values())

    def give_back(self, offsets: list[TopicPartition]) -> None:
        """As `Delivery` says."""
        with self._lock:
            self._acknowledged.appendleft(offsets)

    def disown(self, partitions: Collection[TopicPartition]) -> None:
        """As `Delivery` says."""
        gone = set(map(place_of, partitions))
        with self._lock:
            for offsets in (self._under_way, *self._acknowledged):
                offsets[:] = [at for at in offsets if place_of(at) not in gone]

    def follow(self, consumer: Consumer) -> None:
        """Nothing: the consumer commits by itself."""

    def abandon(self) -> None:
        """Nothing: what is published stays, and its requests are answered again by others."""

    def start_over(self) -> None:
        """Nothing: no batch is ever aborted."""

    def close(self) -> None:
        """Stop the threads and drop what is not sent; it is not committed either."""
        self._closing.set()
        self._watch.close()
        self._thread.shutdown(wait=True)
        self._producer.purge()
        self._producer.flush(1.0)

    def _release(self) -> None:
        """Publish what was held back for a confirmation that is now done; raises its error."""
        self._end_batch()
        held_back, self._held_back = self._held_back, []
        for outgoing in held_back:
            self._produce(outgoing)

    def _produce(self, outgoing: Outgoing) -> None:
        self._batch.append(outgoing)
        for i, why in produce(self._producer, self._same_partitions, outgoing):
            self._refused.append(Refusal(Entry(outgoing, i), why, is_alone=True))

    def _confirm(
        self, batch: Sequence[Outgoing], refused: Sequence[Refusal], then: Confirmed
    ) -> None:
        self._flush()
        refusals = [*refused, *self._failures.take(batch)]
        found = self._refusals.settle(refusals, self._attempt)
        with self._lock:
            self._acknowledged.append(self._under_way)
            self._under_way = []
        self._note_confirmed()
        then(found)

    def _attempt(self, entries: Sequence[Entry]) -> Sequence[Refusal]:
        """Publish entries again, together."""
        parts = [entry.alone() for entry in entries]
        refusals = [
            Refusal(Entry(part, i), why, is_alone=True)
            for part in parts
            for i, why in produce(self._producer, self._same_partitions, part)
        ]
        self._flush()
        return as_entries(entries, parts, [*refusals, *self._failures.take(parts)])

    def _flush(self) -> None:
        slices_s = chain(_FLUSH_SLICES_S, repeat(_FLUSH_SLICES_S[-1]))
        while self._producer.flush(next(slices_s)):
            if self._closing.is_set():
                raise BrokerError("closed before the broker took all answers; others repeat them")
        self._failures.raise_others()
