"""Handing records to a producer: every one once, in order, to the right partition."""

import logging
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat, starmap
from operator import length_hint
from types import MappingProxyType
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Producer
from ounce_schemas.errors import BrokerError

from ounce_edge.wire.dead_letters import MAX_MESSAGE_BYTES
from ounce_edge.wire.records import Outgoing

logger = logging.getLogger(__name__)

ProducerSettings = dict[str, Any]
"""Properties of librdkafka."""

PRODUCER_SETTINGS: ProducerSettings = {
    "acks": "all",
    "compression.type": "lz4",
    "enable.idempotence": True,
    "linger.ms": 5,  # 0 costs 40% of the throughput; a flush does not wait for it
    "queue.buffering.max.messages": 1_000_000,
    "delivery.report.only.error": True,  # a callback per record costs a third of the throughput
}


class Publishing(NamedTuple):
    """How a delivery publishes, and where."""

    settings: ProducerSettings
    """How to reach Kafka, and what else is not as in `PRODUCER_SETTINGS`."""
    same_partitions: Mapping[str, int] = MappingProxyType({})
    """Topics that have as many partitions as that of the requests, and how many. What is published
    there goes to the partition of the request that it answers."""
    dead_letters: Mapping[str, str] = MappingProxyType({})
    """Topics of dead letters, by the topic of the requests."""
    max_message_bytes: int = MAX_MESSAGE_BYTES
    """Of a dead letter."""


_BY_KEY = -1
"""A partition: let the partitioner choose it."""
_NOW = 0
"""A timestamp: let the client set it."""


def produce(
    producer: Producer, same_partitions: Mapping[str, int], outgoing: Outgoing
) -> list[tuple[int, str]]:
    """Queue records; blocks only while the producer's queue is full.

    Args:
        producer: takes them.
        same_partitions: as in `Publishing`.
        outgoing: the records.

    Returns:
        Entries that the client refused, and why: they are over its `message.max.bytes`, also
        without their key.

    Raises:
        BrokerError: nothing can be produced to this topic.
    """
    topic, headers = outgoing.topic, outgoing.headers
    # As produce takes them: topic, value, key, partition, two callbacks, timestamp, headers.
    columns: list[Sequence[Any]] = [outgoing.values, outgoing.keys]
    n = len(outgoing.keys)
    partitions = outgoing.partitions
    if partitions is not None and partitions.max() < same_partitions.get(topic, 0):
        columns.append(partitions.tolist())
    elif headers is not None:
        columns.append([_BY_KEY] * n)
    if headers is not None:
        none = [None] * n
        columns += [none, none, outgoing.timestamps_ms or [_NOW] * n, headers]
    refused: list[tuple[int, str]] = []
    while True:
        rest = [iter(column) for column in columns]
        rows = zip(repeat(topic), *rest)
        try:
            # A loop in C, on tuples that are used again: one in Python takes a third longer.
            deque(starmap(producer.produce, rows), maxlen=0)
            return refused
        except BufferError:
            is_full = True
        except KafkaException as e:
            is_full = False
            if e.args[0].code() != KafkaError.MSG_SIZE_TOO_LARGE:
                raise BrokerError(f"can't publish to {topic}: {e.args[0].str()}") from e
        # Not while an exception is handled: the client then leaks what it raises, and the batch.
        columns = _behind(columns, rest)
        if is_full:
            producer.poll(0.1)
            continue
        why = _produce_without_key(producer, topic, columns)
        if why is not None:
            refused.append((n - len(columns[1]), why))
        columns = [column[1:] for column in columns]
        if not columns[1]:
            return refused


def _behind(columns: list[Sequence[Any]], rest: list[Iterator[Any]]) -> list[Sequence[Any]]:
    """The rows from the one on that failed last."""
    left = length_hint(rest[1])  # of the keys, a list
    done = len(columns[1]) - left - 1  # what failed was taken, too
    return [column[done:] for column in columns]


def _produce_without_key(
    producer: Producer, topic: str, columns: list[Sequence[Any]]
) -> str | None:
    """Publish the first row, whose key may be what makes it too large; why it can't be, if so."""
    value, key, *others = (column[0] for column in columns)
    while True:
        try:
            producer.produce(topic, value, None, *others)
            logger.warning("answer without its key to %s: it has %d bytes", topic, len(key or b""))
            return None
        except BufferError:
            producer.poll(0.1)
        except KafkaException as e:
            return str(e.args[0].str())
