"""The decision rule, for all messages of one task that wait together.

For a message with remaining time b and floor a, a plan is feasible when the lower bound of its
accuracy is at least a, and the 99th percentile of (wait + its service time at the batch the message
would join, publishing included) is at most b. The feasible plan of least cost is taken, ties going
to fewer bytes.

What a message costs depends on the others: a call has a fixed cost, which its messages share. Where
all of a lighter plan's messages cost less as part of the next plan's call than in one of their own,
they join it.

The order to run in matters as much as the plan. Lightest first is best while every deadline allows
it: no cheap answer waits for a dear one. Where it makes one late, the earliest deadline goes first
(Jackson's rule: no order has a smaller greatest lateness); where that is late as well, `crowding`
finds the time.
"""

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
from ounce_schemas.routing import Choice, Fallback

from ounce_edge.recommender.arrays import Floats, Items
from ounce_edge.recommender.beliefs.view import Comparison, View
from ounce_edge.recommender.rule.batches import Batch, first_in_time
from ounce_edge.recommender.rule.cells import FEW
from ounce_edge.recommender.rule.crowding import Crowd
from ounce_edge.recommender.rule.few import decide_beside_late, decide_few
from ounce_edge.recommender.rule.schedule import Group, Schedule

MOST_CONSIDERED = 1024
"""Messages of one decision: more than a slice answers. A decision on a backlog of thousands would
take longer than the slice that it is for, and every further one finds a longer backlog."""
LATE_CONSIDERED = 128
"""Of these at least so many late ones, where there are any."""
_NONE: Items = np.empty(0, np.intp)


def decide(
    view: View,
    remaining_ms: Floats,
    min_accuracy: Floats,
    fallback: Fallback,
    overload_lasts: bool = False,
) -> Schedule:
    """Choose a plan for every message and the order to run them in.

    Args:
        view: what is believed of the plans.
        remaining_ms: time left per message, milliseconds, negative when late; shape (n,), n >= 1.
        min_accuracy: floor per message, in [0, 1]; shape (n,).
        fallback: what to do where no plan is feasible.
        overload_lasts: as `Overload` says of all that waits: dear floors are given up at once. With
            `refuse` it changes nothing, since no one is turned away for others that may come.

    Returns:
        Each message in exactly one group, or refused. Of more than `MOST_CONSIDERED` messages those
        with the least time left, and some that are late; the others are left for the next decision.
    """
    n = len(remaining_ms)
    gives_up = overload_lasts and fallback is not Fallback.REFUSE
    if n > MOST_CONSIDERED:
        return _of_backlog(view, remaining_ms, min_accuracy, fallback, gives_up)
    compared = view.compared(n)
    rung: Items | Sequence[int]
    if n <= FEW:
        left_ms, floors = remaining_ms.tolist(), min_accuracy.tolist()
        rung = [bisect_left(compared.floors, floor) for floor in floors]
        few = decide_few(view, compared, left_ms, floors, rung, fallback)
        if few is not None:
            return few
    else:
        rung = compared.rungs(min_accuracy)
        found = None
        if not gives_up:
            found = _in_time(view, compared, remaining_ms, rung) or _few_beside_late(
                view, compared, remaining_ms, rung, fallback
            )
        if found is not None:
            return found
    crowd = Crowd(view, compared, remaining_ms, min_accuracy, fallback, gives_up)
    return crowd.schedule(rung)


def _of_backlog(
    view: View,
    remaining_ms: Floats,
    min_accuracy: Floats,
    fallback: Fallback,
    gives_up: bool,
) -> Schedule:
    """The decision for more messages than are considered: all of them only where all are in time,
    each with its lightest sufficient plan."""
    if not gives_up and np.minimum.reduce(remaining_ms) >= view.fastest_alone_ms:
        compared = view.compared(len(remaining_ms))
        found = _in_time(view, compared, remaining_ms, compared.rungs(min_accuracy))
        if found is not None:
            return found
    some = _most_urgent(remaining_ms)
    part = decide(view, remaining_ms[some], min_accuracy[some], fallback, gives_up)
    groups = [Group(group.plan, group.choice, some[group.items]) for group in part.groups]
    return Schedule(groups, some[part.refused], part.by_cost)


def _few_beside_late(
    view: View,
    compared: Comparison,
    remaining_ms: Floats,
    rung: Items,
    fallback: Fallback,
) -> Schedule | None:
    """The decision where all but a few are late, as in most of an overload; None where it is
    another one, or not a simple one."""
    is_late = remaining_ms < view.fastest_alone_ms
    (timely,) = (~is_late).nonzero()
    if len(timely) > FEW:
        return None
    (late,) = is_late.nonzero()
    left_ms, rungs = remaining_ms[timely].tolist(), rung[timely].tolist()
    return decide_beside_late(
        view, compared, timely.tolist(), left_ms, rungs, late, rung[late], fallback
    )


def _in_time(
    view: View, compared: Comparison, remaining_ms: Floats, rung: Items
) -> Schedule | None:
    """The decision where every message has its lightest sufficient plan by its deadline, the common
    case; None if that can't be."""
    sizes = np.bincount(rung, minlength=len(compared.frontier) + 1).tolist()
    if sizes[-1] or np.minimum.reduce(remaining_ms) < view.fastest_alone_ms:
        return None
    by_rung, start, apart = rung.argsort(kind="stable"), 0, []
    left_ms = remaining_ms[by_rung]
    for plan, size in zip(compared.frontier, sizes, strict=False):
        if size:
            end = start + size
            tightest_ms = float(np.minimum.reduce(left_ms[start:end]))
            items, choice = by_rung[start:end], Choice.LIGHTEST_FEASIBLE
            apart.append(Batch(view, plan, choice, [items], size, tightest_ms))
            start = end
    queue = first_in_time(view, apart)
    if queue is None:
        return None
    return Schedule([batch.as_group() for batch in queue], _NONE, compared.by_cost)


def _most_urgent(remaining_ms: Floats) -> Items:
    """Indices of the messages to consider, ascending; shape (`MOST_CONSIDERED`,)."""
    is_late = remaining_ms < 0.0
    late, timely = np.flatnonzero(is_late), np.flatnonzero(~is_late)
    room = MOST_CONSIDERED - min(len(late), LATE_CONSIDERED)
    if len(timely) > room:
        timely = timely[np.argpartition(remaining_ms[timely], room)[:room]]
    return np.sort(np.concatenate([timely, late[: MOST_CONSIDERED - len(timely)]]))
