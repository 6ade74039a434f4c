"""Reading what came back: while it comes, for the times, and in the end, for the accounts."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import msgspec
from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    OffsetSpec,  # re-exported, as its documentation says
)
from ounce_schemas.dead_letter import HEADER_OFFSET, HEADER_PARTITION, HEADER_TOPIC
from ounce_schemas.topics import dead_letters_topic, predictions_topic

from trials.chaos.accounting import Entry

_QUIET = {"log_level": 0, "enable.auto.commit": False, "isolation.level": "read_committed"}
_RECONNECT = {"reconnect.backoff.max.ms": 500, "fetch.wait.max.ms": 20}


class _Answer(msgspec.Struct):
    id: str


class Observer:
    """Notes, on a thread of its own, when each input was first answered or dead-lettered."""

    def __init__(self, servers: str, task: str, partitions: int) -> None:
        self._letters = dead_letters_topic(task)
        self._consumer = Consumer(
            {**_QUIET, **_RECONNECT, "bootstrap.servers": servers, "group.id": "chaos-observer"}
        )
        self._consumer.assign(
            [
                TopicPartition(topic, partition, 0)
                for topic in (predictions_topic(task), self._letters)
                for partition in range(partitions)
            ]
        )
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="observer", daemon=True)
        self.settled: dict[str, float] = {}
        """When an input was first seen answered, on the monotonic clock, by id or position."""
        self.failure: BaseException | None = None

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Read no more."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(10.0)
        if not self._thread.is_alive():
            self._consumer.close()

    def _run(self) -> None:
        decode = msgspec.json.Decoder(_Answer).decode
        try:
            while not self._stopping.is_set():
                messages = self._consumer.consume(1000, 0.1)
                now_s = time.monotonic()
                for message in messages:
                    if message.error() is not None:
                        continue  # the broker is away; librdkafka reconnects
                    if message.topic() != self._letters:
                        id = decode(message.value() or b"{}").id
                    else:
                        headers = cast("list[tuple[str, bytes | None]]", message.headers() or [])
                        of = dict(headers)
                        names = (HEADER_TOPIC, HEADER_PARTITION, HEADER_OFFSET)
                        id = "-".join((of.get(n) or b"").decode() for n in names)
                    self.settled.setdefault(id, now_s)
        except BaseException as e:
            self.failure = e


def ends(servers: str, topic: str, partitions: int, isolation: IsolationLevel) -> Mapping[int, int]:
    """By partition, the offset behind the last record that a reader of this isolation may see."""
    admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})
    asked = {TopicPartition(topic, p): OffsetSpec.latest() for p in range(partitions)}
    found = admin.list_offsets(asked, isolation_level=isolation, request_timeout=10)
    return {at.partition: future.result(15).offset for at, future in found.items()}


def wait_for_open_transactions(
    servers: str, topics: Sequence[str], partitions: int, timeout_s: float
) -> bool:
    """Return once no transaction is open in `topics`; False if one still is after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while True:
        if all(
            ends(servers, t, partitions, IsolationLevel.READ_COMMITTED)
            == ends(servers, t, partitions, IsolationLevel.READ_UNCOMMITTED)
            for t in topics
        ):
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.5)


def read_all(servers: str, topic: str, partitions: int, timeout_s: float = 300) -> Iterator[Entry]:
    """Every committed record of a topic, from its beginning to its end now.

    Raises:
        RuntimeError: the end is not reached in time.
    """
    consumer = Consumer(
        {
            **_QUIET,
            "bootstrap.servers": servers,
            "group.id": "chaos-accounts",
            "enable.partition.eof": True,
        }
    )
    deadline = time.monotonic() + timeout_s
    try:
        consumer.assign([TopicPartition(topic, p, 0) for p in range(partitions)])
        left = set(range(partitions))
        while left:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{topic}: not read to its end within {timeout_s:g} s")
            for message in consumer.consume(5000, 0.2):
                error = message.error()
                if error is None:
                    yield Entry(
                        cast("int", message.partition()),
                        cast("int", message.offset()),
                        message.key(),
                        message.value(),
                        cast("list[tuple[str, bytes | None]]", message.headers() or []),
                        message.timestamp()[1],
                    )
                elif error.code() == KafkaError._PARTITION_EOF:
                    left.discard(cast("int", message.partition()))
                elif error.fatal():
                    raise KafkaException(error)
    finally:
        consumer.close()


def committed(servers: str, group: str, topic: str, partitions: int) -> Mapping[int, int]:
    """By partition, where the group would go on; 0 where it committed nothing."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": group, "log_level": 0})
    try:
        asked = [TopicPartition(topic, p) for p in range(partitions)]
        found = consumer.committed(asked, timeout=20)
        return {at.partition: max(at.offset, 0) for at in found}
    finally:
        consumer.close()
