"""The decision rule, for all messages of one task that wait together.

For a message with remaining time b and floor a, a plan is feasible when the lower bound of its
accuracy is at least a, and the 99th percentile of (wait + its service time at the batch the message
would join, publishing included) is at most b. The feasible plan of least cost is taken, ties going
to fewer bytes.

The order to run in matters as much as the plan. Lightest first is best while every deadline allows
it: no cheap answer waits for a dear one. Where it makes one late, the earliest deadline goes first
(Jackson's rule: no order has a smaller greatest lateness), each batch as large as its tightest
deadline allows. Where even that is not enough, time has to be found: as in Moore's algorithm for
the fewest late jobs (Management Science 15, 1968) the dearest messages scheduled so far give way,
but instead of being late they are answered by the next lighter plan, labelled: the fallback
`most-accurate-in-time`. Thus a burst costs accuracy before it costs deadlines, dear plans give way
to cheap ones, and everything that any plan can answer in time is.

What is late already comes last. With `most-accurate-in-time` it still gets the lightest plan that
keeps its floor, as long as such messages together take little time from those that follow; beyond
that the fastest plan answers, so that a backlog is caught up instead of carried on.
"""

import math
from bisect import insort
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.routing import Choice, Fallback

from ounce_edge.recommender.plans import Comparison, View

Items = NDArray[np.intp]
Floats = NDArray[np.float64]

LATE_BUDGET_MS = 5.0
"""Time per decision for keeping the floors of messages that are late anyway."""
NEARLY_EQUAL = 0.002
"""Where no plan meets a floor, the lightest that is this close to the most accurate one answers."""
MOST_CONSIDERED = 1024
"""Messages of one decision: more than a slice answers. A decision on a backlog of thousands would
take longer than the slice that it is for, and every further one finds a longer backlog."""
LATE_CONSIDERED = 128
"""Of these at least so many late ones, where there are any."""
MOST_GIVEN_WAY = 24
"""Times that only as many messages give way as have to; after that whole batches do, so that a
decision ends soon."""
ABSORB_MS = 5.0
"""Batches that begin within this time take along later ones; the next decision sees to others."""
_NONE: Items = np.empty(0, np.intp)
_FIRST: Items = np.zeros(1, np.intp)


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


def decide(view: View, remaining_ms: Floats, min_accuracy: Floats, fallback: Fallback) -> Schedule:
    """Choose a plan for every message and the order to run them in.

    Args:
        view: what is believed of the plans.
        remaining_ms: time left per message, milliseconds, negative when late; shape (n,), n >= 1.
        min_accuracy: floor per message, in [0, 1]; shape (n,).
        fallback: what to do where no plan is feasible.

    Returns:
        Each message in exactly one group, or refused. Of more than `MOST_CONSIDERED` messages those
        with the least time left, and some that are late; the others are left for the next decision.
    """
    n = len(remaining_ms)
    compared = view.compared(n)
    order, frontier = compared.by_cost, compared.frontier
    if n == 1:
        chosen = _alone(view, compared, remaining_ms.item(), min_accuracy.item(), fallback)
        if chosen is None:
            return Schedule([], _FIRST, order)
        return Schedule([Group(*chosen, _FIRST)], _NONE, order)
    rung = np.searchsorted(compared.floors, min_accuracy, side="left")
    sizes = np.bincount(rung, minlength=len(frontier) + 1).tolist()
    if not sizes[-1]:  # the common case: every floor can be met, and every deadline as well
        groups = [
            Group(plan, Choice.LIGHTEST_FEASIBLE, _of(rung, k, n, size))
            for k, (plan, size) in enumerate(zip(frontier, sizes, strict=False))
            if size
        ]
        if _in_time(view, groups, remaining_ms):
            return Schedule(groups, _NONE, order)
        if len(groups) > 1:
            groups.sort(key=lambda group: remaining_ms[group.items].min())
            if _in_time(view, groups, remaining_ms):
                return Schedule(groups, _NONE, order)
    if n > MOST_CONSIDERED:
        some = _most_urgent(remaining_ms)
        part = decide(view, remaining_ms[some], min_accuracy[some], fallback)
        groups = [Group(group.plan, group.choice, some[group.items]) for group in part.groups]
        return Schedule(groups, some[part.refused], part.by_cost)
    return _Crowded(view, order, frontier, remaining_ms, min_accuracy, fallback).schedule(rung)


