"""`ounce topics`: create the topics of tasks."""

from typing import Any

import click
from ounce_schemas.command import make_settings, settings_options
from ounce_schemas.kafka_connection import KafkaConnection
from ounce_schemas.task import TaskName
from ounce_schemas.topics import (
    answered_topic,
    decisions_topic,
    requests_topic,
    shared_topics,
    task_topics,
)
from ounce_schemas.wording import counted, table
from pydantic import BaseModel, Field

from ounce_services.cluster.admin import BROKERS_CHOICE, create_topics, describe_cluster

_PARTITIONS = 4
"""Of a new topic, where nothing says otherwise."""


class TopicsSettings(KafkaConnection):
    """Settings of `ounce topics`."""

    kafka: str = Field(min_length=1, description="Bootstrap servers, HOST:PORT[,HOST:PORT...]")
    partitions: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description="Partitions of each new topic; none: as many as the topic of the task's "
        f"requests has where it is there already, else {_PARTITIONS}",
    )
    replication: int | None = Field(
        default=None, ge=1, le=100, description="Copies of each new topic; none: as Kafka is set"
    )
    decisions: bool = Field(default=False, description="Also the topic ounce.decisions")
    answered: bool = Field(
        default=False,
        description="Also the topics ounce.TASK.answered, for gateways with --local",
    )
    kafka_timeout_s: float = Field(
        default=10.0, gt=0, description="Seconds to wait for Kafka before giving up"
    )


class _Tasks(BaseModel):
    task: tuple[TaskName, ...]


@click.command(
    name="topics",
    epilog="Example: ounce topics digits bearing --kafka localhost:9092 --partitions 8",
)
@click.argument("task", nargs=-1, required=True)
@settings_options(TopicsSettings)
def command(task: tuple[str, ...], **values: Any) -> None:
    """Create the four topics of each TASK, and those that all tasks share: events, policies,
    canaries, models. Those that exist are left as they are."""
    tasks = make_settings(_Tasks, {"task": task}).task
    settings = make_settings(TopicsSettings, values)
    there = describe_cluster(settings.kafka, settings.kafka_timeout_s, settings.security).partitions
    wanted = [
        (
            [*task_topics(task), *([answered_topic(task)] if settings.answered else ())],
            there.get(requests_topic(task), _PARTITIONS),
        )
        for task in tasks
    ]
    wanted.append(
        ([*shared_topics(), *([decisions_topic()] if settings.decisions else ())], _PARTITIONS)
    )
    states = [
        state
        for names, partitions in wanted
        for state in create_topics(
            settings.kafka,
            names,
            partitions=settings.partitions or partitions,
            replication=settings.replication or BROKERS_CHOICE,
            timeout_s=settings.kafka_timeout_s,
            security=settings.security,
        )
    ]
    rows = [
        (s.name, "created" if s.created else "exists", counted(s.partitions, "partition"))
        for s in states
    ]
    click.echo(table(rows))
