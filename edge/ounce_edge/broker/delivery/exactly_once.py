"""Exactly-once: answers, dead letters and offsets in one Kafka transaction per batch.

A reader with `isolation.level=read_committed` sees each answer once: a batch whose offsets are not
committed left no answer behind. Zombies are fenced by the consumer group's generation, which goes
with the offsets (KIP-447): a worker that lost its partitions can't commit. One transaction is run
on a thread of its own while the next batch is decoded, chosen for and run.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from ounce_edge.broker.delivery.base import Confirmed
from ounce_edge.broker.delivery.confirming import Confirming, passed_s
from ounce_edge.broker.delivery.publishing import Publishing
from ounce_edge.broker.delivery.refusals import Entry, Refusal, Refusals, as_entries
from ounce_edge.broker.delivery.stall_watch import StallWatch, why_unconfirmed
from ounce_edge.broker.delivery.transaction_failures import AbortCause, AbortedError
from ounce_edge.broker.delivery.transactional_producer import TransactionalProducer
from ounce_edge.broker.places import Partition
from ounce_edge.wire.records import Outgoing

logger = logging.getLogger(__name__)


class ExactlyOnce(Confirming):
    """A `Delivery`: publishes answers and commits offsets together, or neither.

    A batch that the broker refuses as a whole is committed in parts, in the order of its requests.

    Args:
        publishing: how to publish, and where.
        transactional_id: as for `TransactionalProducer`.
        on_abort: told of each transaction that is aborted, on another thread.

    Raises:
        BrokerError: Kafka does not allow transactions with this id.
    """

    is_transactional = True

    def __init__(
        self,
        publishing: Publishing,
        *,
        transactional_id: str,
        on_abort: Callable[[AbortCause], None] = lambda cause: None,
    ) -> None:
        super().__init__("transaction")
        self._on_abort = on_abort
        self._refusals = Refusals(publishing.dead_letters, publishing.max_message_bytes)
        self._producer = TransactionalProducer(publishing, transactional_id)
        self._collected: list[Outgoing] = []
        self._aborted = False
        self._failing_since_s = 0.0
        """When the first transaction began since which none was committed; 0 where none is."""
        self._why_aborted: str | None = None
        """Of the latest transaction that ended, if it was."""
        self._group_metadata: Any = None
        """The consumer's, as of its latest poll."""
        self._watch = StallWatch(
            lambda: passed_s(self._failing_since_s),
            lambda: why_unconfirmed(publishing.settings, self._topics) or self._why_aborted,
        )

    @property
    def is_aborted(self) -> bool:
        """As `Delivery` says."""
        return self._aborted

    def publish(self, outgoing: Outgoing) -> None:
        """Collect records for the next transaction."""
        self._collected.append(outgoing)

    def start_confirming(self, offsets: list[TopicPartition], then: Confirmed) -> None:
        """As `Delivery` says; after an abort what was published since is dropped instead."""
        self._end_batch()
        collected, self._collected = self._collected, []
        if self._aborted or not (collected or offsets):
            return
        self._failing_since_s = self._failing_since_s or time.monotonic()
        run = partial(self._run, collected, offsets, self._group_metadata, then)
        self._begin_batch(collected, run)

    def take_acknowledged(self) -> list[TopicPartition]:
        """Nothing: offsets are committed in the transactions."""
        return []

    def give_back(self, offsets: list[TopicPartition]) -> None:
        """Nothing: none was taken."""

    def disown(self, partitions: Collection[TopicPartition]) -> None:
        """Kafka refuses the transaction of a consumer that has lost its partitions."""
        if self.is_settled:  # what was aborted is for others to answer
            self._failing_since_s = 0.0

    def follow(self, consumer: Consumer) -> None:
        """As `Delivery` says; the next transaction is of this generation of the group."""
        self._group_metadata = consumer.consumer_group_metadata()

    def abandon(self) -> None:
        """As `Delivery` says; what was published since the last transaction is dropped."""
        self._collected.clear()
        self._aborted = True

    def start_over(self) -> None:
        """As `Delivery` says."""
        self._collected.clear()
        self._aborted = False

    def close(self) -> None:
        """Stop the threads; what is not committed never becomes visible."""
        self._watch.close()
        self._producer.stop_trying()
        self._thread.shutdown(wait=True)
        self._producer.close()

    def _run(
        self,
        batch: Sequence[Outgoing],
        offsets: Sequence[TopicPartition],
        group_metadata: Any,
        then: Confirmed,
    ) -> None:
        try:
            refusals = self._producer.commit(batch, offsets, group_metadata)
            refused = []
            if refusals:
                why = refusals[0].why
                logger.warning("a transaction was refused, and is repeated in parts: %s", why)
                refusals.sort(key=lambda refusal: refusal.entry.position)

                def attempt(entries: Sequence[Entry]) -> Sequence[Refusal]:
                    parts = [entry.alone() for entry in entries]
                    again = self._producer.commit(parts, _behind(entries), group_metadata)
                    return as_entries(entries, parts, again)

                refused = self._refusals.settle(refusals, attempt)
                # Of the last ones nothing may have been published, and no offset committed.
                self._producer.commit([], offsets, group_metadata)
        except AbortedError as e:
            logger.warning("transaction aborted, its records are read again: %s", e)
            self._why_aborted = f"transactions are aborted: {e}"
            self._on_abort(e.cause)
            self._aborted = True
            self._began_s = 0.0
            return
        self._note_confirmed()
        self._failing_since_s, self._why_aborted = 0.0, None
        then(refused)


def _behind(entries: Iterable[Entry]) -> list[TopicPartition]:
    """The offsets behind entries, which are in the order of their requests."""
    latest: dict[Partition, int] = {}
    for entry in entries:
        topic, partition, offset = entry.position
        latest[topic, partition] = offset + 1
    return [TopicPartition(*place, offset) for place, offset in latest.items()]
