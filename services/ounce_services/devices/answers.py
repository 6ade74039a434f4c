"""Reading what comes back: predictions and dead letters, on a thread of their own."""

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, Self

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition
from ounce_schemas.errors import BrokerError

from ounce_services.cluster.admin import CLIENT_CONFIG, OPEN, Cluster

_MOST_PER_READ = 1000


class ReadBatch(NamedTuple):
    """Records that were read together."""

    at_s: float
    """When, on the monotonic clock."""
    messages: list[Message]


class AnswerReader:
    """Context manager: reads topics from where they end now, without a consumer group.

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
                "fetch.wait.max.ms": 5,  # the embedded broker always waits this long
                "fetch.queue.backoff.ms": 2,
            }
        )
        try:
            self._consumer.assign(list(self._ends(cluster, topics)))
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

    def _ends(self, cluster: Cluster, topics: Iterable[str]) -> Iterator[TopicPartition]:
        for topic in topics:
            for partition in range(cluster.partitions[topic]):
                _, end = self._consumer.get_watermark_offsets(
                    TopicPartition(topic, partition), timeout=10
                )
                yield TopicPartition(topic, partition, end)

    def _read(self) -> None:
        """Block for the first record only, then take what is there."""
        try:
            while not self._stopping.is_set():
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
