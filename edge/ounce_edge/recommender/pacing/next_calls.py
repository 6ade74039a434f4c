"""What to run next: the decision on all that waits, and what of it is done now."""

from bisect import bisect_left
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from ounce_schemas.routing import Fallback

from ounce_edge.recommender.arrays import Floats
from ounce_edge.recommender.beliefs.view import View
from ounce_edge.recommender.pacing.sharing import LanesNow, is_long, share
from ounce_edge.recommender.pacing.slicing import LEAST_SHARE, SLICE_MS, least_slice_ms
from ounce_edge.recommender.rule.cells import FEW
from ounce_edge.recommender.rule.decision import decide
from ounce_edge.recommender.rule.exploration import Draws, decide_and_explore
from ounce_edge.recommender.rule.schedule import Schedule, Share

_PLENTY_MS = 1e9
_MOST_KNOWN = 1024


class Circumstances(NamedTuple):
    """All that decides on what runs next."""

    view: View
    """What is believed of the plans."""
    left_ms: Floats
    """Time left per message, milliseconds, negative when late; shape (n,), n >= 1."""
    floors: Floats
    """Accuracy floor per message, in [0, 1]; shape (n,)."""
    fallback: Fallback
    """What to do where no plan is feasible."""
    overload_lasts: bool = False
    """As `Overload` says."""
    draws: Draws | None = None
    """What is random about exploring; None where nothing is explored."""
    slice_ms: float = SLICE_MS
    """Predicted time of a slice, milliseconds."""
    ask_lanes: Callable[[], LanesNow] | None = None
    """Tells how the lanes are, asked where a call is long; None where there are none."""
    late_credit_ms: float = 0.0
    """Of the share before."""


class NextCalls(NamedTuple):
    """What to run."""

    schedule: Schedule
    """For all messages."""
    share: Share
    """Of that, what is done now."""


def choose_next_calls(now: Circumstances) -> NextCalls:
    """Decide on all that waits, explore, and share the first calls among this thread and lanes."""
    schedule = decide_and_explore(
        now.view, now.left_ms, now.floors, now.fallback, now.overload_lasts, now.draws
    )
    first = share(now.view, schedule, now.left_ms, now.slice_ms, now.ask_lanes, now.late_credit_ms)
    return NextCalls(schedule, first)


class _OneCall(NamedTuple):
    """What to run where there is plenty of time, if that is one short call."""

    calls: NextCalls
    finish_ms: float
    slice_ms: float
    """The shortest slice that it is made whole in."""


class NextCallsMemory:
    """`choose_next_calls`, but what it says of a few messages is only looked up the second time.

    At low rates nearly every decision is on a few messages that one short call answers in time, and
    is made with cold caches: looking it up takes a fifth of the time.
    """

    def __init__(self) -> None:
        self._view: View | None = None
        self._known: dict[tuple[int, ...], _OneCall | None] = {}
        """By the messages' rungs in the frontier, ascending; None where it is no such call."""

    def choose(self, now: Circumstances) -> NextCalls:
        """What `choose_next_calls` says."""
        floors = now.floors
        if len(floors) > FEW or now.overload_lasts or now.draws is not None:
            return choose_next_calls(now)
        if now.view is not self._view or len(self._known) >= _MOST_KNOWN:
            self._view, self._known = now.view, {}
        sure = now.view.compared(len(floors)).floors
        rungs = tuple(sorted([bisect_left(sure, floor) for floor in floors.tolist()]))
        try:
            one = self._known[rungs]
        except KeyError:
            one = self._known[rungs] = _one_call(now) if rungs[-1] < len(sure) else None
        if one and one.finish_ms <= min(now.left_ms.tolist()) and one.slice_ms <= now.slice_ms:
            return one.calls
        return choose_next_calls(now)


def _one_call(now: Circumstances) -> _OneCall | None:
    """Of messages whose floors can be kept."""
    plenty_ms = np.full(len(now.floors), _PLENTY_MS)
    schedule = decide(now.view, plenty_ms, now.floors, now.fallback)
    group, *others = schedule.groups
    if others or is_long(now.view, group):
        return None
    call = now.view.calls[group.plan, len(group.items)]
    calls = NextCalls(schedule, Share(schedule.groups, (), 0, 0.0))
    return _OneCall(calls, call.finish_ms, least_slice_ms(call.usual_ms) / LEAST_SHARE)
