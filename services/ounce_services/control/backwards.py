"""Reads a topic backwards: its newest messages first, then more and more of the older ones."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from confluent_kafka import (
    OFFSET_END,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from ounce_schemas.at_hand import take_at_hand
from ounce_schemas.errors import BrokerError

from ounce_services.control.errors import NotFoundError

FIRST_BLOCK = 4_000
"""Messages that are read first, of all partitions together."""
_GROWTH = 5
"""Each block has so many times the messages of the one before."""
SETTINGS: Mapping[str, str | int | bool] = {
    "group.id": "ounce-console",  # never joined: partitions are assigned by hand
    "enable.auto.commit": False,
    "enable.partition.eof": True,
    "allow.auto.create.topics": False,
    "isolation.level": "read_committed",
    "auto.offset.reset": "earliest",  # as where Kafka deletes the oldest messages meanwhile
    "fetch.wait.max.ms": 10,  # Kafka tells the end of a partition after this wait
}
"""What the consumer is made with, besides the connection."""


class Reach(NamedTuple):
    """How far to read."""

    most: int
    """Messages at most, of all partitions together."""
    before_ms: int | None = None
    """Only messages before this time, in ms since 1970; None: the newest."""


def read_backwards(
    consumer: Consumer, topic: str, reach: Reach, timeout_s: float, look: Callable[[Message], None]
) -> Iterator[int | None]:
    """Read a topic's messages in blocks, the newest block first, within a block in no order.

    Args:
        consumer: made with `SETTINGS`.
        topic: its name.
        reach: how far to read.
        timeout_s: of one question to Kafka; all of it takes three times as long at most.
        look: told of each message.

    Yields:
        After each block the time since which all messages were read, in ms since 1970; None: all
        that the topic holds.

    Raises:
        NotFoundError: Kafka has no such topic.
        BrokerError: Kafka does not give all in time.
        KafkaException: it refuses.
    """
    until_s = time.monotonic() + 3 * timeout_s
    until_ms = int(time.time() * 1e3) if reach.before_ms is None else reach.before_ms
    held = _held(consumer, topic, reach.before_ms, timeout_s)
    share, size = (max(most // len(held), 1) for most in (reach.most, FIRST_BLOCK))
    ends = {p: span.stop for p, span in held.items()}
    since_ms = dict.fromkeys(held, until_ms)
    oldest_ms: dict[int, int] = {}

    def take(message: Message) -> None:
        oldest_ms.setdefault(message.partition() or 0, message.timestamp()[1])
        look(message)

    while True:
        block = {
            p: range(max(span.start, span.stop - share, ends[p] - size), ends[p])
            for p, span in held.items()
        }
        block = {p: span for p, span in block.items() if span}
        if not block:
            return
        oldest_ms.clear()
        _read(consumer, topic, block, until_s, take)
        ends.update({p: span.start for p, span in block.items()})
        since_ms |= oldest_ms  # what was aborted fills a block, and has no time
        yield max((since_ms[p] for p, span in held.items() if ends[p] > span.start), default=None)
        size *= _GROWTH


def _held(
    consumer: Consumer, topic: str, before_ms: int | None, timeout_s: float
) -> dict[int, range]:
    """Offsets of each partition's messages, as far as they are before a time."""
    found = consumer.list_topics(topic, timeout_s).topics[topic].partitions
    if not found:
        raise NotFoundError(f"Kafka has no topic {topic}")
    held = {
        p: range(*consumer.get_watermark_offsets(TopicPartition(topic, p), timeout_s))
        for p in found
    }
    if before_ms is not None:
        asked = [TopicPartition(topic, p, before_ms) for p in held]
        for at in consumer.offsets_for_times(asked, timeout_s):
            if at.error is not None:
                raise KafkaException(at.error)
            if at.offset != OFFSET_END:  # else all are before
                held[at.partition] = range(held[at.partition].start, at.offset)
    return held


def _read(
    consumer: Consumer,
    topic: str,
    block: Mapping[int, range],
    until_s: float,
    take: Callable[[Message], None],
) -> None:
    """Read these offsets of a topic.

    Raises:
        BrokerError: they were not there in time.
        KafkaException: Kafka refuses.
    """
    consumer.incremental_assign([TopicPartition(topic, p, span.start) for p, span in block.items()])
    left = set(block)
    while left:
        if time.monotonic() > until_s:
            raise BrokerError(f"Kafka did not give all of {topic} in time: ask again")
        done = set()
        for message in take_at_hand(consumer, 2000, 0.2):
            error, p, offset = message.error(), message.partition() or 0, message.offset() or 0
            if error is None:
                if offset in block[p]:
                    take(message)
                if offset + 1 >= block[p].stop:
                    done.add(p)
            elif error.code() == KafkaError._PARTITION_EOF:
                done.add(p)
            elif error.code() != KafkaError.GROUP_AUTHORIZATION_FAILED:  # it is never joined
                raise KafkaException(error)
        done &= left
        if done:
            consumer.incremental_unassign([TopicPartition(topic, p) for p in done])
            left -= done
