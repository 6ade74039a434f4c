"""Reading all that a topic holds."""

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from ounce_schemas.errors import BrokerError

_LOOK_S = 0.05
_FETCH_WAIT_MS = 10
"""A reader knows that it is at the end when the broker answers that there is no more: at once."""


def read_topic(config: Mapping[str, Any], topic: str, timeout_s: float) -> Iterator[Message]:
    """All records of a topic, up to where each partition ends.

    Raises:
        BrokerError: the broker gives none for longer than `timeout_s`.
    """
    settings = {
        **config,
        "group.id": "ounce-unused",  # librdkafka wants one; nothing is committed
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "isolation.level": "read_committed",
        "fetch.wait.max.ms": _FETCH_WAIT_MS,
    }
    try:
        with closing(Consumer(settings)) as consumer:
            # Asked for first: a consumer that knows no leader yet waits half a second for one.
            found = consumer.list_topics(topic, timeout=timeout_s).topics[topic].partitions
            open_ = set(found)
            consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in found])
            until_s = time.monotonic() + timeout_s
            while open_ and time.monotonic() < until_s:
                message = consumer.poll(_LOOK_S)
                if message is None:
                    continue
                error = message.error()
                if error is None:
                    yield message
                    until_s = time.monotonic() + timeout_s  # who reads takes its own time
                elif error.code() == KafkaError._PARTITION_EOF:
                    open_.discard(message.partition() or 0)
                elif error.code() != KafkaError.GROUP_AUTHORIZATION_FAILED:  # it is never joined
                    raise KafkaException(error)
            if open_:
                raise BrokerError(f"Kafka gave no more of {topic} for {timeout_s:g} s")
    except KafkaException as e:
        raise BrokerError(f"{topic} can't be read: {e.args[0].str()}") from e
