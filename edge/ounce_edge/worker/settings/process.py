"""What can be set of any process of the edge, a worker or a gateway."""

from typing import Annotated

from ounce_schemas.kafka_connection import KafkaConnection
from ounce_schemas.task import TaskName
from ounce_schemas.topics import requests_topic
from pydantic import Field, field_validator

from ounce_edge.telemetry.log_lines import LogFormat

Port = Annotated[
    int, Field(ge=0, le=65_535, description="Port of /metrics, /healthz, /readyz; 0: any")
]


class ProcessSettings(KafkaConnection):
    """Settings that a worker and a gateway share."""

    task: tuple[TaskName, ...] = Field(description="Task to serve; repeat for several")
    kafka: str = Field(min_length=1, description="Bootstrap servers, HOST:PORT[,HOST:PORT...]")
    metrics_port: Port = 9464
    metrics_host: str = Field(default="0.0.0.0", description="Address to serve metrics on")
    log_level: str = Field(
        default="INFO",
        pattern="^(DEBUG|INFO|WARNING|ERROR)$",
        description="DEBUG, INFO, WARNING or ERROR",
    )
    log_format: LogFormat = Field(
        default=LogFormat.TEXT, description="text, or json: an object for each line"
    )

    @field_validator("task")
    @classmethod
    def _once_each(cls, task: tuple[str, ...]) -> tuple[str, ...]:
        if not task:
            raise ValueError("name at least one task")
        tasks = tuple(dict.fromkeys(task))
        task_of = {requests_topic(one): one for one in tasks}
        for one in tasks:  # who asks one of them would get an answer of the other
            if (other := task_of[topic := requests_topic(one)]) != one:
                raise ValueError(
                    f"tasks {one} and {other} read the same topic, {topic}: each needs processes "
                    "and a --group of its own"
                )
        return tasks
