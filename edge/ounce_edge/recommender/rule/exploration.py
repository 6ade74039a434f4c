"""Trying lighter plans that labels may prove good enough.

This is Thompson sampling: a plan is tried as often as it is likely to be good enough (Thompson,
Biometrika 25, 1933; Chapelle and Li, "An Empirical Evaluation of Thompson Sampling", NeurIPS 2011).
The policy says for which share of the messages. For such a message, every lighter plan in time
whose interval holds the floor draws an accuracy from its posterior. The lightest whose draw meets
the floor answers.

Labels then move the posterior, and with it the lower bound that the decision rule uses. What proves
good enough is chosen from then on. What does not is drawn ever more rarely.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.routing import Choice, Fallback

from ounce_edge.recommender.arrays import Floats
from ounce_edge.recommender.beliefs.view import View
from ounce_edge.recommender.rule.decision import decide
from ounce_edge.recommender.rule.schedule import Group, Schedule


class Draws(NamedTuple):
    """What is random about exploring at one decision."""

    chosen: NDArray[np.bool_]
    """Messages within the policy's exploration share, shape (n,)."""
    drawn: Sequence[float]
    """An accuracy per plan, drawn from its posterior."""


def decide_and_explore(
    view: View,
    remaining_ms: Floats,
    min_accuracy: Floats,
    fallback: Fallback,
    overload_lasts: bool,
    draws: Draws | None,
) -> Schedule:
    """The rule's decision (arguments as in `decide`), and what is tried instead of it where there
    are `draws`."""
    schedule = decide(view, remaining_ms, min_accuracy, fallback, overload_lasts)
    if draws is None:
        return schedule
    return explore(view, schedule, remaining_ms, min_accuracy, draws)


def explore(
    view: View,
    schedule: Schedule,
    remaining_ms: Floats,
    min_accuracy: Floats,
    draws: Draws,
) -> Schedule:
    """Let some messages that the rule serves as asked be answered by lighter plans that may be good
    enough.

    Args:
        view: what the schedule was decided on.
        schedule: the rule's decision.
        remaining_ms: time left per message, shape (n,).
        min_accuracy: floor per message, shape (n,).
        draws: the randomness in it.

    Returns:
        The schedule with the tried plans as groups of their own, before the others. They are
        lighter than what they stand in for, so nothing ends later.
    """
    chosen, drawn = draws
    tried: dict[int, list[int]] = {}
    groups = []
    for group in schedule.groups:
        kept = group.items
        may_try = chosen[kept] & (min_accuracy[kept] <= view.accuracy_low[group.plan])
        if not group.choice.is_fallback and may_try.any():
            lighter = schedule.by_cost[: schedule.by_cost.index(group.plan)]
            for i in kept[may_try].tolist():
                plan = _try(view, lighter, remaining_ms[i], min_accuracy[i], drawn)
                if plan is not None:
                    tried.setdefault(plan, []).append(i)
                    kept = kept[kept != i]
        if len(kept):
            groups.append(Group(group.plan, group.choice, kept))
    new = [Group(p, Choice.EXPLORATION, np.sort(np.array(i))) for p, i in tried.items()]
    return Schedule([*new, *groups], schedule.refused, schedule.by_cost)


def _try(
    view: View, lighter: Sequence[int], remaining_ms: float, floor: float, drawn: Sequence[float]
) -> int | None:
    for plan in lighter:
        if drawn[plan] >= floor and is_tried(view, plan, remaining_ms, floor):
            return plan
    return None


def is_tried(view: View, plan: int, remaining_ms: float, floor: float) -> bool:
    """Whether a lighter plan may prove good enough for a message, and is in time."""
    return (
        view.accuracy_low[plan] < floor <= view.accuracy_high[plan]
        and view.calls[plan, 1].finish_ms <= remaining_ms
    )


def regret(view: View, plan: int, floors: Floats) -> float:
    """Expected shortfall of exploring: by how much the plan's accuracy is under the floors of the
    messages that it was tried on, summed; in expected wrong answers."""
    return float(np.maximum(floors - view.accuracy[plan], 0.0).sum())
