"""One decision, found by the id of its message: a prediction, read backwards from the newest."""

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any, NamedTuple

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from ounce_schemas.at_hand import take_at_hand
from ounce_schemas.errors import BrokerError
from ounce_schemas.json_errors import NO_JSON
from ounce_schemas.prediction import Decision
from ounce_schemas.topics import predictions_topic

from ounce_services.cluster.admin import CLIENT_CONFIG
from ounce_services.control.errors import NotFoundError

MOST_SEARCHED = 200_000
"""Predictions of a task that are looked through."""


class Found(NamedTuple):
    """An answer and its decision."""

    id: str
    model: str
    version: str
    device: str
    timestamp_ms: int
    decision: Decision


class _Answer(msgspec.Struct):
    parameters: Decision
    model_name: str = ""
    model_version: str = ""
    id: str = ""


_decode = msgspec.json.Decoder(_Answer).decode


def find_decision(connection: Mapping[str, Any], task: str, id_: str, timeout_s: float) -> Found:
    """The newest answer to the message of an id.

    Raises:
        NotFoundError: none of the newest answers is.
        BrokerError: Kafka does not give them.
    """
    topic, wanted = predictions_topic(task), id_.encode()
    settings = {
        **CLIENT_CONFIG,
        **connection,
        "group.id": "ounce-console",  # never joined: partitions are assigned by hand
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "allow.auto.create.topics": False,
        "isolation.level": "read_committed",
    }
    found: list[Found] = []

    def look(message: Message) -> None:
        value = message.value() or b""
        headers = dict(message.headers() or [])
        if wanted in value or headers.get("ce_id") == wanted:
            answer = _read(message, id_)
            if answer is not None:
                found.append(answer)

    try:
        with closing(Consumer(settings)) as consumer:
            _read_newest(consumer, topic, timeout_s, look)
    except KafkaException as e:
        raise BrokerError(f"can't read {topic}: {e.args[0].str()}") from e
    if not found:
        raise NotFoundError(
            f"none of the newest {MOST_SEARCHED:,} answers of task {task} has the id {id_}; it may "
            "be older, or a dead letter"
        )
    return max(found, key=lambda answer: answer.timestamp_ms)


def _read_newest(
    consumer: Consumer, topic: str, timeout_s: float, look: Callable[[Message], None]
) -> None:
    partitions = consumer.list_topics(topic, timeout_s).topics[topic].partitions
    if not partitions:
        raise NotFoundError(f"Kafka has no topic {topic}")
    most = MOST_SEARCHED // len(partitions)
    starts = []
    for partition in partitions:
        at = TopicPartition(topic, partition)
        low, high = consumer.get_watermark_offsets(at, timeout_s)
        starts.append(TopicPartition(topic, partition, max(low, high - most)))
    consumer.assign(starts)
    left, until_s = set(partitions), time.monotonic() + 3 * timeout_s
    while left:
        if time.monotonic() > until_s:
            raise BrokerError(f"Kafka did not give all of {topic} in {3 * timeout_s:g} s")
        for message in take_at_hand(consumer, 2000, 0.2):
            error = message.error()
            if error is None:
                look(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                left.discard(message.partition() or 0)
            elif error.code() != KafkaError.GROUP_AUTHORIZATION_FAILED:  # it is never joined
                raise KafkaException(error)


def _read(message: Message, id_: str) -> Found | None:
    try:
        answer = _decode(message.value() or b"")
    except NO_JSON:
        return None
    if answer.id != id_:
        return None
    return Found(
        id_,
        answer.model_name,
        answer.model_version,
        (message.key() or b"").decode(errors="replace"),
        message.timestamp()[1],
        answer.parameters,
    )
