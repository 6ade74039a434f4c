"""Publishing answers, and knowing which batches the broker holds in full."""

import asyncio
import logging
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, repeat, starmap
from operator import length_hint
from types import MappingProxyType
from typing import Any

import numpy as np
from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition
from numpy.typing import NDArray
from ounce_schemas.errors import BrokerError

from ounce_edge.wire.records import Headers

logger = logging.getLogger(__name__)

PRODUCER_SETTINGS: dict[str, str | int | float | bool] = {
    "acks": "all",
    "compression.type": "lz4",
    "enable.idempotence": True,
    "linger.ms": 5,  # 0 costs 40% of the throughput; a flush does not wait for it
    "queue.buffering.max.messages": 1_000_000,
    "delivery.report.only.error": True,  # only failures reach `_on_failure`
}
_BY_KEY = -1
"""A partition: let the partitioner choose it."""
_NOW = 0
"""A timestamp: let the client set it."""
_FLUSH_SLICES_S = (*([0.001] * 100), 0.1)
"""A flush notices its end at its own timeout, so short ones first; the last one is repeated."""
Outgoing = tuple[
    str,
    Sequence[bytes | None],
    Sequence[bytes | None],
    Sequence[Headers | None] | None,
    NDArray[np.int64] | None,
]


class Delivery:
    """Publishes answers; tells which offsets may be committed.

    One batch is confirmed on a thread of its own while the next one is decoded, chosen for and run;
    answers of the next one are held back until then, so that an empty producer queue means that
    the whole batch before is acknowledged.

    Args:
        settings: of librdkafka, over `PRODUCER_SETTINGS`.
        partitions: topics that have as many partitions as that of the requests, and how many. What
            is published there goes to the partition of the request that it answers.
    """

    def __init__(
        self,
        settings: dict[str, str | int | float | bool],
        partitions: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self._partitions = partitions
        self._failure: str | None = None
        self._producer = Producer(
            {**PRODUCER_SETTINGS, **settings, "on_delivery": self._on_failure}, logger=logger
        )
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="confirm")
        self._confirming: Future[None] | None = None
        self._held_back: list[Outgoing] = []
        self._acknowledged: deque[list[TopicPartition]] = deque()

    def publish(
        self,
        topic: str,
        values: Sequence[bytes | None],
        keys: Sequence[bytes | None],
        headers: Sequence[Headers | None] | None,
        partitions: NDArray[np.int64] | None,
    ) -> None:
        """Queue records; blocks only while the producer's queue is full.

        Raises:
            BrokerError: a record can't be produced at all.
        """
        if self._confirming is not None:
            if not self._confirming.done():
                self._held_back.append((topic, values, keys, headers, partitions))
                return
            self._release()
        produce(self._producer, self._partitions, topic, values, keys, headers, partitions)

    async def confirm(self, offsets: list[TopicPartition]) -> None:
        """Publish what is held back, and start confirming the batch that ends at `offsets`.

        Raises:
            BrokerError: the batch before this one was not acknowledged.
        """
        if self._confirming is not None:
            await asyncio.wait([asyncio.wrap_future(self._confirming)])
        self.start_confirming(offsets)

    def start_confirming(self, offsets: list[TopicPartition]) -> None:
        """`confirm`, for when no other batch is being confirmed."""
        self._release()
        self._confirming = self._thread.submit(self._confirm, offsets)

    def wait(self) -> None:
        """Block until the batch that is being confirmed is acknowledged.

        Raises:
            BrokerError: it was not.
        """
        if self._confirming is not None:
            self._confirming.result()

    def take_acknowledged(self) -> list[TopicPartition]:
        """Offsets to commit, of batches that the broker holds in full; each is given once."""
        latest: dict[tuple[str, int], TopicPartition] = {}
        while self._acknowledged:
            latest.update({(p.topic, p.partition): p for p in self._acknowledged.popleft()})
        return list(latest.values())

    def give_back(self, offsets: list[TopicPartition]) -> None:
        """Taken, but not committed after all: they come again, unless later ones do."""
        self._acknowledged.appendleft(offsets)

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
        for records in self._held_back:
            produce(self._producer, self._partitions, *records)
        self._held_back.clear()

    def _confirm(self, offsets: list[TopicPartition]) -> None:
        # librdkafka retries until message.timeout.ms, then reports a failure: this ends.
        slices_s = chain(_FLUSH_SLICES_S, repeat(_FLUSH_SLICES_S[-1]))
        while self._producer.flush(next(slices_s)):
            pass
        if self._failure is not None:
            raise BrokerError(f"the broker did not take an answer: {self._failure}")
        self._acknowledged.append(offsets)

    def _on_failure(self, error: KafkaError | None, message: Message) -> None:
        if error is not None and self._failure is None:
            self._failure = f"{message.topic()}: {error.str()}"
            if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
                self._failure += "; lower --max-message-bytes to the topic's max.message.bytes"


