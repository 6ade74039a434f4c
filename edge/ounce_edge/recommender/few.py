"""The decision for a few messages, without arrays.

At low rates nearly every decision is one of these, and a call of numpy takes as long for one value
as for hundreds. What is late already does not keep the others from having their lightest
sufficient plan; only where those are not all in time is it for `crowding`.
"""

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.routing import Choice, Fallback

from ounce_edge.recommender.crowding import LATE_BUDGET_MS, NEARLY_EQUAL, late_groups
from ounce_edge.recommender.schedule import (
    Batch,
    Group,
    Items,
    Line,
    Schedule,
    everything,
    in_some_order,
)
from ounce_edge.recommender.view import Comparison, View

_NONE: Items = np.empty(0, np.intp)
_Call = tuple[int, int, int, int]
"""Plan, number of messages, and the lowest and the highest of their rungs in the frontier."""


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
    rung = bisect_left(compared.floors, floor)
    if rung < len(compared.floors) and view.finish_alone_ms(compared.frontier[rung]) <= left_ms:
        lightest = Group(compared.frontier[rung], Choice.LIGHTEST_FEASIBLE, everything(1))
        return Schedule([lightest], _NONE, compared.by_cost)
    chosen = _otherwise(view, compared, left_ms, floor, fallback)
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
    fastest_ms = view.fastest_alone_ms
    if min(left_ms) >= fastest_ms:
        groups = _in_time(view, compared, left_ms, floors)
        return None if groups is None else Schedule(groups, _NONE, compared.by_cost)
    late = [i for i, left in enumerate(left_ms) if left < fastest_ms]
    rung = [bisect_left(compared.floors, floors[i]) for i in late]
    timely = [i for i, left in enumerate(left_ms) if left >= fastest_ms]
    left_ms, floors = [left_ms[i] for i in timely], [floors[i] for i in timely]
    return decide_beside_late(
        view, compared, timely, left_ms, floors, np.array(late), np.array(rung), fallback
    )


def decide_beside_late(
    view: View,
    compared: Comparison,
    timely: Sequence[int],
    left_ms: Sequence[float],
    floors: Sequence[float],
    late: Items,
    rung: NDArray[np.intp],
    fallback: Fallback,
) -> Schedule | None:
    """The decision for some messages among others that are late, where it is a simple one; else
    None.

    Args:
        view: what is believed of the plans.
        compared: they, at the number of all messages.
        timely: indices of those that are not late, ascending.
        left_ms: of these, their time left.
        floors: of these, their accuracy floors.
        late: indices of the late ones, ascending.
        rung: of these, the place of their lightest sufficient plan in the frontier.
        fallback: what to do where no plan is feasible.
    """
    groups = list[Group]()
    if timely:
        some = _in_time(view, compared, left_ms, floors)
        if some is None:
            return None
        places = np.array(timely)
        groups = [Group(group.plan, group.choice, places[group.items]) for group in some]
    if fallback is Fallback.REFUSE:
        return Schedule(groups, late, compared.by_cost)
    groups += late_groups(view, compared, late, rung, fallback)
    return Schedule(groups, _NONE, compared.by_cost)


def _in_time(
    view: View, compared: Comparison, left_ms: Sequence[float], floors: Sequence[float]
) -> list[Group] | None:
    """The calls that give every message its lightest sufficient plan by its deadline; None if that
    can't be."""
    rungs = [bisect_left(compared.floors, floor) for floor in floors]
    if max(rungs) == len(compared.floors):
        return None
    calls = _fewest_calls(view, compared, rungs)
    if len(calls) == 1:
        plan, n, lightest, heaviest = calls[0]
        call = view.calls[plan, n]
        if Line().join(call.usual_ms, call.finish_ms) <= min(left_ms):
            joined = lightest < heaviest
            choice = Choice.LIGHTEST_TOGETHER if joined else Choice.LIGHTEST_FEASIBLE
            return [Group(plan, choice, everything(n))]
    apart = [
        (compared.frontier[rung], rungs.count(rung), rung, rung) for rung in sorted(set(rungs))
    ]
    for some in (calls, apart) if len(calls) < len(apart) else (apart,):
        queue = in_some_order([_batch(view, call, left_ms, rungs) for call in some])
        if queue is not None:
            return [batch.as_group() for batch in queue]
    return None


def _fewest_calls(view: View, compared: Comparison, rungs: Sequence[int]) -> list[_Call]:
    """From the lightest plan on, its messages join the next one's call if they are cheaper there
    than in a call of their own."""
    calls, found = view.calls, list[_Call]()
    for rung in sorted(set(rungs)):
        plan, n, lightest = compared.frontier[rung], rungs.count(rung), rung
        if found:
            before, n_before, lightest_before, _ = found[-1]
            apart = calls[before, n_before].cost + calls[plan, n].cost
            if calls[plan, n_before + n].cost <= apart:
                found.pop()
                n, lightest = n_before + n, lightest_before
        found.append((plan, n, lightest, rung))
    return found


def _batch(view: View, call: _Call, left_ms: Sequence[float], rungs: Sequence[int]) -> Batch:
    plan, n, lightest, heaviest = call
    items = [i for i, rung in enumerate(rungs) if lightest <= rung <= heaviest]
    joined = lightest < heaviest
    choice = Choice.LIGHTEST_TOGETHER if joined else Choice.LIGHTEST_FEASIBLE
    return Batch(view, plan, choice, [items], n, min([left_ms[i] for i in items]))


def _otherwise(
    view: View, compared: Comparison, left_ms: float, floor: float, fallback: Fallback
) -> tuple[int, Choice] | None:
    """The plan of a message whose lightest sufficient plan is not in time, or that has none, and
    why; None: it is refused."""
    low, order = view.accuracy_low, compared.by_cost
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