def _alone(
    view: View, compared: Comparison, left_ms: float, floor: float, fallback: Fallback
) -> tuple[int, Choice] | None:
    """The rule for a message that waits alone, as at low rates most do, without arrays; None: it is
    refused."""
    low, order = view.accuracy_low, compared.by_cost
    for plan in compared.frontier:
        if low[plan] >= floor:
            if view.finish_alone_ms(plan) <= left_ms:
                return plan, Choice.LIGHTEST_FEASIBLE
            break
    in_time = [p for p in order if view.finish_alone_ms(p) <= left_ms]
    for plan in in_time:
        if low[plan] >= floor:
            return plan, Choice.LIGHTEST_FEASIBLE
    if fallback is Fallback.REFUSE:
        return None
    if fallback is Fallback.MOST_ACCURATE_IN_TIME:
        if in_time:
            enough = max(view.accuracy[p] for p in in_time) - NEARLY_EQUAL
            best = next(p for p in in_time if view.accuracy[p] >= enough)
            return best, Choice.FALLBACK_MOST_ACCURATE_IN_TIME
        for plan in order:
            if low[plan] >= floor and view.finish_alone_ms(plan) <= LATE_BUDGET_MS:
                return plan, Choice.FALLBACK_LATE
    return min(order, key=view.finish_alone_ms), Choice.FALLBACK_FASTEST


def _most_urgent(remaining_ms: Floats) -> Items:
    """Indices of the messages to consider, ascending; shape (`MOST_CONSIDERED`,)."""
    is_late = remaining_ms < 0.0
    late, timely = np.flatnonzero(is_late), np.flatnonzero(~is_late)
    room = MOST_CONSIDERED - min(len(late), LATE_CONSIDERED)
    if len(timely) > room:
        timely = timely[np.argpartition(remaining_ms[timely], room)[:room]]
    return np.sort(np.concatenate([timely, late[: MOST_CONSIDERED - len(timely)]]))


def _of(rung: NDArray[np.intp], k: int, n: int, size: int) -> Items:
    return np.arange(n) if size == n else np.flatnonzero(rung == k)


def _in_time(view: View, groups: Sequence[Group], remaining_ms: Floats) -> bool:
    line = Line()
    for group in groups:
        n = len(group.items)
        tightest_ms = remaining_ms.min() if len(groups) == 1 else remaining_ms[group.items].min()
        usual_ms, p99_ms = view.usual_finish_ms(group.plan, n), view.finish_ms(group.plan, n)
        if line.join(usual_ms, p99_ms) > tightest_ms:
            return False
    return True


class Line:
    """When batches that run one after another are answered, with 99% confidence.

    That all of them take their 99th percentile is far less likely than that one does: the usual
    times add up, and the distances from there to the 99th percentiles as independent deviations
    do, by their squares.
    """

    __slots__ = ("_squares", "_usual_ms")

    def __init__(self) -> None:
        self._usual_ms = self._squares = 0.0

    def copy(self) -> "Line":
        """The same line, to try something on."""
        other = Line()
        other._usual_ms, other._squares = self._usual_ms, self._squares
        return other

    def join(self, usual_ms: float, p99_ms: float) -> float:
        """A batch that takes so long is put last; when it is answered, milliseconds from now."""
        self._usual_ms += usual_ms
        self._squares += (p99_ms - usual_ms) ** 2
        return self._usual_ms + math.sqrt(self._squares)


class _Batch:
    """Messages of about the same deadline that one plan is to answer."""

    __slots__ = ("choice", "finish_ms", "items", "plan", "tightest_ms", "usual_ms")

    def __init__(self, plan: int, choice: Choice) -> None:
        self.plan = plan
        self.choice = choice

    def hold(self, items: Items, view: View, remaining_ms: Floats) -> "_Batch":
        """Make these its messages."""
        n = len(items)
        self.items = items
        self.tightest_ms = float(remaining_ms[items].min()) if n else np.inf
        self.finish_ms = view.finish_ms(self.plan, n) if n else 0.0
        self.usual_ms = view.usual_finish_ms(self.plan, n) if n else 0.0
        return self


def _all_in_time(batches: Sequence[_Batch]) -> bool:
    line = Line()
    return all(line.join(b.usual_ms, b.finish_ms) <= b.tightest_ms for b in batches)


