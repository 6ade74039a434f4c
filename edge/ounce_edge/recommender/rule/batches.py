"""The batches that a decision is made of, and when they end if they run one after another."""

import math
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter

import numpy as np
from ounce_schemas.routing import Choice

from ounce_edge.recommender.arrays import Items
from ounce_edge.recommender.beliefs.view import View
from ounce_edge.recommender.rule.cells import Cell
from ounce_edge.recommender.rule.schedule import Group


class Line:
    """When batches that run one after another are answered, with 99% confidence.

    That all of them take their 99th percentile is far less likely than that one does. The usual
    times add up. The distances from there to the 99th percentiles add up by their squares, as
    independent deviations do.

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
        """Put a batch that takes so long last; when it is answered, milliseconds from now."""
        self.usual_ms += usual_ms
        deviation_ms = p99_ms - usual_ms
        self._squares += deviation_ms * deviation_ms
        return self.usual_ms + math.sqrt(self._squares)

    def keeps(self, batches: Iterable["PlannedBatch"]) -> bool:
        """Whether each of these ends by its deadline when they are put last in this order."""
        line = self.copy()
        for batch in batches:
            if line.join(batch.usual_ms, batch.finish_ms) > batch.tightest_ms:
                return False
        return True


class PlannedBatch:
    """Messages that one call is to answer; never none.

    Args:
        view: what is believed of the plans.
        plan: the one that answers.
        choice: why.
        parts: indices of the messages, each part ascending; put together only when that call is
            really to be made.
        n: how many they are.
        tightest_ms: the least time left of any of them.
    """

    __slots__ = ("choice", "finish_ms", "n", "parts", "plan", "tightest_ms", "usual_ms")

    def __init__(
        self,
        view: View,
        plan: int,
        choice: Choice,
        parts: Sequence[Items | Sequence[int]],
        n: int,
        tightest_ms: float,
    ) -> None:
        call = view.calls[plan, n]
        self.plan = plan
        self.choice = choice
        self.parts = parts
        self.n = n
        self.tightest_ms = tightest_ms
        self.finish_ms = call.finish_ms
        self.usual_ms = call.usual_ms

    def by(self, view: View, plan: int, choice: Choice) -> "PlannedBatch":
        """The same messages, answered by another plan."""
        return PlannedBatch(view, plan, choice, self.parts, self.n, self.tightest_ms)

    @property
    def items(self) -> Items:
        """Indices of the messages, ascending."""
        if len(self.parts) == 1:
            return np.asarray(self.parts[0], np.intp)
        items = np.concatenate(self.parts)
        items.sort()
        return items

    def as_group(self) -> Group:
        """As part of a schedule."""
        return Group(self.plan, self.choice, self.items)


def batch_of(view: View, plan: int, cells: Sequence[Cell]) -> PlannedBatch:
    """One call of the lightest sufficient plan for the messages of some cells."""
    if len(cells) == 1:  # as in a crowd, where a decision has many batches
        [(_, _, items, tightest_ms)] = cells
        return PlannedBatch(view, plan, Choice.LIGHTEST_FEASIBLE, [items], len(items), tightest_ms)
    parts, tightest_ms = [cell.items for cell in cells], min([cell.tightest_ms for cell in cells])
    n = sum([len(part) for part in parts])
    return PlannedBatch(view, plan, Choice.LIGHTEST_FEASIBLE, parts, n, tightest_ms)


by_tightest = attrgetter("tightest_ms")
"""Sorts batches by their deadlines."""


def put_together(view: View, choice: Choice, batches: Sequence[PlannedBatch]) -> PlannedBatch:
    """One call of the last one's plan for all of them."""
    parts = [part for batch in batches for part in batch.parts]
    n = sum([batch.n for batch in batches])
    tightest_ms = min([batch.tightest_ms for batch in batches])
    return PlannedBatch(view, batches[-1].plan, choice, parts, n, tightest_ms)


def join_next(
    view: View,
    batches: Sequence[PlannedBatch],
    pays: Callable[[View, PlannedBatch, PlannedBatch], bool],
) -> Sequence[PlannedBatch]:
    """Fewer calls: from the lightest plan on, a batch joins the next one's call where that pays.

    Args:
        view: what is believed of the plans.
        batches: one of each plan, the lightest first.
        pays: whether one call of the latter batch's plan for both pays: `is_cheaper_together` or
            `is_sooner_together`.
    """
    joined = list(batches[:1])
    for batch in batches[1:]:
        if pays(view, joined[-1], batch):
            joined[-1] = put_together(view, Choice.LIGHTEST_TOGETHER, (joined[-1], batch))
        else:
            joined.append(batch)
    return joined


def is_cheaper_together(view: View, lighter: PlannedBatch, heavier: PlannedBatch) -> bool:
    """Whether one call of the heavier plan for both costs no more than two calls."""
    apart = view.calls[lighter.plan, lighter.n].cost + view.calls[heavier.plan, heavier.n].cost
    return view.calls[heavier.plan, lighter.n + heavier.n].cost <= apart


def is_sooner_together(view: View, lighter: PlannedBatch, heavier: PlannedBatch) -> bool:
    """Whether one call of the heavier plan answers both no later than two calls do."""
    call, line = view.calls[heavier.plan, lighter.n + heavier.n], Line()
    line.join(lighter.usual_ms, lighter.finish_ms)
    ends_ms = line.join(heavier.usual_ms, heavier.finish_ms)
    return call.usual_ms <= line.usual_ms and call.finish_ms <= ends_ms


def in_time(batches: Sequence[PlannedBatch]) -> Sequence[PlannedBatch] | None:
    """The first of two orders in which all end by their deadlines: as they are, or the earliest
    deadline first. None where neither does."""
    if Line().keeps(batches):
        return batches
    soonest = sorted(batches, key=by_tightest)
    return soonest if Line().keeps(soonest) else None
