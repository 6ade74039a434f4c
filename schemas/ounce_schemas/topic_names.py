"""Names of the Kafka topics, and of those that a platform calls otherwise."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from ounce_schemas.names import TASK_NAME_PATTERN, TOPIC_NAME_PATTERN, TOPIC_PREFIX_PATTERN
from ounce_schemas.task import Document, TaskName

TopicName = Annotated[str, Field(pattern=TOPIC_NAME_PATTERN)]


class TaskTopic(StrEnum):
    """Topics that each task has."""

    REQUESTS = "requests"
    PREDICTIONS = "predictions"
    DEAD_LETTERS = "dead-letters"
    LABELS = "labels"
    SHADOW = "shadow"
    ANSWERED = "answered"


class SharedTopic(StrEnum):
    """Topics that all tasks have together."""

    EVENTS = "events"
    MODELS = "models"
    POLICIES = "policies"
    CANARIES = "canaries"
    DECISIONS = "decisions"


class OwnTopics(Document):
    """Topics of a task that have names of their own."""

    requests: TopicName | None = Field(default=None, description="Inputs, such as readings")
    predictions: TopicName | None = Field(default=None, description="Answers")
    dead_letters: TopicName | None = Field(default=None, description="What can't be served")
    labels: TopicName | None = Field(default=None, description="The truth, when it is known")

    def names(self) -> Mapping[TaskTopic, str]:
        """Those that are given."""
        return {TaskTopic(k.replace("_", "-")): v for k, v in self if v is not None}


class TopicNames(Document):
    """What the topics are called: the same in all processes of an installation."""

    prefix: str = Field(
        default="ounce",
        pattern=TOPIC_PREFIX_PATTERN,
        description="First part of each name that is not given",
    )
    tasks: Mapping[TaskName, OwnTopics] = Field(
        default={}, description="Topics that have names of their own, by task"
    )

    @model_validator(mode="after")
    def _check_unique(self) -> Self:
        uses = {  # several tasks may read one topic
            (name, kind, "any" if kind is TaskTopic.REQUESTS else task)
            for task, own in self.tasks.items()
            for kind, name in own.names().items()
            if name != self._make(task, kind)
        }
        for name, n in Counter(name for name, *_ in sorted(uses)).items():
            if n > 1:
                raise ValueError(f"{name} stands twice: only requests may be of several tasks")
            if self._made(name, TaskTopic) or name in map(self.shared, SharedTopic):
                raise ValueError(f"{name} is what another topic is called, with this prefix")
        return self

    def of_task(self, task: str, kind: TaskTopic) -> str:
        """The name of a task's topic."""
        own = self.tasks.get(task)
        return (own and own.names().get(kind)) or self._make(task, kind)

    def shared(self, kind: SharedTopic) -> str:
        """The name of a topic of all tasks."""
        return f"{self.prefix}.{kind}"

    def task_of(self, topic: str, kind: TaskTopic) -> str | None:
        """The task whose topic of this kind it is, if any."""
        tasks = (task for task, own in self.tasks.items() if own.names().get(kind) == topic)
        task = next(tasks, None) or self._made(topic, [kind])
        return task if task is not None and self.of_task(task, kind) == topic else None

    def _make(self, task: str, kind: TaskTopic) -> str:
        return f"{self.prefix}.{task}.{kind}"

    def _made(self, topic: str, kinds: Iterable[TaskTopic]) -> str | None:
        """The task that a name is made of."""
        task = TASK_NAME_PATTERN.strip("^$")
        found = re.fullmatch(rf"{re.escape(self.prefix)}\.({task})\.({'|'.join(kinds)})", topic)
        return found[1] if found else None
