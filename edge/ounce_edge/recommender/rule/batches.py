"""The batches that a decision is made of, and when they end if they run one after another."""

import math
from collections.abc import Iterable, Sequence
from operator import attrgetter

import numpy as np
from ounce_schemas.routing import Choice

from ounce_edge.recommender.arrays import Items
from ounce_edge.recommender.beliefs.view import View
from ounce_edge.recommender.rule.schedule import Group


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
        deviation_ms = p99_ms - usual_ms
        self._squares += deviation_ms * deviation_ms
        return self.usual_ms + math.sqrt(self._squares)

    def keeps(self, batches: Iterable["Batch"]) -> bool:
        """Whether each of these ends by its deadline when they are put last in this order. As
        `join` says of a copy of this line, without the calls: nothing is asked more often."""
        usual_ms, squares = self.usual_ms, self._squares
        for batch in batches:
            usual_ms += batch.usual_ms
            deviation_ms = batch.finish_ms - batch.usual_ms
            squares += deviation_ms * deviation_ms
            if usual_ms + math.sqrt(squares) > batch.tightest_ms:
                return False
        return True


class Batch:
    """Messages that one call is to answer; never none.

    Args:
        view: what is believed of the plans.
        plan: the one that answers.
        choice: why.
        parts: indices of the messages; put together only when that call is really to be made.
        n: how many they are.
        tightest_ms: the least time left of any of them.
        floors: the lowest and the highest of their floors, where someone has looked.
    """

    __slots__ = ("choice", "finish_ms", "floors", "n", "parts", "plan", "tightest_ms", "usual_ms")

    def __init__(
        self,
        view: View,
        plan: int,
        choice: Choice,
        parts: Sequence[Items | Sequence[int]],
        n: int,
        tightest_ms: float,
        floors: tuple[float, float] | None = None,
    ) -> None:
        call = view.calls[plan, n]
        self.plan = plan
        self.choice = choice
        self.parts = parts
        self.n = n
        self.tightest_ms = tightest_ms
        self.floors = floors
        self.finish_ms = call.finish_ms
        self.usual_ms = call.usual_ms

    def by(self, view: View, plan: int, choice: Choice) -> "Batch":
        """The same messages, answered by another plan."""
        return Batch(view, plan, choice, self.parts, self.n, self.tightest_ms, self.floors)

    @property
    def items(self) -> Items:
        """Indices of the messages; an array of its own."""
        return np.concatenate(self.parts)

    def as_group(self) -> Group:
        """As part of a schedule."""
        items = self.items
        items.sort()
        return Group(self.plan, self.choice, items)


by_tightest = attrgetter("tightest_ms")
"""Sorts batches by their deadlines."""


def together(view: View, choice: Choice, *batches: Batch) -> Batch:
    """One call of the last one's plan for all of them."""
    parts = [part for batch in batches for part in batch.parts]
    n = sum([batch.n for batch in batches])
    tightest_ms = min([batch.tightest_ms for batch in batches])
    return Batch(view, batches[-1].plan, choice, parts, n, tightest_ms)


def first_in_time(view: View, batches: Sequence[Batch]) -> Sequence[Batch] | None:
    """An order in which all batches end by their deadlines, if one of these does: the fewest calls
    first, the lightest first.

    Args:
        view: what is believed of the plans.
        batches: one of each plan, the lightest first.
    """
    joined = _joined(view, batches)
    queue = in_some_order(joined)
    return in_some_order(batches) if queue is None and len(joined) < len(batches) else queue


def in_some_order(batches: Sequence[Batch]) -> Sequence[Batch] | None:
    """The first of two orders in which all end by their deadlines: as they are, or the earliest
    deadline first."""
    if Line().keeps(batches):
        return batches
    soonest = sorted(batches, key=by_tightest)
    return soonest if Line().keeps(soonest) else None


def _joined(view: View, batches: Sequence[Batch]) -> Sequence[Batch]:
    """Fewer calls where that costs less: from the lightest plan on, a batch joins the next one's
    call if it is cheaper there than in a call of its own."""
    joined = list(batches[:1])
    for batch in batches[1:]:
        last = joined[-1]
        own = view.calls[last.plan, last.n].cost + view.calls[batch.plan, batch.n].cost
        if view.calls[batch.plan, last.n + batch.n].cost <= own:
            joined[-1] = together(view, Choice.LIGHTEST_TOGETHER, last, batch)
        else:
            joined.append(batch)
    return joined
