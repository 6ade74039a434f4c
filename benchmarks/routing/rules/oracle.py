"""What a rule could reach that knew everything."""

from collections.abc import Sequence

import numpy as np

from benchmarks.routing.overhead import Overhead
from benchmarks.routing.rules.base import Profiled, Queue, Work
from benchmarks.routing.tables import ServiceTimes, Table


class Oracle(Profiled):
    """Knows, of every item, which models answer it rightly, and the true times: each message gets
    the cheapest single model that is right, or the lightest where none is; while a backlog would
    make messages late, the lightest for all.

    It serves one batch after another, so it is a bound for choosing, not for scheduling.
    """

    def __init__(self, table: Table, overhead: Overhead) -> None:
        super().__init__(table, overhead)
        times = ServiceTimes(table, np.random.default_rng(0))
        ms = np.array([times.median_ms(m, 64) for m in range(len(table.models))])
        by_cost = np.argsort(ms, kind="stable")
        first = table.answers.right[by_cost].argmax(axis=0)  # 0, the lightest, where none is right
        self._model = by_cost[first]
        self._lightest = int(by_cost[0])
        self._per_item_ms = ms / 64.0 + overhead.answer_ms

    def choose(self, now_ms: float, queue: Queue) -> Sequence[Work]:
        plan_of = self._model[queue.item]
        order = np.argsort(queue.deadline_ms, kind="stable")
        end_ms = now_ms + np.cumsum(self._per_item_ms[plan_of[order]])
        late = (end_ms > queue.deadline_ms[order]) & (queue.deadline_ms[order] > now_ms)
        if late.any():
            plan_of = np.full(len(queue), self._lightest)
        return self.by_deadline(now_ms, queue, plan_of)