def produce(
    producer: Producer,
    same_partitions: Mapping[str, int],
    topic: str,
    values: Sequence[bytes | None],
    keys: Sequence[bytes | None],
    headers: Sequence[Headers | None] | None,
    partitions: NDArray[np.int64] | None,
) -> None:
    """Queue records; blocks only while the producer's queue is full.

    Args:
        producer: takes them.
        same_partitions: topics that have as many partitions as that of the requests, and how many.
        topic: where to, and the others as in `Publish`.
        values: likewise.
        keys: likewise.
        headers: likewise.
        partitions: likewise.

    Raises:
        BrokerError: a record can't be produced at all.
    """
    # As produce takes them: topic, value, key, partition, two callbacks, timestamp, headers.
    columns: list[Sequence[Any]] = [values, keys]
    if partitions is not None and partitions.max() < same_partitions.get(topic, 0):
        columns.append(partitions.tolist())
    elif headers is not None:
        columns.append([_BY_KEY] * len(values))
    if headers is not None:
        none = [None] * len(values)
        columns += [none, none, [_NOW] * len(values), headers]
    while True:
        rest = [iter(column) for column in columns]
        rows = zip(repeat(topic), *rest)
        try:
            # A loop in C, on tuples that are used again: one in Python takes a third longer.
            deque(starmap(producer.produce, rows), maxlen=0)
            return
        except BufferError:
            columns = _behind(columns, rest)
            producer.poll(0.1)
        except KafkaException as e:
            if e.args[0].code() != KafkaError.MSG_SIZE_TOO_LARGE:
                raise BrokerError(f"can't publish to {topic}: {e.args[0].str()}") from e
            columns = _behind(columns, rest)
            _produce_without_key(producer, topic, columns)
            columns = [column[1:] for column in columns]
            if not columns[1]:
                return


def _behind(columns: list[Sequence[Any]], rest: list[Iterator[Any]]) -> list[Sequence[Any]]:
    """The rows from the one on that failed last."""
    left = length_hint(rest[1])  # of the keys, a list
    done = len(columns[1]) - left - 1  # what failed was taken, too
    return [column[done:] for column in columns]


def _produce_without_key(producer: Producer, topic: str, columns: list[Sequence[Any]]) -> None:
    """Publish the first row, whose key may be what makes it too large: all else in it is small."""
    value, key, *others = (column[0] for column in columns)
    logger.warning("answer without its key to %s: the key has %d bytes", topic, len(key or b""))
    while True:
        try:
            producer.produce(topic, value, None, *others)
            return
        except BufferError:
            producer.poll(0.1)
        except KafkaException as e:
            raise BrokerError(
                f"can't publish {len(value or b'')} bytes to {topic}: {e.args[0].str()}; raise "
                "--max-message-bytes, if the topic's max.message.bytes is as large"
            ) from e
