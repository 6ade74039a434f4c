"""A gateway's map file: which topics of MQTT mean which task and device."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from ounce_schemas.task import Document, TaskName

_OneLine = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[\x21-\x7e][\x20-\x7e]*$")
]


class MapKind(StrEnum):
    """What devices send to a topic."""

    REQUESTS = "requests"
    LABELS = "labels"


class MapRule(Document):
    """Topics, and what is sent there. Content type and targets are for devices that can't send
    properties. A property of a message goes first."""

    topic: str = Field(
        min_length=1,
        max_length=65_535,
        description="Topic filter of MQTT; the levels +device and +task name the device and the "
        "task, + is any level, # the rest",
    )
    task: TaskName | None = Field(
        default=None, description="Task of all these topics; without one a level +task names it"
    )
    kind: MapKind = Field(default=MapKind.REQUESTS, description="requests, or labels of requests")
    content_type: _OneLine | None = Field(
        default=None, description="Content type of messages that name none, such as text/csv"
    )
    max_latency_ms: float | None = Field(
        default=None,
        gt=0,
        le=1e9,
        description="Deadline of requests without one in a property; goes before one in the body",
    )
    min_accuracy: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Floor of requests without one in a property; goes before one in the body",
    )


class TopicMapFile(Document):
    """All maps of a gateway."""

    maps: tuple[MapRule, ...] = Field(min_length=1, max_length=1000)
