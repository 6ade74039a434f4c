"""The decision for a few messages, without arrays.

At low rates nearly every decision is one of these, and a call of numpy takes as long for one value
as for hundreds. What is late already does not keep the others from having their lightest
sufficient plan; only where those are not all in time is it for `crowding`.
"""

from collections.abc import Sequence

import numpy as np
from ounce_schemas.routing import Choice, Fallback

from ounce_edge.recommender.arrays import Items
from ounce_edge.recommender.beliefs.view import Comparison, View
from ounce_edge.recommender.rule.batches import Batch, in_some_order
from ounce_edge.recommender.rule.crowding import LATE_BUDGET_MS, NEARLY_EQUAL, late_groups
from ounce_edge.recommender.rule.schedule import Group, Schedule, everything

_NONE: Items = np.empty(0, np.intp)
_Call = tuple[int, int, int, int]
"""Plan, number of messages, and the lowest and the highest of their rungs in the frontier."""


def decide_few(
    view: View,
    compared: Comparison,
    left_ms: Sequence[float],
    floors: Sequence[float],
    rungs: Sequence[int],
    fallback: Fallback,
) -> Schedule | None:
    """The decision for some messages, where it is a simple one; else None. For one it always is.

    Args:
        view: what is believed of the plans.
        compared: they, at this batch size.
        left_ms: time left per message, negative when late.
        floors: accuracy floor per message.
        rungs: place of each message's lightest sufficient plan in the frontier.
        fallback: what to do where no plan is feasible.
    """
    fastest_ms = view.fastest_alone_ms
    is_timely = min(left_ms) >= fastest_ms
    groups = _in_time(view, compared, left_ms, rungs) if is_timely else None
    if groups is not None:
        return Schedule(groups, _NONE, compared.by_cost)
    if len(rungs) == 1:
        return _decide_one(view, compared, left_ms[0], floors[0], fallback)
    if is_timely:
        return None
    late = [i for i, left in enumerate(left_ms) if left < fastest_ms]
    timely = [i for i, left in enumerate(left_ms) if left >= fastest_ms]
    return decide_beside_late(
        view,
        compared,
        timely,
        [left_ms[i] for i in timely],
        [rungs[i] for i in timely],
        np.array(late),
        np.array([rungs[i] for i in late]),
        fallback,
    )


def decide_beside_late(
    view: View,
    compared: Comparison,
    timely: Sequence[int],
    left_ms: Sequence[float],
    rungs: Sequence[int],
    late: Items,
    late_rungs: Items,
    fallback: Fallback,
) -> Schedule | None:
    """The decision for some messages among others that are late, where it is a simple one; else
    None.

    Args:
        view: what is believed of the plans.
        compared: they, at the number of all messages.
        timely: indices of those that are not late, ascending.
        left_ms: of these, their time left.
        rungs: of these, the place of their lightest sufficient plan in the frontier.
        late: indices of the late ones, ascending.
        late_rungs: of these, likewise.
        fallback: what to do where no plan is feasible.
    """
    groups = list[Group]()
    if timely:
        some = _in_time(view, compared, left_ms, rungs)
        if some is None:
            return None
        places = np.array(timely)
        groups = [Group(group.plan, group.choice, places[group.items]) for group in some]
    if fallback is Fallback.REFUSE:
        return Schedule(groups, late, compared.by_cost)
    groups += late_groups(view, compared, late, late_rungs, fallback)
    return Schedule(groups, _NONE, compared.by_cost)


def _in_time(
    view: View, compared: Comparison, left_ms: Sequence[float], rungs: Sequence[int]
) -> list[Group] | None:
    """The calls that give every message its lightest sufficient plan by its deadline; None if that
    can't be."""
    if max(rungs) == len(compared.floors):
        return None
    calls = fewest_calls(view, compared, rungs)
    if len(calls) == 1:
        group = as_group(calls[0])
        if view.calls[group.plan, len(group.items)].finish_ms <= min(left_ms):
            return [group]
    apart = [
        (compared.frontier[rung], rungs.count(rung), rung, rung) for rung in sorted(set(rungs))
    ]
    for some in (calls, apart) if len(calls) < len(apart) else (apart,):
        queue = in_some_order([_batch(view, call, left_ms, rungs) for call in some])
        if queue is not None:
            return [batch.as_group() for batch in queue]
    return None


def fewest_calls(view: View, compared: Comparison, rungs: Sequence[int]) -> list[_Call]:
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


def as_group(call: _Call) -> Group:
    """The group of a call for all messages."""
    plan, n, _, _ = call
    return Group(plan, _choice(call), everything(n))


def _batch(view: View, call: _Call, left_ms: Sequence[float], rungs: Sequence[int]) -> Batch:
    plan, n, lightest, heaviest = call
    items = [i for i, rung in enumerate(rungs) if lightest <= rung <= heaviest]
    return Batch(view, plan, _choice(call), [items], n, min([left_ms[i] for i in items]))


def _choice(call: _Call) -> Choice:
    _, _, lightest, heaviest = call
    return Choice.LIGHTEST_TOGETHER if lightest < heaviest else Choice.LIGHTEST_FEASIBLE


def _decide_one(
    view: View, compared: Comparison, left_ms: float, floor: float, fallback: Fallback
) -> Schedule:
    """The decision for a message that waits alone, whose lightest sufficient plan is not in time,
    or that has none."""
    chosen = _otherwise(view, compared, left_ms, floor, fallback)
    if chosen is None:
        return Schedule([], everything(1), compared.by_cost)
    return Schedule([Group(*chosen, everything(1))], _NONE, compared.by_cost)


def _otherwise(
    view: View, compared: Comparison, left_ms: float, floor: float, fallback: Fallback
) -> tuple[int, Choice] | None:
    """The plan of that message, and why; None: it is refused."""
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
