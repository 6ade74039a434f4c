"""What a pipeline believes and holds at one moment, for people who watch it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class PlanSnapshot:
    """What is believed of one plan."""

    name: str
    accuracy: float
    """Expected accuracy, in [0, 1]."""
    accuracy_low: float
    """Lower bound of it, which floors are held against."""


@dataclass(frozen=True)
class Snapshot:
    """One task's pipeline."""

    task: str
    plans: Sequence[PlanSnapshot]
    highest_floor: float
    """Greatest accuracy floor that a plan in service meets."""
    suspended: Mapping[str, bool]
    """By model: whether it is out of the plans."""
    n_open: int
    """Requests taken and not yet answered."""
    is_overloaded: bool
