"""What one look found, and what to do about it."""

from dataclasses import dataclass
from enum import StrEnum

from confluent_kafka import KafkaException


class Verdict(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    """A worker serves; something will hurt later."""
    FAILURE = "failure"
    """A worker can't serve, or loses what it should keep."""
    SKIPPED = "skipped"
    """It can't be seen."""


@dataclass(frozen=True)
class Finding:
    """One line of a diagnosis."""

    check: str
    """What was looked at."""
    verdict: Verdict
    text: str
    """What was found, with the values."""
    advice: str = ""
    """What to do; empty where there is nothing to do."""


def why(error: KafkaException | TimeoutError) -> str:
    """Why Kafka does not do what it was asked."""
    text: str = error.args[0].str() if isinstance(error, KafkaException) else "no answer in time"
    return text
