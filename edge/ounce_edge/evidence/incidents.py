"""What people should know of."""

from dataclasses import dataclass

from ounce_schemas.event import EventKind


@dataclass(frozen=True)
class Incident:
    """Something that happened to a task."""

    kind: EventKind
    subject: str
    """What it is about: a model, a plan, a floor, `requests`, or `decisions`."""
    text: str
    """What happened, with the figures, in a sentence."""
