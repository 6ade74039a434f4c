"""At least once: answers are published, and offsets committed after the broker holds them all."""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, repeat
from types import MappingProxyType

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from ounce_schemas.errors import BrokerError

from ounce_edge.broker.publishing import PRODUCER_SETTINGS, ProducerSettings, produce
from ounce_edge.wire.records import Outgoing

logger = logging.getLogger(__name__)

_FLUSH_SLICES_S = (*([0.001] * 100), 0.1)
"""A flush notices its end at its own timeout, so short ones first; the last one is repeated."""


class AtLeastOnce:
    """A `Delivery`: after a crash some answers may come again.

    One batch is confirmed on a thread of its own while the next one is decoded, chosen for and run;
    answers of the next one are held back until then, so that an empty producer queue means that
    the whole batch before is acknowledged.

    Args:
        settings: of librdkafka, over `PRODUCER_SETTINGS`.
        partitions: as `same_partitions` of `produce`.
    """

    is_transactional = False
    is_aborted = False

    def __init__(
        self, settings: ProducerSettings, partitions: Mapping[str, int] = MappingProxyType({})
    ) -> None:
        self._partitions = partitions
        self._failure: str | None = None
        self._producer = Producer(
            {**PRODUCER_SETTINGS, **settings, "on_delivery": self._on_failure}, logger=logger
        )
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="confirm")
        self._confirming: Future[None] | None = None
        self._began_s = 0.0
        """When the batch under way began to be confirmed; 0 where none is."""
        self._held_back: list[Outgoing] = []
        self._lock = threading.Lock()
        """Over the two fields that follow."""
        self._under_way: list[TopicPartition] = []
        """Offsets of the batch that is being confirmed."""
        self._acknowledged: deque[list[TopicPartition]] = deque()
        self.confirm_ms = 0.0

    @property
    def unconfirmed_s(self) -> float:
        """As `Delivery` says."""
        began_s = self._began_s
        return time.monotonic() - began_s if began_s else 0.0

    @property
    def trouble(self) -> str | None:
        """As `Delivery` says."""
        return None

    def publish(self, outgoing: Outgoing) -> None:
        """As `Delivery` says."""
        if self._confirming is not None:
            if not self._confirming.done():
                self._held_back.append(outgoing)
                return
            self._release()
        produce(self._producer, self._partitions, outgoing)

    async def confirm(self, offsets: list[TopicPartition]) -> None:
        """As `Delivery` says; what is held back is published first."""
        if self._confirming is not None:
            await asyncio.wait([asyncio.wrap_future(self._confirming)])
        self.start_confirming(offsets)

    def start_confirming(self, offsets: list[TopicPartition]) -> None:
        """As `Delivery` says."""
        self._release()
        with self._lock:
            self._under_way = offsets
        self._began_s = time.monotonic()
        self._confirming = self._thread.submit(self._confirm)

    def wait(self) -> None:
        """As `Delivery` says."""
        if self._confirming is not None:
            self._confirming.result()

    def take_acknowledged(self) -> list[TopicPartition]:
        """Offsets to commit, of batches that the broker holds in full."""
        latest: dict[tuple[str, int], TopicPartition] = {}
        with self._lock:
            while self._acknowledged:
                latest.update({(p.topic, p.partition): p for p in self._acknowledged.popleft()})
        return list(latest.values())

    def give_back(self, offsets: list[TopicPartition]) -> None:
        """As `Delivery` says."""
        with self._lock:
            self._acknowledged.appendleft(offsets)

    def disown(self, partitions: Collection[TopicPartition]) -> None:
        """As `Delivery` says."""
        gone = {(at.topic, at.partition) for at in partitions}
        with self._lock:
            for offsets in (self._under_way, *self._acknowledged):
                offsets[:] = [at for at in offsets if (at.topic, at.partition) not in gone]

    def follow(self, consumer: Consumer) -> None:
        """Nothing: the consumer commits by itself."""

    def start_over(self) -> None:
        """Nothing: no batch is ever aborted."""

    def close(self) -> None:
        """Stop the thread and drop what is not sent; it is not committed either."""
        self._thread.shutdown(wait=True)
        self._producer.purge()
        self._producer.flush(1.0)

    def _release(self) -> None:
        """Publish what was held back for a confirmation that is now done; raises its error."""
        if self._confirming is not None:
            self._confirming.result()
            self._confirming = None
        for outgoing in self._held_back:
            produce(self._producer, self._partitions, outgoing)
        self._held_back.clear()

    def _confirm(self) -> None:
        # librdkafka retries until message.timeout.ms, then reports a failure: this ends.
        slices_s = chain(_FLUSH_SLICES_S, repeat(_FLUSH_SLICES_S[-1]))
        while self._producer.flush(next(slices_s)):
            pass
        if self._failure is not None:
            raise BrokerError(f"the broker did not take an answer: {self._failure}")
        with self._lock:
            self._acknowledged.append(self._under_way)
            self._under_way = []
        self.confirm_ms, self._began_s = (time.monotonic() - self._began_s) * 1e3, 0.0

    def _on_failure(self, error: KafkaError | None, message: Message) -> None:
        if error is not None and self._failure is None:
            self._failure = f"{message.topic()}: {error.str()}"
            if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
                self._failure += "; lower --max-message-bytes to the topic's max.message.bytes"
