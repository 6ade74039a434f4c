"""The series that a group of answers is counted in."""

from typing import NamedTuple

from ounce_schemas.routing import Choice

from ounce_edge.telemetry.instruments import Instruments
from ounce_edge.telemetry.values import Value


class GroupSeries(NamedTuple):
    """Those of one task, model, plan and reason."""

    messages: Value
    plans: Value
    fallbacks: Value | None
    """None: the reason is no fallback."""
    deadline_misses: Value
    floor_misses: Value
    cost: Value
    cost_saved: Value
    always_best: Value
    saved: Value


def group_series(to: Instruments, task: str, model: str, plan: str, choice: Choice) -> GroupSeries:
    """Look them up."""
    is_fallback = choice.is_fallback
    return GroupSeries(
        messages=to.messages.labels(task, model, "fallback" if is_fallback else "answered"),
        plans=to.plans.labels(task, plan, choice),
        fallbacks=to.fallbacks.labels(task, choice.removeprefix("fallback-"))
        if is_fallback
        else None,
        deadline_misses=to.deadline_misses.labels(task, model),
        floor_misses=to.floor_misses.labels(task, model),
        cost=to.cost.labels(task),
        cost_saved=to.cost_saved.labels(task),
        always_best=to.always_best.labels(task),
        saved=to.saved.labels(task),
    )
