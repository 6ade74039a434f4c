"""What a decision gives, and what of it is done now."""

from collections.abc import Sequence
from typing import NamedTuple

from ounce_schemas.routing import Choice

from ounce_edge.recommender.arrays import Items


class Group(NamedTuple):
    """Messages answered together in one call."""

    plan: int
    """Index into the task's plans."""
    choice: Choice
    """Why. For messages whose floor the plan does not keep it is `choice.below_floor`."""
    items: Items
    """Indices of the messages, ascending."""


class Schedule(NamedTuple):
    """What to run, in this order."""

    groups: Sequence[Group]
    refused: Items
    """Messages that the fallback `refuse` turns away."""
    by_cost: Sequence[int]
    """Plans from the lightest to the heaviest, as they were ranked."""


class Share(NamedTuple):
    """What to do now."""

    here: Sequence[Group]
    """In this order."""
    beside: Sequence[Group]
    """One for each of so many free lanes."""
    n_held: int
    """Messages that wait for a lane; looking at them again before one is free changes nothing."""
    late_credit_ms: float
    """Time owed to late messages, of this thread or a lane."""
