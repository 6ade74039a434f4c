"""The decision rule, for all messages of one task that wait together.

A message has a remaining time b and a floor a. A plan is feasible for it under two conditions. The
lower bound of its accuracy is at least a. The 99th percentile of the wait and the plan's service
time, at the batch that the message would join and publishing included, is at most b. The feasible
plan of least cost is taken, ties going to fewer bytes.

What a message costs depends on the others: a call has a fixed cost, which its messages share. Where
all of a lighter plan's messages cost less as part of the next plan's call than in one of their own,
they join it.

The order to run in matters as much as the plan. Lightest first is best while every deadline allows
it: no cheap answer waits for a dear one. Where it makes one late, the earliest deadline goes first
(Jackson's rule: no order has a smaller greatest lateness). Where that is late as well, `crowding`
finds the time. What is late already comes last (`late`).

While an overload lasts (`overload`), nobody gets a dearer plan than the one that gives most for its
time. A floor beyond that plan's accuracy counts as one that no plan keeps.
"""

from collections.abc import Sequence

import numpy as np
from ounce_schemas.routing import Fallback

from ounce_edge.recommender.arrays import NONE, Floats, Items
from ounce_edge.recommender.beliefs.view import Ranking, View
from ounce_edge.recommender.rule.batches import (
    PlannedBatch,
    batch_of,
    in_time,
    is_cheaper_together,
    join_next,
)
from ounce_edge.recommender.rule.cells import Cell, sort_messages
from ounce_edge.recommender.rule.crowding import Crowd
from ounce_edge.recommender.rule.late import late_groups
from ounce_edge.recommender.rule.schedule import Group, Schedule
from ounce_edge.recommender.rule.settling import thriftiest

MOST_CONSIDERED = 1024
"""Messages of one decision: more than a slice answers. A decision on a backlog of thousands would
take longer than the slice that it is for, and every further one finds a longer backlog."""
LATE_CONSIDERED = 128
"""Of these at least so many late ones, where there are any."""


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
    gives_up = overload_lasts and fallback is not Fallback.REFUSE
    if len(remaining_ms) > MOST_CONSIDERED:
        return _decide_on_backlog(view, remaining_ms, min_accuracy, fallback, gives_up)
    ranking = view.ranking(len(remaining_ms))
    settle_for, timely_floors, late_floors = ranking.by_cost, min_accuracy, min_accuracy
    if gives_up:
        thrifty = thriftiest(view, ranking.by_cost, fallback, len(remaining_ms))
        settle_for, most = [thrifty], view.accuracy_low[thrifty]
        timely_floors = np.where(min_accuracy > most, np.inf, min_accuracy)
        late_floors = np.minimum(min_accuracy, most)
    late, cells = sort_messages(remaining_ms, timely_floors, ranking.floors, view.fastest_alone_ms)
    queue = _all_in_time(view, ranking, cells)
    if queue is None:
        crowd = Crowd(view, ranking, remaining_ms, min_accuracy, fallback)
        queue, given_up = crowd.arrange(cells, settle_for)
        late = np.sort(np.concatenate([late, given_up]))
    groups = [batch.as_group() for batch in queue]
    if fallback is Fallback.REFUSE or not len(late):
        return Schedule(groups, late, ranking.by_cost)
    groups += late_groups(view, ranking, late, late_floors[late], fallback)
    return Schedule(groups, NONE, ranking.by_cost)


def _all_in_time(
    view: View, ranking: Ranking, cells: Sequence[Cell]
) -> Sequence[PlannedBatch] | None:
    """Calls that give every message its lightest sufficient plan by its deadline, the common case;
    None if that can't be. The fewest calls first, the lightest first."""
    if cells and cells[-1].rung == len(ranking.frontier):
        return None
    by_rung: dict[int, list[Cell]] = {}
    for cell in cells:
        by_rung.setdefault(cell.rung, []).append(cell)
    frontier = ranking.frontier
    apart = [batch_of(view, frontier[rung], some) for rung, some in by_rung.items()]
    joined = join_next(view, apart, is_cheaper_together)
    queue = in_time(joined)
    return in_time(apart) if queue is None and len(joined) < len(apart) else queue


def _decide_on_backlog(
    view: View,
    remaining_ms: Floats,
    min_accuracy: Floats,
    fallback: Fallback,
    gives_up: bool,
) -> Schedule:
    """The decision for more messages than are considered: all of them only where all are in time,
    each with its lightest sufficient plan."""
    fastest_ms = view.fastest_alone_ms
    if not gives_up and np.minimum.reduce(remaining_ms) >= fastest_ms:
        ranking = view.ranking(len(remaining_ms))
        _, cells = sort_messages(remaining_ms, min_accuracy, ranking.floors, fastest_ms)
        queue = _all_in_time(view, ranking, cells)
        if queue is not None:
            groups = [batch.as_group() for batch in queue]
            return Schedule(groups, NONE, ranking.by_cost)
    some = _most_urgent(remaining_ms)
    part = decide(view, remaining_ms[some], min_accuracy[some], fallback, gives_up)
    groups = [Group(group.plan, group.choice, some[group.items]) for group in part.groups]
    return Schedule(groups, some[part.refused], part.by_cost)


def _most_urgent(remaining_ms: Floats) -> Items:
    """Indices of the messages to consider, ascending; shape (`MOST_CONSIDERED`,)."""
    is_late = remaining_ms < 0.0
    late, timely = np.flatnonzero(is_late), np.flatnonzero(~is_late)
    room = MOST_CONSIDERED - min(len(late), LATE_CONSIDERED)
    if len(timely) > room:
        timely = timely[np.argpartition(remaining_ms[timely], room)[:room]]
    return np.sort(np.concatenate([timely, late[: MOST_CONSIDERED - len(timely)]]))
