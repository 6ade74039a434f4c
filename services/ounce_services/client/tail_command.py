"""`ounce tail`: a task's answers, dead letters and events as they come."""

import time
from typing import Any

import click
import msgspec
from confluent_kafka import Message
from ounce_schemas.cells import as_text
from ounce_schemas.command import make_settings, settings_options
from ounce_schemas.dead_letter import HEADER_REASON, HEADER_TEXT
from ounce_schemas.event import OperationalEvent
from ounce_schemas.json_errors import NO_JSON
from ounce_schemas.kafka_connection import KafkaConnection
from ounce_schemas.task import TaskName
from ounce_schemas.topics import dead_letters_topic, events_topic, predictions_topic
from pydantic import BaseModel, Field

from ounce_services.client.answer import Answer, read_answer
from ounce_services.cluster.admin import describe_cluster, require_topics
from ounce_services.dead_letters.display import one_line, plain, utc
from ounce_services.devices.answers import AnswerReader

_LOOK_S = 0.05
_MOST_SHOWN = 10
"""Rows of one answer."""


class TailSettings(KafkaConnection):
    """Options of `ounce tail`."""

    kafka: str = Field(min_length=1, description="Bootstrap servers, HOST:PORT[,HOST:PORT...]")
    kafka_timeout_s: float = Field(
        default=10.0, gt=0, description="Seconds to wait for Kafka before giving up"
    )
    limit: int | None = Field(
        default=None, ge=1, description="Ends after so many lines; default: at Ctrl-C"
    )
    missed_only: bool = Field(
        default=False, description="Of answers only those that missed a target"
    )


class _Task(BaseModel):
    task: TaskName


@click.command("tail")
@click.argument("task")
@settings_options(TailSettings)
def command(task: str, **options: Any) -> None:
    """Show answers, dead letters and events of TASK, a line each, from now on until Ctrl-C.

    Example: ounce tail occupancy --kafka localhost:9092

    Exit codes: 0 after --limit lines; 1 Kafka can't be read; 2 wrong usage; 130 after Ctrl-C.
    """
    name = make_settings(_Task, {"task": task}).task
    settings = make_settings(TailSettings, options)
    cluster = describe_cluster(settings.kafka, settings.kafka_timeout_s, settings.security)
    topics = [predictions_topic(name), dead_letters_topic(name)]
    require_topics(cluster, name, topics)
    if events_topic() in cluster.partitions:
        topics.append(events_topic())
    left = settings.limit
    with AnswerReader(settings.kafka, cluster, topics, settings.security) as reader:
        click.echo(f"waiting for what comes to {', '.join(topics)}; Ctrl-C ends", err=True)
        while left is None or left > 0:
            for batch in reader.drain():
                for message in batch.messages:
                    line = _line(message, name, settings.missed_only)
                    if line is not None and (left is None or left > 0):
                        click.echo(line)
                        left = None if left is None else left - 1
            time.sleep(_LOOK_S)


def _line(message: Message, task: str, missed_only: bool) -> str | None:
    """What to show of a record; None: nothing."""
    topic, value = message.topic(), message.value()
    at = utc(message.timestamp()[1])
    if topic == events_topic():
        return _event_line(at, value or b"", task)
    if topic == dead_letters_topic(task):
        headers = dict(message.headers() or ())
        reason, text = headers.get(HEADER_REASON), headers.get(HEADER_TEXT)
        if reason is None:
            return None  # a mark that a letter was sent back
        return f"{at}  refused  {_text(reason)}: {_text(text)}"
    try:
        answer = read_answer(value or b"")
    except ValueError:
        return None if missed_only else f"{at}  answer   {one_line(plain(value)[:200])}"
    if missed_only and answer.deadline_met and answer.floor_met:
        return None
    return f"{at}  answer   {_answer_line(answer)}"


def _answer_line(answer: Answer) -> str:
    rows = answer.labels or tuple(map(as_text, answer.values))
    says = ", ".join(rows[:_MOST_SHOWN]) + ", ..." * (len(rows) > _MOST_SHOWN)
    is_sure = answer.confidence is not None and len(rows) == 1
    sure = f" ({answer.confidence:.4f})" if is_sure else ""
    missed = [
        f"{name} missed"
        for name, met in (("deadline", answer.deadline_met), ("floor", answer.floor_met))
        if not met
    ]
    parts = [f"{says}{sure}", answer.model, answer.reason, f"{answer.latency_ms:.1f} ms", *missed]
    return one_line("  ".join([answer.id, *parts]))


def _event_line(at: str, value: bytes, task: str) -> str | None:
    try:
        event = msgspec.json.decode(value, type=OperationalEvent)
    except NO_JSON:
        return None
    return None if event.task != task else f"{at}  event    {event.kind}: {one_line(event.text)}"


def _text(value: str | bytes | None) -> str:
    text = value.decode(errors="replace") if isinstance(value, bytes) else value or ""
    return one_line(text)
