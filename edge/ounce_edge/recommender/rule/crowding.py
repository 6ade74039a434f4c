"""The decision where not every message can have its lightest sufficient plan in time.

Batches run in the order of their deadlines, each as large as its tightest deadline allows. Where
even that is not enough, the dearest messages scheduled so far give way, as in Moore's algorithm for
the fewest late jobs (Management Science 15, 1968). A quicker plan answers them, and the answer says
so: the fallback `most-accurate-in-time`. Where much is late already, it is the plan that gives most
for its time, since others need the time, too.

Thus a burst costs accuracy before it costs deadlines. Dear plans give way to cheap ones. Everything
that any plan can answer in time is answered in time.
"""

from collections.abc import Sequence
from functools import cached_property
from itertools import groupby
from operator import attrgetter

import numpy as np
from ounce_schemas.routing import Choice, Fallback

from ounce_edge.recommender.arrays import NONE, Floats, Items
from ounce_edge.recommender.beliefs.view import Ranking, View
from ounce_edge.recommender.rule.batches import (
    PlannedBatch,
    batch_of,
    is_sooner_together,
    join_next,
)
from ounce_edge.recommender.rule.cells import Cell
from ounce_edge.recommender.rule.settling import settle_for_less, worth_most
from ounce_edge.recommender.rule.timetable import Timetable

SHORT = 0.1
"""Share of the messages that are late already from which on there is too little time for all."""
MOST_GIVEN_WAY = 24
"""Times that only as many messages give way as have to; after that whole batches do, so that a
decision ends soon."""
_by_bin = attrgetter("bin")


class Crowd:
    """The rule where time is short, for one decision.

    Args:
        view: what is believed of the plans.
        ranking: of the plans, at the number of all messages.
        remaining_ms: time left per message, milliseconds; shape (n,).
        min_accuracy: floor per message; shape (n,).
        fallback: what to do where no plan is feasible.
    """

    def __init__(
        self,
        view: View,
        ranking: Ranking,
        remaining_ms: Floats,
        min_accuracy: Floats,
        fallback: Fallback,
    ) -> None:
        self._view = view
        self._ranking = ranking
        self._remaining_ms = remaining_ms
        self._min_accuracy = min_accuracy
        self._fallback = fallback
        self._is_short = False
        """Whether there is too little time for all that waits."""
        self._table = Timetable(view, ())
        self._given_up: list[Items] = []

    def arrange(
        self, cells: Sequence[Cell], settle_for: Sequence[int]
    ) -> tuple[Sequence[PlannedBatch], Items]:
        """Batches that all end in time, in their order.

        Args:
            cells: the messages that are not late.
            settle_for: plans for messages whose floor none keeps, the lightest first.

        Returns:
            The batches; and the messages that no plan answers in time, or that the policy refuses.
        """
        n = len(self._remaining_ms)
        n_late = n - sum([len(cell.items) for cell in cells])
        self._is_short = n_late > SHORT * n
        self._start(cells, settle_for)
        self._fit()
        self._table.absorb()
        self._table.merge_neighbours()
        return self._table.batches, np.concatenate([NONE, *self._given_up])

    def _start(self, cells: Sequence[Cell], settle_for: Sequence[int]) -> None:
        """Batches of about the same deadline, each of the lightest sufficient plan or, where that
        is sooner, of the next one's call."""
        frontier, batches = self._ranking.frontier, list[PlannedBatch]()
        unmet = [cell for cell in cells if cell.rung == len(frontier)]
        met = [cell for cell in cells if cell.rung < len(frontier)]
        for _, of_bin in groupby(sorted(met, key=_by_bin), _by_bin):
            each = [batch_of(self._view, frontier[cell.rung], [cell]) for cell in of_bin]
            batches += join_next(self._view, each, is_sooner_together)
        self._table = Timetable(self._view, batches)
        for cell in unmet:
            self._settle(batch_of(self._view, settle_for[0], [cell]), settle_for)

    def _fit(self) -> None:
        """Make every batch end in time, in order; the dearest messages so far give way."""
        n_given_way = 0
        while (found := self._table.first_late()) is not None:
            k, late_ms = found
            dearest = max(self._table.batches[: k + 1], key=lambda b: b.finish_ms / b.n)
            n_given_way += 1
            is_hurried = n_given_way > MOST_GIVEN_WAY
            self._give_way(dearest, 0.0 if is_hurried else dearest.finish_ms - late_ms)

    def _give_way(self, batch: PlannedBatch, keep_ms: float) -> None:
        """The messages with the least time left, all but those that fit into `keep_ms`, go to a
        plan that takes less time."""
        view, n = self._view, batch.n
        self._table.remove(batch)
        n_kept = view.most_within(batch.plan, keep_ms, n - 1) if n > 1 else 0
        if n_kept:
            items = batch.items
            by_time = items[np.argsort(self._remaining_ms[items], kind="stable")]
            self._table.insert(self._some_of(batch, by_time[n - n_kept :]))
            batch = self._some_of(batch, by_time[: n - n_kept])
        rank, finish_ms = self._rank, view.finish_each_ms(batch.n)
        rank_here, most_ms = rank[batch.plan], batch.finish_ms
        by_cost, low = self._ranking.by_cost, view.accuracy_low
        quicker = [p for p in by_cost if rank[p] < rank_here and finish_ms[p] < most_ms]
        floor = self._min_accuracy[batch.items].max()
        sufficient = next((p for p in quicker if low[p] >= floor), None)
        if sufficient is not None:
            self._table.insert_or_join(batch.by(view, sufficient, Choice.LIGHTEST_FEASIBLE))
            return
        if self._is_short and len(quicker) > 1 and self._fallback is not Fallback.FASTEST:
            quicker = [worth_most(view, quicker, batch.n)]
        self._settle(batch, quicker)

    def _settle(self, batch: PlannedBatch, plans: Sequence[int]) -> None:
        """The policy's fallback, of some plans, the lightest first; messages whose floor it keeps
        are labelled so."""
        settled = settle_for_less(self._view, self._fallback, plans, batch.n)
        if settled is None:
            self._given_up.append(batch.items)
            return
        plan, choice = settled
        items = batch.items
        is_kept = self._min_accuracy[items] <= self._view.accuracy_low[plan]
        for some, why in ((is_kept, Choice.LIGHTEST_FEASIBLE), (~is_kept, choice)):
            if some.any():
                here = batch if some.all() else self._some_of(batch, items[some])
                self._table.insert_or_join(here.by(self._view, plan, why))

    def _some_of(self, batch: PlannedBatch, items: Items) -> PlannedBatch:
        tightest_ms, parts = float(self._remaining_ms[items].min()), [np.sort(items)]
        return PlannedBatch(self._view, batch.plan, batch.choice, parts, len(items), tightest_ms)

    @cached_property
    def _rank(self) -> dict[int, int]:
        """Plans by the time for all that waits. Which of two is the quicker one may depend on the
        batch: messages that only ever go down these ranks do not go back and forth."""
        finish_ms = self._view.finish_each_ms(len(self._remaining_ms))
        by_time = sorted(self._ranking.by_cost, key=finish_ms.__getitem__)
        return {plan: rank for rank, plan in enumerate(by_time)}
