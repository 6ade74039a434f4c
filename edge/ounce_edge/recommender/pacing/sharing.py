"""Which calls of a schedule are made here, and which on other threads beside.

A long call would keep the thread that serves from everything that is more urgent. So it goes to a
lane: a thread that makes long calls.

Where no lane is free the long call waits for one, and this thread stays free for short calls. That
holds while all long calls, begun one after another when a lane is free, would take half of the time
that they have left. Beyond that, or where more waits than a decision considers, long calls are made
here in their order, as without lanes. So no promise is broken to keep a thread free.

Neither kind starves. Short calls wait for a long one only where deadlines demand it. Long ones
never wait longer than their deadlines allow. A call that is late already has no deadline left. It
waits for a lane, where others go before it. Once it has been late for long, it gets the same share
of the lane's time as of this thread's.

The decision itself supposes that all calls are made one after another. With lanes that is
pessimistic: a lane only ever takes something out of that line.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ounce_edge.recommender.arrays import Floats
from ounce_edge.recommender.beliefs.view import View
from ounce_edge.recommender.pacing.slicing import (
    LATE_SHARE,
    first_slice,
    is_late,
    is_overdue,
    usual_ms,
)
from ounce_edge.recommender.rule.batches import Line
from ounce_edge.recommender.rule.schedule import Group, Schedule, Share

LONG_MS = 2.0
"""Expected compute of a long call. It is ten times what handing it over and taking it back takes. A
deadline of 5 ms survives a shorter call that is made here."""
LONG_ITEM_MS = 0.01
"""... of which this per message. Decoding, encoding and publishing one takes about 4 µs here: large
batches of light models are hardly any relief to this thread, and dearer for being handed over."""

PATIENCE = 0.5
"""Share of the time left that long calls, waiting for a lane included, may take."""


class LanesNow(NamedTuple):
    """The lanes at the moment of a decision."""

    n_free: int
    free_in_ms: float
    """Predicted time until one is free; infinite: nothing newer comes meanwhile, so that there is
    nothing to keep this thread free for."""


def share(
    view: View,
    schedule: Schedule,
    remaining_ms: Floats,
    slice_ms: float,
    ask_lanes: Callable[[], LanesNow] | None,
    late_credit_ms: float = 0.0,
) -> Share:
    """Share a schedule's first slices among this thread and the free lanes.

    Args:
        view: what the schedule was decided on.
        schedule: what to run.
        remaining_ms: time left per message, milliseconds, shape (n,).
        slice_ms: predicted time of a slice, milliseconds; each lane gets one of its own.
        ask_lanes: tells how the lanes are, asked where a call is long; None where there are none,
            so that all is made here.
        late_credit_ms: of the share before.
    """
    groups = schedule.groups
    long = [group for group in groups if is_long(view, group)]
    if ask_lanes is None or not long:
        now = first_slice(view, groups, remaining_ms, slice_ms, late_credit_ms)
        return Share(now.groups, (), 0, now.late_credit_ms)
    lanes = ask_lanes()
    late = [group for group in groups if is_late(group)]
    if not any(is_overdue(group, remaining_ms) for group in late):
        late_credit_ms = 0.0
    beside: list[Group] = []
    if lanes.n_free:
        beside, late_credit_ms = _fill_lanes(
            view, long, remaining_ms, slice_ms, lanes.n_free, late_credit_ms
        )
        held, n_held = long, 0  # to be looked at again at once: for other lanes, or here
        if _n_timely(beside) < _n_timely(long):
            held = [*long, *late]  # these after that
    else:
        held = _held(view, schedule, long, remaining_ms, lanes.free_in_ms)
        n_held = _n_items(held)
    held_ids = set(map(id, held))
    here = [group for group in groups if id(group) not in held_ids]
    now = first_slice(view, here, remaining_ms, slice_ms, late_credit_ms)
    if any(map(is_late, here)):
        late_credit_ms = now.late_credit_ms
    return Share(now.groups, beside, n_held, late_credit_ms)


def is_long(view: View, group: Group) -> bool:
    """Whether a group's call takes so long that another thread should make it."""
    n = len(group.items)
    expected_ms = view.calls[group.plan, n].expected_ms
    return expected_ms >= LONG_MS and expected_ms >= LONG_ITEM_MS * n


def _fill_lanes(
    view: View,
    long: Sequence[Group],
    remaining_ms: Floats,
    slice_ms: float,
    n_free: int,
    late_credit_ms: float,
) -> tuple[list[Group], float]:
    """A call for each free lane, and the time that is owed to late ones then."""
    timely, late = (
        list(first_slice(view, some, remaining_ms, slice_ms, beside=True).groups)
        for some in ([g for g in long if not is_late(g)], [g for g in long if is_late(g)])
    )
    owed_share = LATE_SHARE if any(is_overdue(group, remaining_ms) for group in late) else 0.0
    beside: list[Group] = []
    while len(beside) < n_free and (timely or late):
        late_ms = usual_ms(view, late[0]) if late else math.inf
        if timely and (not owed_share or late_credit_ms < late_ms):
            beside.append(timely.pop(0))
            late_credit_ms += owed_share * usual_ms(view, beside[-1])
        else:
            beside.append(late.pop(0))
            late_credit_ms = max(late_credit_ms - late_ms, 0.0)
    return beside, late_credit_ms


def _held(
    view: View,
    schedule: Schedule,
    long: list[Group],
    remaining_ms: Floats,
    free_in_ms: float,
) -> list[Group]:
    """The long calls that wait for a lane, where none is free."""
    n_considered = _n_items(schedule.groups) + len(schedule.refused)
    if math.isinf(free_in_ms) or n_considered < len(remaining_ms):
        return []
    line = Line()
    line.join(free_in_ms, free_in_ms)
    late = [group for group in long if is_late(group)]
    for group in long:
        if not is_late(group):
            call = view.calls[group.plan, len(group.items)]
            if (
                line.join(call.usual_ms, call.finish_ms)
                > PATIENCE * remaining_ms[group.items].min()
            ):
                return late
    return long


def _n_items(groups: Sequence[Group]) -> int:
    return sum(len(group.items) for group in groups)


def _n_timely(groups: Sequence[Group]) -> int:
    return _n_items([group for group in groups if not is_late(group)])
