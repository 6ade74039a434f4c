"""The decision rule, for all messages of one task that wait together.

For a message with remaining time b and floor a, a plan is feasible when the lower bound of its
accuracy is at least a, and the 99th percentile of (wait + its service time at the batch the message
would join) is at most b. The feasible plan of least cost is taken, ties going to fewer bytes; where
none is feasible, the policy's fallback answers, labelled. With `most-accurate-in-time` a message
that nothing can answer in time still gets the lightest plan that keeps its floor, as long as such
messages together take little time from those that follow; beyond that the fastest plan answers, so
that a backlog is caught up instead of carried on.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.routing import Choice, Fallback

from ounce_edge.recommender.plans import Plans

Items = NDArray[np.intp]

LATE_BUDGET_MS = 5.0
"""Time per decision for keeping the floors of messages that are late anyway."""


@dataclass(frozen=True)
class Group:
    """Messages answered together in one call."""

    plan: int
    """Index into the task's plans."""
    choice: Choice
    items: Items
    """Indices of the messages, ascending."""


@dataclass(frozen=True)
class Schedule:
    """What to run, in this order."""

    groups: Sequence[Group]
    refused: Items
    """Messages that the fallback `refuse` turns away."""
    by_cost: Sequence[int]
    """Plans from the lightest to the heaviest, as they were compared."""


def decide(
    plans: Plans,
    remaining_ms: NDArray[np.float64],
    min_accuracy: NDArray[np.float64],
    fallback: Fallback,
) -> Schedule:
    """Choose a plan for every message and the order to run them in.

    Groups run from the lightest to the heaviest, so that cheap answers never wait for dear ones;
    each group's wait is the predicted time of those before it. Where a group would be too large for
    its tightest deadlines, as many of its messages as fit are kept (those with the most time left,
    for which the largest batch fits) and the others look further.

    Args:
        plans: what may answer.
        remaining_ms: time left per message, milliseconds, negative when late; shape (n,).
        min_accuracy: floor per message, in [0, 1]; shape (n,).
        fallback: what to do where no plan is feasible.

    Returns:
        Each message in exactly one group, or refused.
    """
    n = len(remaining_ms)
    order = plans.by_cost(n)
    loosest, tightest = float(min_accuracy.min()), float(min_accuracy.max())
    if loosest == tightest:  # one floor for all, the common case: one group if it fits
        for plan in order:
            if plans.accuracy_low[plan] >= tightest:
                if plans[plan].latency.p99_ms(n) <= remaining_ms.min():
                    group = Group(plan, Choice.LIGHTEST_FEASIBLE, np.arange(n))
                    return Schedule([group], np.empty(0, np.intp), order)
                break
    return _decide_mixed(plans, order, remaining_ms, min_accuracy, fallback)


def _decide_mixed(
    plans: Plans,
    order: Sequence[int],
    remaining_ms: NDArray[np.float64],
    min_accuracy: NDArray[np.float64],
    fallback: Fallback,
) -> Schedule:
    groups: list[Group] = []
    waiting: Items = np.arange(len(remaining_ms))
    wait_ms = 0.0

    def take(plan: int, candidates: Items, choice: Choice, left_ms: NDArray[np.float64]) -> None:
        nonlocal waiting, wait_ms
        kept = _fitting(plans, plan, candidates, left_ms, wait_ms)
        if len(kept):
            groups.append(Group(plan, choice, kept))
            wait_ms += float(plans[plan].latency.p99_ms(len(kept)))
            waiting = np.setdiff1d(waiting, kept, assume_unique=True)

    for plan in order:
        if not len(waiting):
            break
        meets_floor = plans.accuracy_low[plan] >= min_accuracy[waiting]
        if meets_floor.any():
            take(plan, waiting[meets_floor], Choice.LIGHTEST_FEASIBLE, remaining_ms)

    if len(waiting) and fallback is Fallback.REFUSE:
        return Schedule(groups, waiting, order)
    if len(waiting) and fallback is Fallback.MOST_ACCURATE_IN_TIME:
        for plan in sorted(order, key=lambda p: -plans[p].accuracy):  # of equals, the lightest
            if len(waiting):
                take(plan, waiting, Choice.FALLBACK_MOST_ACCURATE_IN_TIME, remaining_ms)
        until_ms = np.full(len(remaining_ms), wait_ms + LATE_BUDGET_MS)
        for plan in order:
            keeps_floor = plans.accuracy_low[plan] >= min_accuracy[waiting]
            if keeps_floor.any():
                take(plan, waiting[keeps_floor], Choice.FALLBACK_LATE, until_ms)
    if len(waiting):  # lose as little of others' time as possible
        fastest = min(order, key=lambda p: plans[p].latency.median_ms(len(waiting)))
        groups.append(Group(fastest, Choice.FALLBACK_FASTEST, waiting))
    return Schedule(groups, np.empty(0, np.intp), order)


def _fitting(
    plans: Plans,
    plan: int,
    candidates: Items,
    remaining_ms: NDArray[np.float64],
    wait_ms: float,
) -> Items:
    """The largest set of candidates that `plan` serves in time in one call, ascending."""
    latency = plans[plan].latency
    left = remaining_ms[candidates]
    if wait_ms + float(latency.p99_ms(len(candidates))) <= left.min():
        return candidates
    loosest_first = np.argsort(-left, kind="stable")
    finish_ms = wait_ms + latency.p99_ms(np.arange(1.0, len(candidates) + 1))
    fits = finish_ms <= left[loosest_first]
    n_kept = int(fits.sum()) if fits.all() else int(np.argmin(fits))
    return np.sort(candidates[loosest_first[:n_kept]])
