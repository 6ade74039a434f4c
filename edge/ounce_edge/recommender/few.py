"""The decision for a few messages, without arrays.

At low rates nearly every decision is one of these, and a call of numpy takes as long for one value
as for hundreds. What is late already does not keep the others from having their lightest
sufficient plan; only where those are not all in time is it for `crowding`.
"""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import chain

import numpy as np
from ounce_schemas.routing import Choice, Fallback

from ounce_edge.recommender.crowding import LATE_BUDGET_MS, NEARLY_EQUAL, late_groups
from ounce_edge.recommender.schedule import Group, Items, Schedule, everything, first_in_time
from ounce_edge.recommender.view import Comparison, View

_NONE: Items = np.empty(0, np.intp)


def decide_one(
    view: View, compared: Comparison, left_ms: float, floor: float, fallback: Fallback
) -> Schedule:
    """The decision for a message that waits alone.

    Args:
        view: what is believed of the plans.
        compared: they, at batch size 1.
        left_ms: time left, negative when late.
        floor: accuracy floor.
        fallback: what to do where no plan is feasible.
    """
    chosen = _choose(view, compared, left_ms, floor, fallback)
    if chosen is None:
        return Schedule([], everything(1), compared.by_cost)
    return Schedule([Group(*chosen, everything(1))], _NONE, compared.by_cost)


def decide_few(
    view: View,
    compared: Comparison,
    left_ms: Sequence[float],
    floors: Sequence[float],
    fallback: Fallback,
) -> Schedule | None:
    """The decision for some messages, where it is a simple one; else None.

    Args:
        view: what is believed of the plans.
        compared: they, at this batch size.
        left_ms: time left per message, negative when late.
        floors: accuracy floor per message.
        fallback: what to do where no plan is feasible.
    """
    n, fastest_ms = len(left_ms), view.fastest_alone_ms
    late: list[int] = []
    by_rung: dict[int, list[int]] = {}
    for i, left in enumerate(left_ms):
        if left < fastest_ms:
            late.append(i)
        else:
            by_rung.setdefault(bisect_left(compared.floors, floors[i]), []).append(i)
    if len(compared.floors) in by_rung:
        return None
    rungs = sorted(by_rung)
    parts = [by_rung[rung] for rung in rungs]
    queue = first_in_time(
        view,
        [
            (compared.frontier[rung], len(part), min([left_ms[i] for i in part]))
            for rung, part in zip(rungs, parts, strict=True)
        ],
    )
    if queue is None:
        return None
    groups = [Group(call.plan, call.choice, _items(parts[call.rungs], n)) for call in queue]
    if not late:
        return Schedule(groups, _NONE, compared.by_cost)
    if fallback is Fallback.REFUSE:
        return Schedule(groups, np.array(late), compared.by_cost)
    groups += late_groups(view, compared.by_cost, late, floors, fallback)
    return Schedule(groups, _NONE, compared.by_cost)


def _items(parts: Sequence[Sequence[int]], n: int) -> Items:
    """Indices of some of `n` messages as an array."""
    some = parts[0] if len(parts) == 1 else sorted(chain.from_iterable(parts))
    return everything(n) if len(some) == n else np.array(some)


def _choose(
    view: View, compared: Comparison, left_ms: float, floor: float, fallback: Fallback
) -> tuple[int, Choice] | None:
    """None: it is refused."""
    low, order = view.accuracy_low, compared.by_cost
    for plan in compared.frontier:
        if low[plan] >= floor:
            if view.finish_alone_ms(plan) <= left_ms:
                return plan, Choice.LIGHTEST_FEASIBLE
            break
    timely = [p for p in order if view.finish_alone_ms(p) <= left_ms]
    for plan in timely:
        if low[plan] >= floor:
            return plan, Choice.LIGHTEST_FEASIBLE
    if fallback is Fallback.REFUSE:
        return None
    if fallback is Fallback.MOST_ACCURATE_IN_TIME:
        if timely:
            enough = max(view.accuracy[p] for p in timely) - NEARLY_EQUAL
            best = next(p for p in timely if view.accuracy[p] >= enough)
            return best, Choice.FALLBACK_MOST_ACCURATE_IN_TIME
        for plan in order:
            if low[plan] >= floor and view.finish_alone_ms(plan) <= LATE_BUDGET_MS:
                return plan, Choice.FALLBACK_LATE
    return min(order, key=view.finish_alone_ms), Choice.FALLBACK_FASTEST
