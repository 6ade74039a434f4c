"""Names of the Kafka topics. One task has four; the key of every record is the device's id."""

TASK_NAME_PATTERN = r"^[a-z0-9][a-z0-9-]{0,62}$"


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


EVENTS_TOPIC = "ounce.events"
"""What workers have to say to people, of all tasks."""


def task_topics(task: str) -> tuple[str, str, str, str]:
    """All topics of a task: requests, predictions, dead letters, labels."""
    return (
        requests_topic(task),
        predictions_topic(task),
        dead_letters_topic(task),
        labels_topic(task),
    )
