"""Topics of one task on a real broker, and what a delivery brought there."""

import time
import uuid
from collections.abc import Mapping, Sequence

from confluent_kafka import Consumer, Message, TopicPartition
from ounce_edge.broker.delivery.base import Delivery
from ounce_edge.broker.delivery.publishing import Publishing
from ounce_edge.wire.records import Outgoing
from ounce_schemas.topics import dead_letters_topic, predictions_topic, requests_topic

from tests.support.edge.outgoing import outgoing
from tests.support.kafka.topics import configure

WAIT_S = 30.0


class Delivered:
    """A task of its own, a member of its group, and a reader of committed records.

    Args:
        servers: bootstrap servers.
        task: its name; nobody else uses its topics.
    """

    def __init__(self, servers: str, task: str) -> None:
        self.requests = requests_topic(task)
        self.predictions = predictions_topic(task)
        self.dead_letters = dead_letters_topic(task)
        self.publishing = Publishing(
            {"bootstrap.servers": servers},
            dead_letters={self.requests: self.dead_letters},
        )
        self._servers = servers
        self.member = Consumer({"bootstrap.servers": servers, "group.id": task})

    def set_topic(self, topic: str, **values: object) -> None:
        """Set configurations of a topic; `_` in their names stands for a dot."""
        configure(self._servers, topic, **values)

    def answers(self, values: Sequence[bytes], first_offset: int = 0) -> Outgoing:
        """Answers to requests that begin at an offset, each with a key of its own."""
        keys = [b"key-%d" % (first_offset + i) for i in range(len(values))]
        return outgoing(
            self.predictions, values, keys, first_offset=first_offset, requests=self.requests
        )

    def behind(self, offset: int) -> list[TopicPartition]:
        """To confirm, once all requests before an offset are answered."""
        return [TopicPartition(self.requests, 0, offset)]

    def committed(self, delivery: Delivery) -> int:
        """What is committed of the requests, once the consumer has done its part."""
        offsets = delivery.take_acknowledged()
        if offsets:
            self.member.commit(offsets=offsets, asynchronous=False)
        [at] = self.member.committed([TopicPartition(self.requests, 0)], timeout=WAIT_S)
        return at.offset

    def read(self, topic: str) -> list[Message]:
        """All that a reader of committed records sees of a topic."""
        reader = Consumer(
            {
                "bootstrap.servers": self._servers,
                "group.id": f"reader-{uuid.uuid4()}",
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
            }
        )
        reader.assign([TopicPartition(topic, 0, 0)])
        found = []
        deadline_s = time.monotonic() + WAIT_S
        while (message := reader.poll(0.5)) is None or message.error() is None:
            assert time.monotonic() < deadline_s, f"no end of {topic}"
            if message is not None:
                found.append(message)
        reader.close()
        return found

    def values(self, topic: str) -> list[bytes | None]:
        """Values of all that `read` gives."""
        return [message.value() for message in self.read(topic)]

    def letters(self) -> Mapping[int, dict[str, bytes | None]]:
        """Headers of the dead letters, by the offset of the request."""
        headers = [dict(message.headers() or []) for message in self.read(self.dead_letters)]
        return {int(each["ounce-dead-letter-offset"] or b"-1"): each for each in headers}

    def close(self) -> None:
        """Leave."""
        self.member.close()
