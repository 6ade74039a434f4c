"""Names of the Kafka topics. A task has four, keyed by the device's id; events have one for all."""

from collections.abc import Iterable

TASK_NAME_PATTERN = r"^[a-z0-9][a-z0-9-]{0,62}$"
NAME_RULE = "use lower-case letters, digits and '-', 63 at most"
"""The pattern in words."""


def requests_topic(task: str) -> str:
    """Inputs to be answered."""
    return f"ounce.{task}.requests"


def predictions_topic(task: str) -> str:
    """Answers, keyed as their requests."""
    return f"ounce.{task}.predictions"


def dead_letters_topic(task: str) -> str:
    """Records that could not be served, byte for byte, with the reason in headers."""
    return f"ounce.{task}.dead-letters"


def labels_topic(task: str) -> str:
    """True answers that arrive later, joined to predictions by id."""
    return f"ounce.{task}.labels"


def shadow_topic(task: str) -> str:
    """Answers that a policy or model on trial would have given; nobody acts on them."""
    return f"ounce.{task}.shadow"


def answered_topic(task: str) -> str:
    """Requests that a gateway has answered at the edge while Kafka was away; no worker reads it."""
    return f"ounce.{task}.answered"


EVENTS_TOPIC = "ounce.events"
"""What workers have to say to people, of all tasks; keyed by the task's name."""

MODELS_TOPIC = "ounce.models"
"""Which release of its models serves each task; compacted, keyed by the task's name."""
POLICIES_TOPIC = "ounce.policies"
"""Versions of the policy, for all workers; compacted, one partition."""
CANARIES_TOPIC = "ounce.canaries"
"""What workers saw of policies on trial; compacted, one partition."""
CONTROL_TOPICS = (POLICIES_TOPIC, CANARIES_TOPIC, MODELS_TOPIC)
"""Those of which the last record of each key counts."""

DECISIONS_TOPIC = "ounce.decisions"
"""What workers decided and on what grounds, where they publish it; keyed by the task's name."""


def task_topics(task: str) -> tuple[str, str, str, str]:
    """All topics of a task: requests, predictions, dead letters, labels."""
    return (
        requests_topic(task),
        predictions_topic(task),
        dead_letters_topic(task),
        labels_topic(task),
    )


def all_topics(tasks: Iterable[str]) -> list[str]:
    """Every topic that serving these tasks uses, those that all tasks share last."""
    of_tasks = (topic for task in tasks for topic in task_topics(task))
    return [*of_tasks, EVENTS_TOPIC, *CONTROL_TOPICS]
