"""What to run next: the decision on all that waits, and what of it is done now."""

import math
from bisect import bisect_left
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from ounce_schemas.routing import Choice, Fallback

from ounce_edge.recommender.arrays import NONE, Floats, everything
from ounce_edge.recommender.beliefs.view import View
from ounce_edge.recommender.pacing.sharing import LanesNow, is_long, share
from ounce_edge.recommender.pacing.slicing import (
    LEAST_SHARE,
    SLICE_MS,
    least_slice_ms,
    usual_ms,
)
from ounce_edge.recommender.rule.batches import PlannedBatch, is_cheaper_together, join_next
from ounce_edge.recommender.rule.cells import FEW
from ounce_edge.recommender.rule.exploration import Draws, decide_and_explore
from ounce_edge.recommender.rule.late import late_groups
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


class _ShortCalls(NamedTuple):
    """One short call for all messages that are not late, and short ones for those that are."""

    calls: NextCalls
    finish_ms: float
    """99th percentile of the time until those that are not late are answered."""
    slice_ms: float
    """The shortest slice that they are made whole in."""


class NextCallsMemory:
    """What `choose_next_calls` says for a few messages, where those that can be in time share one
    short call.

    At low rates nearly every decision is such a one, made with cold caches, and to look it up takes
    a fifth of the time. Where that call is in time it is what `decide` tries first.
    """

    def __init__(self) -> None:
        self._of: tuple[View, Fallback] | None = None
        self._known: dict[tuple[int, ...], _ShortCalls | None] = {}
        """By the messages' rungs in the frontier. Where none is late, these are ascending. Else
        they are in the order of the messages, those of late ones inverted (`~`)."""

    def find(self, now: Circumstances) -> NextCalls | None:
        """What to run; None where it is not known without the rule, as while an overload lasts or
        where something is explored."""
        view, floors, fallback = now.view, now.floors, now.fallback
        n = len(floors)
        if n > FEW or now.overload_lasts or now.draws is not None:
            return None
        sure, fastest_ms = view.ranking(n).floors, view.fastest_alone_ms
        rungs = [bisect_left(sure, floor) for floor in floors.tolist()]
        left = now.left_ms.tolist()
        least_ms = min(left)
        if least_ms >= fastest_ms:
            key = tuple(sorted(rungs))
        else:
            key = tuple([r if ms >= fastest_ms else ~r for r, ms in zip(rungs, left, strict=True)])
            least_ms = min([ms for ms in left if ms >= fastest_ms], default=math.inf)
        of = self._of
        if of is None or of[0] is not view or of[1] is not fallback:
            self._of, self._known = (view, fallback), {}
        try:
            short = self._known[key]
        except KeyError:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            short = self._known[key] = _short_calls(view, key, floors, fallback)
        if short and short.finish_ms <= least_ms and short.slice_ms <= now.slice_ms:
            return short.calls
        return None


def _short_calls(
    view: View, key: tuple[int, ...], floors: Floats, fallback: Fallback
) -> _ShortCalls | None:
    n, ranking = len(key), view.ranking(len(key))
    late = np.array([i for i, rung in enumerate(key) if rung < 0], np.intp)
    rungs = sorted([rung for rung in key if rung >= 0])
    if (rungs and rungs[-1] == len(ranking.frontier)) or (
        len(late) and fallback is Fallback.REFUSE
    ):
        return None
    groups, finish_ms = list[Group](), 0.0
    if rungs:
        counts = {ranking.frontier[rung]: rungs.count(rung) for rung in rungs}
        lightest = Choice.LIGHTEST_FEASIBLE
        apart = [PlannedBatch(view, plan, lightest, (), m, math.inf) for plan, m in counts.items()]
        batch, *others = join_next(view, apart, is_cheaper_together)
        if others:
            return None
        items = np.setdiff1d(everything(n), late) if len(late) else everything(n)
        groups, finish_ms = [Group(batch.plan, batch.choice, items)], batch.finish_ms
    if len(late):
        groups += late_groups(view, ranking, late, floors[late], fallback)
    if any(group.plan in view.cold or is_long(view, group) for group in groups):
        return None
    calls = NextCalls(Schedule(groups, NONE, ranking.by_cost), Share(groups, (), 0, 0.0))
    taken_ms = sum([usual_ms(view, group) for group in groups])
    return _ShortCalls(calls, finish_ms, least_slice_ms(taken_ms) / LEAST_SHARE)
