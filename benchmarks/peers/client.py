"""The one who asks: sends numbered requests to a peer, and reads its answers."""

import time
from collections.abc import Sequence
from typing import Any, Self

import msgspec
import numpy as np
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from benchmarks.peers.base import FEATURES, Peer
from benchmarks.worker.backlog import PARTITIONS, TOPICS

_CREATE_TIMEOUT_S = 30.0


class _Answer(msgspec.Struct):
    id: str


_decode = msgspec.json.Decoder(_Answer).decode


def renew_topics(servers: str) -> None:
    """Empty the topics: all offsets begin at 0 again."""
    admin = AdminClient({"bootstrap.servers": servers, "log_level": 3})
    names = [*TOPICS.values(), "ounce.digits.dead-letters"]
    present = admin.list_topics(timeout=10).topics.keys() & set(names)
    if present:
        for deleted in admin.delete_topics([*present]).values():
            deleted.result()
    stamped = {"message.timestamp.type": "LogAppendTime"}
    deadline = time.monotonic() + _CREATE_TIMEOUT_S
    for name in names:
        new = NewTopic(name, PARTITIONS, 1, config=stamped if "predictions" in name else {})
        while True:
            try:
                admin.create_topics([new])[name].result()
                break
            except KafkaException as e:  # its deletion is under way
                exists = e.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS
                if not exists or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)


def bodies_of(peer: Peer, inputs: np.ndarray) -> list[bytes]:
    """What its requests hold, one per input; a JSON document lacks its beginning, which names the
    request."""
    if peer.body == "raw":
        return [row.astype("<f4").tobytes() for row in inputs]
    encode = msgspec.json.encode
    return [
        b'"inputs":[{"name":"input","shape":[1,%d],"datatype":"FP32","data":%b}]}'
        % (FEATURES, encode(row.tolist()))
        for row in inputs
    ]


def number_of(key: bytes | None, value: bytes | None) -> int:
    """Which request an answer is to: by its key, or, without one, by the id in its document."""
    return int(key or _decode(value or b"").id)


class Client:
    """Sends and reads; a context manager.

    Args:
        servers: Kafka bootstrap servers.
        peer: who is asked.
        inputs: float32 of shape (n, 64), sent again and again.
        linger_ms: of the producer.
    """

    def __init__(self, servers: str, peer: Peer, inputs: np.ndarray, linger_ms: float = 1) -> None:
        self._peer, self._bodies = peer, bodies_of(peer, inputs)
        self._headers: Any = None if peer.headers is None else list(peer.headers)
        self._producer = Producer(
            {
                "bootstrap.servers": servers,
                "linger.ms": linger_ms,
                "queue.buffering.max.messages": 2_000_000,
                "queue.buffering.max.kbytes": 2_000_000,
                "delivery.report.only.error": True,
                "log_level": 3,
            }
        )
        self._consumer = Consumer(
            {
                "bootstrap.servers": servers,
                "group.id": "client",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 5,
                "fetch.queue.backoff.ms": 2,
                "log_level": 3,
            }
        )
        self._consumer.assign(
            [TopicPartition(TOPICS["predictions"], p, 0) for p in range(PARTITIONS)]
        )
        self.sent = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._producer.purge()
        self._producer.flush(1.0)
        self._consumer.close()

    def send(self, n: int = 1) -> None:
        """Queue the next requests."""
        produce, topic, bodies = self._producer.produce, TOPICS["requests"], self._bodies
        for i in range(self.sent, self.sent + n):
            key, body = b"%d" % i, bodies[i % len(bodies)]
            if self._peer.body == "json":
                body = b'{"id":"%d",%b' % (i, body)
            produce(topic, body, key, i % PARTITIONS, headers=self._headers)
            if i % 10_000 == 0:
                self._producer.poll(0)
        self.sent += n
        self._producer.poll(0)

    def flush(self) -> None:
        """Return once the broker has all."""
        if left := self._producer.flush(120):
            raise SystemExit(f"the broker did not take {left} requests")

    def read(self, wait_s: float) -> list[int]:
        """The numbers of requests whose answers came within `wait_s`."""
        messages: Sequence[Message] = self._consumer.consume(10_000, wait_s)
        for message in messages:
            if message.error() is not None:
                raise SystemExit(f"answers can't be read: {message.error()}")
        return [number_of(m.key(), m.value()) for m in messages]
