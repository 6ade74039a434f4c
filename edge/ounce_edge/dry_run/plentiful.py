"""Decisions where time is plentiful: the same for all that have as many messages of each floor.

Which plans answer then depends only on how many messages need which plan. So the rule is asked once
for each such situation, and others are looked up.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.routing import Fallback

from ounce_edge.recommender.arrays import Floats
from ounce_edge.recommender.beliefs.view import View
from ounce_edge.recommender.rule.batches import Line
from ounce_edge.recommender.rule.decision import MOST_CONSIDERED, decide

_PLENTY_MS = 1e9
_MOST_KNOWN = 100_000


class Plentiful(NamedTuple):
    """What the rule gives where nothing is short of time."""

    plan_of_rung: NDArray[np.intp]
    """Plan that answers, by the place of the lightest sufficient plan in the frontier."""
    calls: Sequence[tuple[int, int]]
    """Plan and number of messages of each call, in order."""
    finish_ms: float
    """With as much time left, all are answered by their deadlines 99 times in 100."""


class PlentifulMemory:
    """Remembers decisions on the plans of one view."""

    def __init__(self, view: View, fallback: Fallback) -> None:
        self._view = view
        self._fallback = fallback
        self._known: dict[tuple[int, bytes], Plentiful] = {}

    def look_up(self, left_ms: Floats, floors: Floats) -> tuple[Plentiful, NDArray[np.intp]] | None:
        """The decision, and the rung of each message, shape (n,); None where time is short or a
        floor can't be kept."""
        n = len(floors)
        if n > MOST_CONSIDERED:
            return None
        ranking = self._view.ranking(n)
        rungs = ranking.rungs(floors)
        counts = np.bincount(rungs, minlength=len(ranking.frontier))
        if len(counts) > len(ranking.frontier):
            return None
        key = n, counts.tobytes()
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            found = self._known[key] = self._find(rungs, len(counts), floors)
        return (found, rungs) if found.finish_ms <= np.minimum.reduce(left_ms) else None

    def _find(self, rungs: NDArray[np.intp], n_rungs: int, floors: Floats) -> Plentiful:
        view, n = self._view, len(floors)
        schedule = decide(view, np.full(n, _PLENTY_MS), floors, self._fallback)
        plan_of_rung = np.zeros(n_rungs, np.intp)
        line, finish_ms, calls = Line(), 0.0, []
        for group in schedule.groups:
            plan_of_rung[rungs[group.items]] = group.plan
            call = view.calls[group.plan, len(group.items)]
            finish_ms = line.join(call.usual_ms, call.finish_ms)
            calls.append((group.plan, len(group.items)))
        return Plentiful(plan_of_rung, calls, finish_ms)
