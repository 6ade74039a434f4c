"""What is behind Kafka, of a task without a worker: reads, and answers as it is told."""

import time
from collections.abc import Sequence
from typing import Any

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    Message,
    Producer,
    TopicPartition,
)
from ounce_schemas.at_hand import take_at_hand
from ounce_schemas.request import HEADER_REPLY

_LIMIT_S = 90.0


class FarEnd:
    """Reads topics from their beginning, what is committed alone.

    Args:
        servers: of Kafka.
        read: topics to read.
        predictions: topic to answer to.
    """

    def __init__(self, servers: str, read: Sequence[str], predictions: str) -> None:
        self._producer = Producer({"bootstrap.servers": servers, "linger.ms": 0})
        self._predictions = predictions
        self._consumer = Consumer(
            {
                "bootstrap.servers": servers,
                "group.id": "far-end",  # the client insists on one; it is never joined
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
                # A fetch holds up partitions that it began without.
                "fetch.wait.max.ms": 100,
            }
        )
        known = self._consumer.list_topics(timeout=_LIMIT_S).topics
        self._places = [(topic, p) for topic in read for p in known[topic].partitions]
        self._consumer.assign([TopicPartition(*place, OFFSET_BEGINNING) for place in self._places])

    def read(self, n: int) -> list[Message]:
        """The next `n` records."""
        found: list[Message] = []
        deadline = time.monotonic() + _LIMIT_S
        while len(found) < n:
            assert time.monotonic() < deadline, found
            read = take_at_hand(self._consumer, n - len(found), 0.2)
            found += [message for message in read if message.error() is None]
        return found

    def read_all(self) -> list[Message]:
        """What is left, to the end of every partition."""
        found: list[Message] = []
        ended: set[tuple[str | None, int | None]] = set()
        deadline = time.monotonic() + _LIMIT_S
        while len(ended) < len(self._places):
            assert time.monotonic() < deadline, found
            for message in take_at_hand(self._consumer, 1000, 0.2):
                error = message.error()
                if error is None:
                    found.append(message)
                elif error.code() == KafkaError._PARTITION_EOF:
                    ended.add((message.topic(), message.partition()))
        return found

    def answer(self, request: Message, body: bytes) -> None:
        """Publish an answer to a request."""
        back = [(n, v) for n, v in request.headers() or [] if n in (HEADER_REPLY, "ce_id")]
        self.publish(request.key(), body, back)

    def publish(self, key: Any, value: bytes | None, headers: Any) -> None:
        """Publish a record where answers go."""
        self._producer.produce(self._predictions, value, key, headers=headers)
        self._producer.flush(30)

    def close(self) -> None:
        """Leave."""
        self._consumer.close()
