"""What of a schedule is run before newer messages are looked at."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from ounce_schemas.routing import Choice

from ounce_edge.recommender.arrays import Floats
from ounce_edge.recommender.beliefs.view import View
from ounce_edge.recommender.rule.schedule import Group

SLICE_MS = 4.0
"""Longest predicted time of one slice: what arrives meanwhile waits that long before it is
considered."""
LEAST_SHARE = 0.5
"""Of the longest slice: a shorter one would spend its time on looking for more."""
DEAR = 4.0
"""A plan that takes so many times longer per message than the lightest that waits is dear: in a
slice, its time counts as many times. A long slice is worth its delay for the many messages that
share its fixed cost; in a dear plan few do, and the delay is the same."""
DEAR_SHARE = 0.4
"""Of the slice: so much a dear plan gets in any case; very small batches are dearer still."""
LATE = (Choice.FALLBACK_LATE, Choice.FALLBACK_FASTEST)
"""Reasons of messages that nothing answers in time."""
LATE_PATIENCE_MS = 100.0
"""A late message waits for all that are not, but not for longer: most bursts are over by then, and
where an overload lasts its answer still matters."""
LATE_SHARE = 0.02
"""Of the time of others, so much late messages get then, where others need all of it: each slice
they get makes others late."""


class Slice(NamedTuple):
    """What to run now."""

    groups: Sequence[Group]
    """In this order."""
    late_credit_ms: float
    """Time owed to late messages: too little yet for a call, as in deficit round robin (Shreedhar
    and Varghese, 1996)."""


def first_slice(
    view: View,
    queue: Sequence[Group],
    remaining_ms: Floats,
    slice_ms: float = SLICE_MS,
    late_credit_ms: float = 0.0,
    beside: bool = False,
) -> Slice:
    """The calls that fit into a slice; of one that is longer, the messages with the least time
    left.

    What is late comes last. Where some has been late for long it gets its share.

    A slice is as long as the fastest plan would take for all that waits, within bounds. With a
    longer queue it matters more to get through, and less to look at it again soon.

    Args:
        view: what was believed when it was decided.
        queue: what to run, in this order; at least one call of it is taken.
        remaining_ms: time left per message, milliseconds, shape (n,).
        slice_ms: longest predicted time of the slice, milliseconds.
        late_credit_ms: of the slice before.
        beside: nothing newer waits for this slice; it may be the longest.
    """
    least_ms = slice_ms if beside else LEAST_SHARE * slice_ms
    if least_ms >= least_slice_ms(sum([usual_ms(view, group) for group in queue])):
        return Slice(queue, 0.0)
    slice_ms = min(slice_ms, max(least_ms, view.soonest_ms(len(remaining_ms))))
    first, spent_ms = _fill(view, queue, remaining_ms, slice_ms)
    late = [group for group in queue if is_late(group)]
    is_time_left = any(map(is_late, first))
    if is_time_left or not any(is_overdue(group, remaining_ms) for group in late):
        return Slice(first, 0.0)
    credit_ms = late_credit_ms + LATE_SHARE * spent_ms
    last, late_ms = _fill(view, late, remaining_ms, credit_ms, at_least_one=False)
    return Slice([*first, *last], max(credit_ms - late_ms, 0.0))


def usual_ms(view: View, group: Group) -> float:
    """Time until a group's answers are published, as it usually is."""
    return view.calls[group.plan, len(group.items)].usual_ms


def least_slice_ms(taken_ms: float) -> float:
    """Calls that take so long in all are made whole in every slice that is this long, whatever
    their plans."""
    return taken_ms / DEAR_SHARE


def is_late(group: Group) -> bool:
    """Whether nothing answers these messages in time."""
    return group.choice in LATE


def is_overdue(group: Group, remaining_ms: Floats) -> bool:
    """Whether some of a group have been late for long."""
    return is_late(group) and bool(remaining_ms[group.items].min() < -LATE_PATIENCE_MS)


def _fill(
    view: View,
    groups: Sequence[Group],
    remaining_ms: Floats,
    budget_ms: float,
    at_least_one: bool = True,
) -> tuple[list[Group], float]:
    """The first groups that fit, and their predicted time."""
    first: list[Group] = []
    spent_ms = counted_ms = 0.0
    sizes = [len(group.items) for group in groups]
    times_ms = [usual_ms(view, group) for group in groups]
    each_ms = [ms / n for ms, n in zip(times_ms, sizes, strict=True)]
    dear_ms = DEAR * min(each_ms, default=0.0)
    for group, n, taken_ms, item_ms in zip(groups, sizes, times_ms, each_ms, strict=True):
        weight = DEAR * item_ms / dear_ms if item_ms >= dear_ms else 1.0
        room_ms = max((budget_ms - counted_ms) / weight, DEAR_SHARE * budget_ms)
        room_ms = min(room_ms, budget_ms - spent_ms)
        most = 0
        if counted_ms < budget_ms:
            fits = taken_ms <= room_ms
            most = n if fits else view.most_usually_within(group.plan, room_ms, n)
        if not most and (first or not at_least_one):
            break
        if most < n:
            soonest = np.argsort(remaining_ms[group.items], kind="stable")[: max(most, 1)]
            group = Group(group.plan, group.choice, np.sort(group.items[soonest]))
            taken_ms = usual_ms(view, group)
        first.append(group)
        spent_ms += taken_ms
        counted_ms += taken_ms * weight
    return first, spent_ms
