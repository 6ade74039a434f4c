"""The decision where not every message can have its lightest sufficient plan in time.

Batches run in the order of their deadlines, each as large as its tightest deadline allows. Where
even that is not enough, time has to be found: as in Moore's algorithm for the fewest late jobs
(Management Science 15, 1968) the dearest messages scheduled so far give way, but instead of being
late they are answered by a quicker plan, labelled: the fallback `most-accurate-in-time`. Where much
is late already, that is the plan that gives most for its time, since others need it, too. Thus a
burst costs accuracy before it costs deadlines, dear plans give way to cheap ones, and everything
that any plan can answer in time is.

While an overload lasts (`overload`), all whose floor is dearer than that gets the plan that gives
most for its time, at once.

What is late already comes last. With `most-accurate-in-time` it still gets the lightest plan that
keeps its floor, as long as such messages together take little time from those that follow; beyond
that the fastest plan answers, so that a backlog is caught up instead of carried on.
"""

import math
from bisect import bisect_left, insort
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from ounce_schemas.routing import Choice, Fallback

from ounce_edge.recommender.arrays import Floats, Items
from ounce_edge.recommender.beliefs.view import Comparison, View
from ounce_edge.recommender.rule.batches import Batch, Line, by_tightest, together
from ounce_edge.recommender.rule.cells import cells_of
from ounce_edge.recommender.rule.schedule import Group, Schedule

LATE_BUDGET_MS = 5.0
"""Time per decision for keeping the floors of messages that are late anyway."""
SHORT = 0.1
"""Share of the messages that are late already from which on there is too little time for all."""
NEARLY_EQUAL = 0.002
"""Where no plan meets a floor, the lightest that is this close to the most accurate one answers."""
MOST_GIVEN_WAY = 24
"""Times that only as many messages give way as have to; after that whole batches do, so that a
decision ends soon."""
ABSORB_MS = 2.5
"""Batches that begin within this time take along later ones; the next decision sees to others."""
THRIFTY_MS = 4.0
"""While an overload lasts, that plan is taken which gives most in calls of about this time."""
_NONE: Items = np.empty(0, np.intp)


