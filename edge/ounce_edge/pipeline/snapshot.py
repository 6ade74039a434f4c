"""What a pipeline believes and holds at one moment, for people who watch it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from ounce_edge.recommender.beliefs.plan_beliefs import Plans


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

    @classmethod
    def of(cls, task: str, plans: Plans, at_s: float, n_open: int, is_overloaded: bool) -> Self:
        """Look at what is believed of plans; `at_s` is now, on the clock of their calls."""
        view = plans.view(at_s)
        figures = zip(view.names, view.accuracy, view.accuracy_low, strict=True)
        return cls(
            task=task,
            plans=[PlanSnapshot(*of_plan) for of_plan in figures],
            highest_floor=view.highest_floor,
            suspended={m.name: m.suspension.is_open(at_s) for m in plans.models},
            n_open=n_open,
            is_overloaded=is_overloaded,
        )
