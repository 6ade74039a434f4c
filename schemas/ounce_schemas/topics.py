"""Names of the Kafka topics of this process. A task has four, keyed by the device's id; events have
one for all."""

import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from ounce_schemas.documents import read_topic_names
from ounce_schemas.names import TOPICS_VARIABLE
from ounce_schemas.topic_names import SharedTopic, TaskTopic, TopicNames


def topic_names() -> TopicNames:
    """What the topics are called; a file is read once.

    Raises:
        OunceError: the file is absent, unreadable or invalid.
    """
    return _names_of(os.environ.get(TOPICS_VARIABLE))


@cache
def _names_of(path: str | None) -> TopicNames:
    return read_topic_names(Path(path)) if path else TopicNames()


def requests_topic(task: str) -> str:
    """Inputs to be answered."""
    return topic_names().of_task(task, TaskTopic.REQUESTS)


def predictions_topic(task: str) -> str:
    """Answers, keyed as their requests."""
    return topic_names().of_task(task, TaskTopic.PREDICTIONS)


def dead_letters_topic(task: str) -> str:
    """Records that could not be served, byte for byte, with the reason in headers."""
    return topic_names().of_task(task, TaskTopic.DEAD_LETTERS)


def labels_topic(task: str) -> str:
    """True answers that arrive later, joined to predictions by id."""
    return topic_names().of_task(task, TaskTopic.LABELS)


def shadow_topic(task: str) -> str:
    """Answers that a policy or model on trial would have given; nobody acts on them."""
    return topic_names().of_task(task, TaskTopic.SHADOW)


def answered_topic(task: str) -> str:
    """Requests that a gateway has answered at the edge while Kafka was away; no worker reads it."""
    return topic_names().of_task(task, TaskTopic.ANSWERED)


def events_topic() -> str:
    """What workers have to say to people, of all tasks; keyed by the task's name."""
    return topic_names().shared(SharedTopic.EVENTS)


def models_topic() -> str:
    """Which release of its models serves each task; compacted, keyed by the task's name."""
    return topic_names().shared(SharedTopic.MODELS)


def policies_topic() -> str:
    """Versions of the policy, for all workers; compacted, one partition."""
    return topic_names().shared(SharedTopic.POLICIES)


def canaries_topic() -> str:
    """What workers saw of policies on trial; compacted, one partition."""
    return topic_names().shared(SharedTopic.CANARIES)


def decisions_topic() -> str:
    """What workers decided and on what grounds, where they publish it; keyed by the task's name."""
    return topic_names().shared(SharedTopic.DECISIONS)


def control_topics() -> tuple[str, str, str]:
    """Those of which the last record of each key counts."""
    return policies_topic(), canaries_topic(), models_topic()


def task_topics(task: str) -> tuple[str, str, str, str]:
    """All topics of a task: requests, predictions, dead letters, labels."""
    return (
        requests_topic(task),
        predictions_topic(task),
        dead_letters_topic(task),
        labels_topic(task),
    )


def shared_topics() -> tuple[str, ...]:
    """Topics that all tasks share."""
    return events_topic(), *control_topics()


def all_topics(tasks: Iterable[str]) -> list[str]:
    """Every topic that serving these tasks uses, those that all tasks share last."""
    return [*(topic for task in tasks for topic in task_topics(task)), *shared_topics()]