class _Crowded:
    """The rule where not every message can have its lightest sufficient plan in time."""

    def __init__(
        self,
        view: View,
        order: Sequence[int],
        frontier: Sequence[int],
        remaining_ms: Floats,
        min_accuracy: Floats,
        fallback: Fallback,
    ) -> None:
        self._view = view
        self._order = order
        self._frontier = frontier
        self._remaining_ms = remaining_ms
        self._min_accuracy = min_accuracy
        self._fallback = fallback
        by_time = sorted(order, key=lambda p: view.finish_ms(p, len(remaining_ms)))
        self._rank = {plan: rank for rank, plan in enumerate(by_time)}
        """By the time for all that waits. Which of two plans is the quicker one may depend on the
        batch: messages that only ever go down these ranks do not go back and forth."""
        self._batches: list[_Batch] = []
        self._given_up: list[Items] = []
        """Messages that no plan answers in time, or that the policy refuses."""

    def schedule(self, rung: NDArray[np.intp]) -> Schedule:
        """Batches in the order of their deadlines, made to fit, then those that are late."""
        self._start(rung)
        self._fit()
        self._absorb()
        groups = self._merge([b for b in self._batches if len(b.items)])
        given_up = np.sort(np.concatenate([_NONE, *self._given_up]))
        if len(given_up) and self._fallback is Fallback.REFUSE:
            return Schedule(groups, given_up, self._order)
        return Schedule(groups + self._late(given_up), _NONE, self._order)

    def _start(self, rung: NDArray[np.intp]) -> None:
        """One batch for each plan and octave of deadlines; what is late already is given up."""
        left_ms = self._remaining_ms
        fastest_ms = min(self._view.finish_ms(plan, 1) for plan in self._order)
        self._given_up.append(np.flatnonzero(left_ms < fastest_ms))
        waiting = np.flatnonzero(left_ms >= fastest_ms)
        octave = np.floor(np.log2(left_ms[waiting] / fastest_ms)).astype(np.intp)
        key = octave * (len(self._frontier) + 1) + rung[waiting]
        by_key = np.argsort(key, kind="stable")
        cuts = np.flatnonzero(np.diff(key[by_key])) + 1
        for part in np.split(by_key, cuts) if len(waiting) else ():
            items = np.sort(waiting[part])
            k = int(rung[items[0]])
            if k < len(self._frontier):
                self._place(items, self._frontier[k], Choice.LIGHTEST_FEASIBLE)
            else:
                self._settle_for_less(items, self._order)

    def _fit(self) -> None:
        """Make every batch end in time, in order; the dearest messages so far give way."""
        k, line, n_given_way = 0, Line(), 0
        while k < len(self._batches):
            batch = self._batches[k]
            late_ms = line.join(batch.usual_ms, batch.finish_ms) - batch.tightest_ms
            if late_ms <= 0.0 or not len(batch.items):
                k += 1
                continue
            dearest = max(
                (b for b in self._batches[: k + 1] if len(b.items)),
                key=lambda b: b.finish_ms / len(b.items),
            )
            n_given_way += 1
            in_a_hurry = n_given_way > MOST_GIVEN_WAY
            self._give_way(dearest, 0.0 if in_a_hurry else dearest.finish_ms - late_ms)
            k, line = 0, Line()

    def _absorb(self) -> None:
        """What runs first takes along later messages of the same plan, where nothing else becomes
        late for it: fewer calls."""
        self._batches = [b for b in self._batches if len(b.items)]
        k, start_ms = 0, 0.0
        while k < len(self._batches) and start_ms < ABSORB_MS:
            head = self._batches[k]
            mates = [
                b for b in self._batches[k + 1 :] if (b.plan, b.choice) == (head.plan, head.choice)
            ]
            while mates:
                items = np.sort(np.concatenate([head.items, *(b.items for b in mates)]))
                whole = _Batch(head.plan, head.choice).hold(items, self._view, self._remaining_ms)
                batches = [whole if b is head else b for b in self._batches if b not in mates]
                if _all_in_time(batches):
                    self._batches = batches
                    break
                mates = mates[: len(mates) // 2]
            start_ms += self._batches[k].usual_ms
            k += 1

    def _give_way(self, batch: _Batch, keep_ms: float) -> None:
        """All but the messages that fit into `keep_ms`, those with the least time left, go to a
        plan that takes less time."""
        n = len(batch.items)
        keep = self._view.most_within(batch.plan, keep_ms, n - 1) if n > 1 else 0
        by_time = batch.items[np.argsort(-self._remaining_ms[batch.items], kind="stable")]
        moved = np.sort(by_time[keep:])
        batch.hold(np.sort(by_time[:keep]), self._view, self._remaining_ms)
        finish_ms = self._view.finish_ms(batch.plan, len(moved))
        quicker = [
            p
            for p in self._order
            if self._rank[p] < self._rank[batch.plan]
            and self._view.finish_ms(p, len(moved)) < finish_ms
        ]
        floor = float(self._min_accuracy[moved].max())
        sufficient = [p for p in quicker if self._view.accuracy_low[p] >= floor]
        if sufficient:
            self._place(moved, sufficient[0], Choice.LIGHTEST_FEASIBLE)
        else:
            self._settle_for_less(moved, quicker)

    def _settle_for_less(self, items: Items, plans: Sequence[int]) -> None:
        """The policy's fallback, of some plans, the lightest first."""
        view = self._view
        if not plans or self._fallback is Fallback.REFUSE:
            self._given_up.append(items)
            return
        if self._fallback is Fallback.FASTEST:
            plan = min(plans, key=lambda p: view.finish_ms(p, len(items)))
            choice = Choice.FALLBACK_FASTEST
        else:
            enough = max(view.accuracy[p] for p in plans) - NEARLY_EQUAL
            plan = next(p for p in plans if view.accuracy[p] >= enough)
            choice = Choice.FALLBACK_MOST_ACCURATE_IN_TIME
        meets_floor = view.accuracy_low[plan] >= self._min_accuracy[items]
        self._place(items[meets_floor], plan, Choice.LIGHTEST_FEASIBLE)
        self._place(items[~meets_floor], plan, choice)

    def _place(self, items: Items, plan: int, choice: Choice) -> None:
        """Put messages among the batches, in the order of deadlines."""
        if not len(items):
            return
        new = _Batch(plan, choice).hold(items, self._view, self._remaining_ms)
        for batch in self._batches:
            if (
                (batch.plan, batch.choice) == (plan, choice)
                and len(batch.items)
                and new.tightest_ms < 2.0 * batch.tightest_ms
                and batch.tightest_ms < 2.0 * new.tightest_ms
            ):
                self._batches.remove(batch)
                items = np.union1d(batch.items, items)
                new.hold(items, self._view, self._remaining_ms)
                break
        insort(self._batches, new, key=lambda b: b.tightest_ms)

    def _merge(self, batches: Sequence[_Batch]) -> list[Group]:
        """Neighbours of the same plan and reason as one call, where both deadlines allow it."""
        groups: list[Group] = []
        line, before, tightest_ms = Line(), Line(), 0.0
        for batch in batches:
            last = groups[-1] if groups else None
            if last is not None and (last.plan, last.choice) == (batch.plan, batch.choice):
                items = np.sort(np.concatenate([last.items, batch.items]))
                n, together = len(items), before.copy()
                usual_ms = self._view.usual_finish_ms(batch.plan, n)
                if together.join(usual_ms, self._view.finish_ms(batch.plan, n)) <= tightest_ms:
                    groups[-1] = Group(batch.plan, batch.choice, items)
                    line = together
                    continue
            groups.append(Group(batch.plan, batch.choice, batch.items))
            before, tightest_ms = line.copy(), batch.tightest_ms
            line.join(batch.usual_ms, batch.finish_ms)
        return groups

    def _late(self, items: Items) -> list[Group]:
        """Messages that nothing answers in time."""
        groups: list[Group] = []
        view = self._view
        if self._fallback is Fallback.MOST_ACCURATE_IN_TIME:
            spent_ms = 0.0
            for plan in self._order if len(items) else ():
                candidates = items[view.accuracy_low[plan] >= self._min_accuracy[items]]
                if not len(candidates):
                    continue
                fits = view.most_within(plan, LATE_BUDGET_MS - spent_ms, len(candidates))
                if fits:
                    taken = candidates[:fits]
                    groups.append(Group(plan, Choice.FALLBACK_LATE, taken))
                    spent_ms += view.finish_ms(plan, fits)
                    items = np.setdiff1d(items, taken, assume_unique=True)
        if len(items):  # lose as little of others' time as possible
            fastest = min(self._order, key=lambda p: view.finish_ms(p, len(items)))
            groups.append(Group(fastest, Choice.FALLBACK_FASTEST, items))
        return groups
