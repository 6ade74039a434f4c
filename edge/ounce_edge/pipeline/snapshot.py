"""What a pipeline believes and holds at one moment, for people who watch it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from ounce_edge.pipeline.edition import Edition


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
    worse: Mapping[str, bool]
    """By model, as releases call it: whether labels contradict its card for the worse."""
    n_open: int
    """Requests taken and not yet answered."""
    is_overloaded: bool
    is_recording_stopped: bool
    """Whether decisions are to be recorded and can't be."""

    @classmethod
    def of(
        cls,
        edition: Edition,
        at_s: float,
        n_open: int,
        is_overloaded: bool,
        is_recording_stopped: bool,
    ) -> Self:
        """Look at what is believed of an edition's plans that may answer; `at_s` is now, on the
        clock of their calls."""
        plans = edition.plans
        state = plans.renew_state(at_s)
        figures = list(zip(plans.tables.names, state.accuracy, state.accuracy_low, strict=True))
        used = {step.model for p in edition.permitted for step in plans[p].steps}
        names = edition.released_names
        worse = {names[m] for m in plans.worse_models}
        return cls(
            task=edition.task.name,
            plans=[PlanSnapshot(*figures[p]) for p in edition.permitted],
            highest_floor=max(route.view(state).highest_floor for route in edition.routes),
            suspended={
                plans.models[m].name: plans.models[m].suspension.is_open(at_s) for m in sorted(used)
            },
            worse={names[m]: names[m] in worse for m in sorted(used)},
            n_open=n_open,
            is_overloaded=is_overloaded,
            is_recording_stopped=is_recording_stopped,
        )
