"""What a decision gives, and the batches it is made of."""

import math
from collections.abc import Sequence
from functools import lru_cache
from operator import attrgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.routing import Choice

from ounce_edge.recommender.view import View

Items = NDArray[np.intp]
"""Indices of messages."""
Floats = NDArray[np.float64]


class Group(NamedTuple):
    """Messages answered together in one call."""

    plan: int
    """Index into the task's plans."""
    choice: Choice
    items: Items
    """Indices of the messages, ascending."""


class Schedule(NamedTuple):
    """What to run, in this order."""

    groups: Sequence[Group]
    refused: Items
    """Messages that the fallback `refuse` turns away."""
    by_cost: Sequence[int]
    """Plans from the lightest to the heaviest, as they were compared."""


@lru_cache(64)
def everything(n: int) -> Items:
    """Indices of `n` messages; not to be written to."""
    items = np.arange(n)
    items.flags.writeable = False
    return items


class Line:
    """When batches that run one after another are answered, with 99% confidence.

    That all of them take their 99th percentile is far less likely than that one does: the usual
    times add up, and the distances from there to the 99th percentiles as independent deviations
    do, by their squares.

    Attributes:
        usual_ms: when the last one usually is answered, milliseconds from now.
    """

    __slots__ = ("_squares", "usual_ms")

    def __init__(self) -> None:
        self.usual_ms = self._squares = 0.0

    def copy(self) -> "Line":
        """The same line, to try something on."""
        other = Line()
        other.usual_ms, other._squares = self.usual_ms, self._squares
        return other

    def join(self, usual_ms: float, p99_ms: float) -> float:
        """A batch that takes so long is put last; when it is answered, milliseconds from now."""
        self.usual_ms += usual_ms
        self._squares += (p99_ms - usual_ms) ** 2
        return self.usual_ms + math.sqrt(self._squares)


class Batch:
    """Messages of about the same deadline that one plan is to answer; never empty.

    Args:
        tightest_ms: the least time left of any of them.
    """

    __slots__ = ("choice", "finish_ms", "items", "plan", "tightest_ms", "usual_ms")

    def __init__(
        self, view: View, plan: int, choice: Choice, items: Items, tightest_ms: float
    ) -> None:
        n = len(items)
        self.plan = plan
        self.choice = choice
        self.items = items
        self.tightest_ms = tightest_ms
        self.finish_ms = view.finish_ms(plan, n)
        self.usual_ms = view.usual_finish_ms(plan, n)

    def as_group(self) -> Group:
        """As part of a schedule."""
        return Group(self.plan, self.choice, np.sort(self.items))


by_tightest = attrgetter("tightest_ms")
"""Sorts batches by their deadlines."""


def in_time(batches: Sequence["Batch | Joint"], line: Line | None = None) -> bool:
    """Whether each ends by its deadline when they run in this order, behind what is in line."""
    line = line or Line()
    return all(line.join(b.usual_ms, b.finish_ms) <= b.tightest_ms for b in batches)


def together(view: View, choice: Choice, *batches: Batch) -> Batch:
    """One call of the last one's plan for all of them."""
    items = np.concatenate([batch.items for batch in batches])
    tightest_ms = min(batch.tightest_ms for batch in batches)
    return Batch(view, batches[-1].plan, choice, items, tightest_ms)


class Joint(NamedTuple):
    """One call for the messages of some rungs that are neighbours."""

    plan: int
    choice: Choice
    n: int
    tightest_ms: float
    """The least time left of any of them."""
    usual_ms: float
    finish_ms: float
    rungs: slice
    """Which of the rungs, from the lightest on."""


def first_in_time(view: View, rungs: Sequence[tuple[int, int, float]]) -> Sequence[Joint] | None:
    """An order in which all messages are answered by their deadlines, if one of these does: the
    fewest calls first, the lightest first.

    Args:
        view: what is believed of the plans.
        rungs: messages by the plan that they need, the lightest first: the plan, how many, and the
            least time left of any of them.
    """
    apart = [
        _joint(view, plan, Choice.LIGHTEST_FEASIBLE, n, tightest_ms, slice(k, k + 1))
        for k, (plan, n, tightest_ms) in enumerate(rungs)
    ]
    joined = _joined(view, apart)
    for some in (joined, apart) if len(joined) < len(apart) else (apart,):
        if in_time(some):
            return some
        if len(some) > 1:
            soonest = sorted(some, key=by_tightest)
            if in_time(soonest):
                return soonest
    return None


def _joint(
    view: View, plan: int, choice: Choice, n: int, tightest_ms: float, rungs: slice
) -> Joint:
    call = view.calls[plan, n]
    return Joint(plan, choice, n, tightest_ms, call.usual_ms, call.finish_ms, rungs)


def _joined(view: View, apart: Sequence[Joint]) -> Sequence[Joint]:
    """Fewer calls where that costs less: from the lightest plan on, a batch joins the next one's
    call if it is cheaper there than in a call of its own."""
    joined = list(apart[:1])
    for call in apart[1:]:
        last = joined[-1]
        n = last.n + call.n
        own = view.calls[last.plan, last.n].cost + view.calls[call.plan, call.n].cost
        if view.calls[call.plan, n].cost <= own:
            tightest_ms = min(last.tightest_ms, call.tightest_ms)
            rungs = slice(last.rungs.start, call.rungs.stop)
            joined[-1] = _joint(view, call.plan, Choice.LIGHTEST_TOGETHER, n, tightest_ms, rungs)
        else:
            joined.append(call)
    return joined
