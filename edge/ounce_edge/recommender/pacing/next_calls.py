"""What to run next: the decision on all that waits, and what of it is done now."""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ounce_schemas.routing import Choice, Fallback

from ounce_edge.recommender.arrays import NONE, Floats, everything
from ounce_edge.recommender.beliefs.view import View
from ounce_edge.recommender.pacing.sharing import LanesNow, is_long, share
from ounce_edge.recommender.pacing.slicing import LEAST_SHARE, SLICE_MS, least_slice_ms
from ounce_edge.recommender.rule.batches import PlannedBatch, is_cheaper_together, join_next
from ounce_edge.recommender.rule.cells import FEW
from ounce_edge.recommender.rule.exploration import Draws, decide_and_explore
from ounce_edge.recommender.rule.schedule import Group, Schedule, Share

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
    """Decide on all that waits, explore, and share the first calls among this thread and lanes.
    Messages whose plan has to be loaded are held."""
    schedule = decide_and_explore(
        now.view, now.left_ms, now.floors, now.fallback, now.overload_lasts, now.draws
    )
    ready = [group for group in schedule.groups if group.plan not in now.view.cold]
    n_cold = sum(len(g.items) for g in schedule.groups) - sum(len(g.items) for g in ready)
    if not ready:
        return NextCalls(schedule, Share((), (), n_cold, now.late_credit_ms))
    first = share(
        now.view,
        schedule._replace(groups=ready),
        now.left_ms,
        now.slice_ms,
        now.ask_lanes,
        now.late_credit_ms,
    )
    return NextCalls(schedule, first._replace(n_held=first.n_held + n_cold))


class _OneCall(NamedTuple):
    """One short call for all messages."""

    calls: NextCalls
    finish_ms: float
    """99th percentile of the time until they are answered."""
    slice_ms: float
    """The shortest slice that it is made whole in."""


class NextCallsMemory:
    """What `choose_next_calls` says for a few messages whose fewest calls are one short call.

    At low rates nearly every decision is such a one, made with cold caches, and to look it up takes
    a fifth of the time. Where that call is in time it is what `decide` tries first.
    """

    def __init__(self) -> None:
        self._view: View | None = None
        self._known: dict[tuple[int, ...], _OneCall | None] = {}
        """By the messages' rungs in the frontier, ascending; None where it is no such call."""

    def find(
        self, view: View, left_ms: Floats, floors: Floats, slice_ms: float
    ) -> NextCalls | None:
        """What to run while no overload lasts and nothing is explored; None where that is not one
        short call in time. Arguments are as in `Circumstances`."""
        n = len(floors)
        if n > FEW:
            return None
        sure = view.compared(n).floors
        rungs = tuple(sorted([bisect_left(sure, floor) for floor in floors.tolist()]))
        if view is not self._view:
            self._view, self._known = view, {}
        try:
            one = self._known[rungs]
        except KeyError:
            one = self._learn(view, rungs)
        if one and one.finish_ms <= min(left_ms.tolist()) and one.slice_ms <= slice_ms:
            return one.calls
        return None

    def _learn(self, view: View, rungs: tuple[int, ...]) -> _OneCall | None:
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        one = self._known[rungs] = _one_call(view, rungs)
        return one


def _one_call(view: View, rungs: Sequence[int]) -> _OneCall | None:
    n, compared = len(rungs), view.compared(len(rungs))
    if rungs[-1] == len(compared.frontier):
        return None
    counts = {compared.frontier[rung]: rungs.count(rung) for rung in rungs}
    lightest = Choice.LIGHTEST_FEASIBLE
    apart = [PlannedBatch(view, plan, lightest, (), n, math.inf) for plan, n in counts.items()]
    batch, *others = join_next(view, apart, is_cheaper_together)
    group = Group(batch.plan, batch.choice, everything(n))
    if others or batch.plan in view.cold or is_long(view, group):
        return None
    schedule = Schedule([group], NONE, compared.by_cost)
    calls = NextCalls(schedule, Share([group], (), 0, 0.0))
    return _OneCall(calls, batch.finish_ms, least_slice_ms(batch.usual_ms) / LEAST_SHARE)