class Crowd:
    """The rule where not every message can have its lightest sufficient plan in time."""

    def __init__(
        self,
        view: View,
        compared: Comparison,
        remaining_ms: Floats,
        min_accuracy: Floats,
        fallback: Fallback,
        gives_up: bool,
    ) -> None:
        self._view = view
        self._compared = compared
        self._order = compared.by_cost
        self._frontier = compared.frontier
        self._remaining_ms = remaining_ms
        self._min_accuracy = min_accuracy
        self._fallback = fallback
        self._batches: list[Batch] = []
        """In the order of their tightest deadlines."""
        self._gives_up = gives_up
        self._is_short = False
        """Whether there is too little time for all that waits."""
        self._given_up: list[Items] = []
        """Messages that no plan answers in time, or that the policy refuses."""

    def schedule(self, rung: Items | Sequence[int]) -> Schedule:
        """Batches in the order of their deadlines, made to fit, then those that are late.

        Args:
            rung: place of each message's lightest sufficient plan in the frontier; behind its end
                where there is none. An array where there are many.
        """
        plans, enough = self._order, rung
        if self._gives_up:
            thriftiest = self._thriftiest()
            plans, low = [thriftiest], self._view.accuracy_low[thriftiest]
            enough = np.minimum(rung, bisect_left(self._compared.floors, low))
            rung = np.where(self._min_accuracy > low, len(self._frontier), rung)
        self._start(rung, plans)
        self._fit()
        self._absorb()
        groups = self._merge()
        given_up = np.sort(np.concatenate(self._given_up))
        if not len(given_up) or self._fallback is Fallback.REFUSE:
            return Schedule(groups, given_up, self._order)
        enough = np.asarray(enough)[given_up]
        groups += late_groups(self._view, self._compared, given_up, enough, self._fallback)
        return Schedule(groups, _NONE, self._order)

    def _thriftiest(self) -> int:
        """The plan for all that asks for a dearer one, while an overload lasts."""
        view, order = self._view, self._order
        at_once = max(1, min(view.largest_within(THRIFTY_MS), len(self._remaining_ms)))
        if self._fallback is Fallback.FASTEST:
            return min(order, key=lambda p: view.finish_ms(p, at_once))
        return self._worth_most(order, at_once)

    def _start(self, rung: Items | Sequence[int], otherwise: Sequence[int]) -> None:
        """Batches of about the same deadline, each of the lightest sufficient plan or, where that
        takes less time, of the next one's call; where none is sufficient, `otherwise` has the plans
        to settle for. What is late already is given up."""
        fastest_ms = self._view.fastest_alone_ms
        late, cells = cells_of(self._remaining_ms, rung, fastest_ms)
        self._given_up.append(late)
        self._is_short = len(late) > SHORT * len(self._remaining_ms)
        unmet: list[Batch] = []
        last_bin = -1
        for of_bin, of_rung, items, tightest_ms in cells:
            is_met = of_rung < len(self._frontier)
            plan = self._frontier[of_rung] if is_met else otherwise[0]  # until that is settled
            choice = Choice.LIGHTEST_FEASIBLE
            batch = Batch(self._view, plan, choice, [items], len(items), tightest_ms)
            if not is_met:
                unmet.append(batch)
                continue
            if of_bin == last_bin and self._sooner_together(self._batches[-1], batch):
                choice = Choice.LIGHTEST_TOGETHER
                batch = together(self._view, choice, self._batches.pop(), batch)
            self._batches.append(batch)
            last_bin = of_bin
        self._batches.sort(key=by_tightest)
        for batch in unmet:
            self._settle_for_less(batch, otherwise)

    def _sooner_together(self, lighter: Batch, heavier: Batch) -> bool:
        """Whether one call of the heavier plan answers both sooner than two calls do."""
        usual_ms = lighter.usual_ms + heavier.usual_ms
        call = self._view.calls[heavier.plan, lighter.n + heavier.n]
        if call.usual_ms > usual_ms:
            return False
        spread_ms = math.hypot(
            lighter.finish_ms - lighter.usual_ms, heavier.finish_ms - heavier.usual_ms
        )
        return call.finish_ms <= usual_ms + spread_ms  # as a `Line` says

    def _fit(self) -> None:
        """Make every batch end in time, in order; the dearest messages so far give way."""
        k, line, n_given_way = 0, Line(), 0
        while k < len(self._batches):
            batch = self._batches[k]
            late_ms = line.join(batch.usual_ms, batch.finish_ms) - batch.tightest_ms
            k += 1
            if late_ms > 0.0:
                dearest = max(self._batches[:k], key=lambda b: b.finish_ms / b.n)
                n_given_way += 1
                in_a_hurry = n_given_way > MOST_GIVEN_WAY
                self._give_way(dearest, 0.0 if in_a_hurry else dearest.finish_ms - late_ms)
                k, line = 0, Line()

    def _absorb(self) -> None:
        """What runs first takes along later messages of the same plan, where nothing else becomes
        late for it: fewer calls."""
        k, line = 0, Line()
        while k < len(self._batches) and line.usual_ms < ABSORB_MS:
            head, rest = self._batches[k], self._batches[k + 1 :]
            plan = head.plan
            mates = [b for b in rest if b.plan == plan and _may_share(head, b)]
            while mates:
                n = head.n + sum([b.n for b in mates])
                call, shared = self._view.calls[plan, n], line.copy()
                if shared.join(call.usual_ms, call.finish_ms) <= head.tightest_ms:
                    of_mates = set(map(id, mates))
                    others = [b for b in rest if id(b) not in of_mates]
                    if shared.keeps(others):
                        whole = together(self._view, _reason(head, *mates), head, *mates)
                        self._batches[k:] = [whole, *others]
                        break
                mates = mates[: len(mates) // 2]
            line.join(self._batches[k].usual_ms, self._batches[k].finish_ms)
            k += 1

    @cached_property
    def _rank(self) -> dict[int, int]:
        """Plans by the time for all that waits. Which of two is the quicker one may depend on the
        batch: messages that only ever go down these ranks do not go back and forth."""
        finish_ms = self._view.finish_each_ms(len(self._remaining_ms))
        by_time = sorted(self._order, key=finish_ms.__getitem__)
        return {plan: rank for rank, plan in enumerate(by_time)}

    def _give_way(self, batch: Batch, keep_ms: float) -> None:
        """The messages with the least time left, all but those that fit into `keep_ms`, go to a
        plan that takes less time."""
        view, n = self._view, batch.n
        keep = view.most_within(batch.plan, keep_ms, n - 1) if n > 1 else 0
        self._batches.remove(batch)
        if keep:
            items = batch.items
            by_time = items[np.argsort(self._remaining_ms[items], kind="stable")]
            self._insert(self._some_of(batch, by_time[n - keep :]))
            batch = self._some_of(batch, by_time[: n - keep])
        rank, finish_ms = self._rank, view.finish_each_ms(batch.n)
        rank_here, most_ms = rank[batch.plan], batch.finish_ms
        quicker = [p for p in self._order if rank[p] < rank_here and finish_ms[p] < most_ms]
        _, floor = self._floors_of(batch)
        for plan in quicker:
            if view.accuracy_low[plan] >= floor:
                self._place(batch.by(view, plan, Choice.LIGHTEST_FEASIBLE))
                return
        self._settle_for_less(batch, self._most_for_its_time(quicker, batch.n))

    def _some_of(self, batch: Batch, items: Items) -> Batch:
        tightest_ms = float(self._remaining_ms[items].min())
        return Batch(self._view, batch.plan, batch.choice, [items], len(items), tightest_ms)

    def _floors_of(self, batch: Batch) -> tuple[float, float]:
        """The lowest and the highest floor."""
        if batch.floors is None:
            floors = self._min_accuracy[batch.items].tolist()
            batch.floors = min(floors), max(floors)
        return batch.floors

    def _most_for_its_time(self, plans: Sequence[int], n: int) -> Sequence[int]:
        """Of some plans, where time is short the one that is worth most; there may be none."""
        if not self._is_short or len(plans) < 2 or self._fallback is Fallback.FASTEST:
            return plans
        return [self._worth_most(plans, n)]

    def _worth_most(self, plans: Sequence[int], n: int) -> int:
        """Of some plans, the one that gives most for its time.

        A per cent of accuracy counts as much as two per cent of time. In a queue without end both
        would count the same, as right answers per second; but mostly not all of the time that is
        freed is needed.
        """
        view = self._view
        return max(plans, key=lambda p: view.accuracy[p] ** 2 / view.usual_finish_ms(p, n))

    def _settle_for_less(self, batch: Batch, plans: Sequence[int]) -> None:
        """The policy's fallback, of some plans, the lightest first."""
        view = self._view
        if not plans or self._fallback is Fallback.REFUSE:
            self._given_up.append(batch.items)
            return
        if self._fallback is Fallback.FASTEST:
            plan = min(plans, key=view.finish_each_ms(batch.n).__getitem__)
            choice = Choice.FALLBACK_FASTEST
        else:
            accuracy = view.accuracy
            enough = max([accuracy[p] for p in plans]) - NEARLY_EQUAL
            plan = next(p for p in plans if accuracy[p] >= enough)
            choice = Choice.FALLBACK_MOST_ACCURATE_IN_TIME
        low = view.accuracy_low[plan]
        lowest, highest = self._floors_of(batch)
        if low >= highest:
            self._place(batch.by(view, plan, Choice.LIGHTEST_FEASIBLE))
        elif low < lowest:
            self._place(batch.by(view, plan, choice))
        else:
            items = batch.items
            meets = self._min_accuracy[items] <= low
            for some, why in ((items[meets], Choice.LIGHTEST_FEASIBLE), (items[~meets], choice)):
                self._place(self._some_of(batch, some).by(view, plan, why))

    def _place(self, new: Batch) -> None:
        """Put messages among the batches; those of the same plan and about the same deadline are
        one."""
        plan, tightest_ms = new.plan, new.tightest_ms
        for batch in self._batches:
            if (
                batch.plan == plan
                and _may_share(batch, new)
                and tightest_ms < 2.0 * batch.tightest_ms
                and batch.tightest_ms < 2.0 * tightest_ms
            ):
                self._batches.remove(batch)
                new = together(self._view, _reason(batch, new), batch, new)
                break
        self._insert(new)

    def _insert(self, batch: Batch) -> None:
        insort(self._batches, batch, key=by_tightest)

    def _merge(self) -> list[Group]:
        """Neighbours of the same plan and reason as one call, where both deadlines allow it."""
        merged: list[Batch] = []
        before = Line()
        """All but the last of them."""
        for batch in self._batches:
            if merged:
                last = merged[-1]
                if last.plan == batch.plan and _may_share(last, batch):
                    whole = together(self._view, _reason(last, batch), last, batch)
                    ends_ms = before.copy().join(whole.usual_ms, whole.finish_ms)
                    if ends_ms <= last.tightest_ms:
                        merged[-1] = whole
                        continue
                before.join(last.usual_ms, last.finish_ms)
            merged.append(batch)
        return [batch.as_group() for batch in merged]


def _may_share(one: Batch, other: Batch) -> bool:
    """Whether one call of their plan may answer both: for one reason, or for those whose floors it
    does not keep (`Choice.below_floor`) as well as for those whose it does."""
    return one.choice is other.choice or (one.choice in _SHARED and other.choice in _SHARED)


_SHARED = (
    Choice.LIGHTEST_FEASIBLE,
    Choice.LIGHTEST_TOGETHER,
    Choice.LIGHTEST_TOGETHER.below_floor,
)


def _reason(first: Batch, *others: Batch) -> Choice:
    """That of one call for batches that may share it."""
    choice = first.choice
    return choice if all(o.choice is choice for o in others) else Choice.LIGHTEST_TOGETHER


def late_groups(
    view: View, compared: Comparison, items: Items, rung: Items, fallback: Fallback
) -> list[Group]:
    """Messages that nothing answers in time.

    Args:
        view: what is believed of the plans.
        compared: they, at the number of all messages.
        items: the messages, ascending.
        rung: of each, the place of the plan in the frontier that it is to be content with; behind
            its end where there is none.
        fallback: not `refuse`.
    """
    groups: list[Group] = []
    budget_ms = LATE_BUDGET_MS if fallback is Fallback.MOST_ACCURATE_IN_TIME else 0.0
    rest = items[:0]
    for of_rung in sorted(set(rung.tolist())):
        here = items[rung == of_rung]
        if len(rest):
            here = np.sort(np.concatenate([rest, here]))
        fits = 0
        if of_rung < len(compared.frontier) and budget_ms >= view.fastest_alone_ms:
            plan = compared.frontier[of_rung]
            fits = view.most_within(plan, budget_ms, len(here))
            if fits:
                groups.append(Group(plan, Choice.FALLBACK_LATE, here[:fits]))
                budget_ms -= view.finish_ms(plan, fits)
        rest = here[fits:]
    if len(rest):  # lose as little of others' time as possible
        fastest = min(compared.by_cost, key=view.finish_each_ms(len(rest)).__getitem__)
        groups.append(Group(fastest, Choice.FALLBACK_FASTEST, rest))
    return groups
