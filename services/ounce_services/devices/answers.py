"""Reading what comes back: predictions and dead letters, on a thread of their own."""

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, Self

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, TopicPartition
from ounce_schemas.errors import BrokerError

from ounce_services.cluster.admin import CLIENT_CONFIG, OPEN, Cluster

_MOST_PER_READ = 1000
_LOOK_EVERY_S = 30.0
"""From one look for partitions that the topics gained to the next."""
_LOOK_TIMEOUT_S = 2.0
_EMBEDDED_WAIT_MS, _WAIT_MS = 5, 100
"""Longest time that a fetch which finds nothing is held: the embedded broker always waits so long,
Kafka answers at once when something comes."""


class ReadBatch(NamedTuple):
    """Records that were read together."""

    at_s: float
    """When, on the monotonic clock."""
    messages: list[Message]


class AnswerReader:
    """Context manager: reads topics from where they end now, without a consumer group. A partition
    that is made later is read from its beginning.

    Raises:
        BrokerError: the topics' ends can't be found.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        cluster: Cluster,
        topics: Iterable[str],
        security: Mapping[str, Any] = OPEN,
    ) -> None:
        self._batches: SimpleQueue[ReadBatch | BaseException] = SimpleQueue()
        self._stopping = threading.Event()
        self._consumer = Consumer(
            {
                **CLIENT_CONFIG,
                "bootstrap.servers": bootstrap_servers,
                **security,
                "group.id": "ounce-devices",  # never joined: partitions are assigned by hand
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "allow.auto.create.topics": False,
                "fetch.wait.max.ms": _EMBEDDED_WAIT_MS if cluster.is_embedded else _WAIT_MS,
                "fetch.queue.backoff.ms": 2,
            }
        )
        self._n_partitions = {topic: cluster.partitions[topic] for topic in topics}
        try:
            self._consumer.assign(list(self._ends()))
        except KafkaException as e:
            self._consumer.close()
            raise BrokerError(f"Kafka does not say where the answers' topics end: {e}") from e
        self._thread = threading.Thread(target=self._read, name="answers", daemon=True)

    def drain(self) -> Iterator[ReadBatch]:
        """What was read since the last call.

        Raises:
            BrokerError: reading failed for good.
        """
        while True:
            try:
                batch = self._batches.get_nowait()
            except Empty:
                return
            if isinstance(batch, BaseException):
                raise BrokerError(f"reading the answers failed: {batch}") from batch
            yield batch

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._consumer.close()

    def _ends(self) -> Iterator[TopicPartition]:
        for topic, n in self._n_partitions.items():
            for partition in range(n):
                _, end = self._consumer.get_watermark_offsets(
                    TopicPartition(topic, partition), timeout=10
                )
                yield TopicPartition(topic, partition, end)

    def _read_new_partitions(self) -> None:
        for topic, n in self._n_partitions.items():
            try:
                found = self._consumer.list_topics(topic, timeout=_LOOK_TIMEOUT_S).topics[topic]
            except KafkaException:  # Kafka is away: the next look may go well
                return
            new = range(n, len(found.partitions))
            if new:
                self._consumer.incremental_assign(
                    [TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in new]
                )
                self._n_partitions[topic] = new.stop

    def _read(self) -> None:
        """Block for the first record only, then take what is there."""
        look_s = time.monotonic() + _LOOK_EVERY_S
        try:
            while not self._stopping.is_set():
                if time.monotonic() >= look_s:
                    self._read_new_partitions()
                    look_s = time.monotonic() + _LOOK_EVERY_S
                first = self._consumer.poll(0.1)
                if first is None:
                    continue
                messages = [first, *self._consumer.consume(_MOST_PER_READ, timeout=0)]
                at_s = time.monotonic()
                # Errors that librdkafka reports and recovers from by itself carry no record.
                records = [message for message in messages if message.error() is None]
                self._batches.put(ReadBatch(at_s, records))
        except BaseException as e:
            self._batches.put(e)
