"""Proteus."""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linprog

from benchmarks.routing.overhead import Overhead
from benchmarks.routing.rules.base import SLICE_MS, Profiled, Queue, Work
from benchmarks.routing.tables import Table

EVERY_MS = 1000.0
HEADROOM = 0.9
"""Share of the server that is planned for: without some, queues grow at the planned load."""
FIRST_MS = 50.0
"""The first optimisation comes this early; until then the lightest variant answers."""


class Proteus(Profiled):
    """Accuracy scaling (Ahmad et al., "Proteus: A High-Throughput Inference-Serving System with
    Accuracy Scaling", ASPLOS 2024): every second an optimisation over the variants, given the
    demand of the last second: as much accuracy as the throughput allows. On one server its integer
    program is the linear program solved here: shares of the messages per variant, the mean time per
    message within what the server has. Variants that are too slow for the tightest deadline in
    batches are left out, as there.

    The paper deals messages out by weighted random choice; here the most accurate variants go to
    the highest floors, which keeps more of them. Batches by deadline.
    """

    def __init__(self, table: Table, overhead: Overhead) -> None:
        super().__init__(table, overhead)
        self._item_ms = np.array(
            [
                self.cost_ms(p, max(self.most_within(p, SLICE_MS, 64), 1))
                / max(self.most_within(p, SLICE_MS, 64), 1)
                for p in self.singles
            ]
        )
        self._due_ms, self._solved_ms = FIRST_MS, 0.0
        self._seen = self._begun_at = -1
        self._shares = self._solve(np.inf)

    def choose(self, now_ms: float, queue: Queue) -> Sequence[Work]:
        self._seen = max(self._seen, int(queue.message[-1]))
        if now_ms >= self._due_ms:
            passed_s = (now_ms - self._solved_ms) / 1e3
            self._shares = self._solve((self._seen - self._begun_at) / passed_s)
            self._due_ms, self._solved_ms, self._begun_at = now_ms + EVERY_MS, now_ms, self._seen
        by_accuracy = np.argsort(self.low[self.singles], kind="stable")
        bounds = np.cumsum(self._shares[by_accuracy])
        rank = np.empty(len(queue))
        rank[np.argsort(queue.floor, kind="stable")] = (np.arange(len(queue)) + 0.5) / len(queue)
        chosen = by_accuracy[np.minimum(np.searchsorted(bounds, rank), len(bounds) - 1)]
        return self.by_deadline(now_ms, queue, np.array(self.singles)[chosen])

    def _solve(self, rate: float) -> np.ndarray:
        """Shares of the messages per single model, shape (n_singles,)."""
        fixed_ms = self.overhead.poll_ms + self.overhead.step_ms + self.overhead.group_ms
        spare_ms = HEADROOM * (1.0 - fixed_ms / SLICE_MS) * 1e3 / max(rate, 1.0)
        budget_ms = spare_ms - self.overhead.item_ms
        accuracy = self.value[self.singles]
        found = linprog(
            -accuracy,
            A_ub=[self._item_ms],
            b_ub=[max(budget_ms, float(self._item_ms.min()))],
            A_eq=[np.ones(len(accuracy))],
            b_eq=[1.0],
        )
        return np.asarray(found.x)
