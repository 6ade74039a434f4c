"""One decision, found by the id of its message: a prediction, read backwards from the newest."""

from collections.abc import Mapping
from contextlib import closing
from typing import Any, NamedTuple

import msgspec
from confluent_kafka import Consumer, KafkaException, Message
from ounce_schemas.errors import BrokerError
from ounce_schemas.json_errors import NO_JSON
from ounce_schemas.prediction import Decision
from ounce_schemas.topics import predictions_topic
from ounce_schemas.wording import utc_text

from ounce_services.cluster.admin import CLIENT_CONFIG
from ounce_services.control.backwards import SETTINGS, Reach, read_backwards
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


def find_decision(
    connection: Mapping[str, Any],
    task: str,
    id_: str,
    timeout_s: float,
    before_ms: int | None = None,
) -> Found:
    """The newest answer to the message of an id.

    Args:
        connection: where Kafka is, as librdkafka wants it.
        task: that the message is of.
        id_: of the message.
        timeout_s: of one question to Kafka.
        before_ms: only answers before this time, in ms since 1970; None: the newest.

    Raises:
        NotFoundError: none of the newest answers is.
        BrokerError: Kafka does not give them.
    """
    topic, wanted = predictions_topic(task), msgspec.json.encode(id_)
    found: list[Found] = []

    def look(message: Message) -> None:
        if wanted in (message.value() or b"") and (answer := _read(message, id_)) is not None:
            found.append(answer)

    since_ms = None
    try:
        with closing(Consumer({**CLIENT_CONFIG, **connection, **SETTINGS})) as consumer:
            reach = Reach(MOST_SEARCHED, before_ms)
            for since_ms in read_backwards(consumer, topic, reach, timeout_s, look):
                newest = max(found, key=lambda answer: answer.timestamp_ms, default=None)
                if newest is not None and (since_ms is None or newest.timestamp_ms >= since_ms):
                    return newest
    except KafkaException as e:
        raise BrokerError(f"can't read {topic}: {e.args[0].str()}") from e
    raise NotFoundError(_absent(task, id_, before_ms, since_ms))


def _absent(task: str, id_: str, before_ms: int | None, since_ms: int | None) -> str:
    """What to say where none was found."""
    before = "" if before_ms is None else f" before {_time(before_ms)}"
    if since_ms is None:
        searched, older = f"none of all answers of task {task}{before} in Kafka", ""
    else:
        searched = f"none of the newest {MOST_SEARCHED:,} answers of task {task}{before}"
        older = (
            f" These reach back to {_time(since_ms)}: for an older one name a time soon after it."
        )
    return f"{searched} has the id {id_}.{older} Without an answer, look among the dead letters"


def _time(at_ms: int) -> str:
    return f"{utc_text(at_ms)} UTC"


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
