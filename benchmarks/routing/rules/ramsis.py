"""RAMSIS-style."""

from collections.abc import Sequence

import numpy as np

from benchmarks.routing.overhead import Overhead
from benchmarks.routing.rules.base import SLICE_MS, Profiled, Queue, Work
from benchmarks.routing.tables import Table

HORIZON_MS = 50.0
RATE_EVERY_MS = 1000.0


class Ramsis(Profiled):
    """In the style of RAMSIS (Mendoza, Romero and Trippel, "Model Selection for Latency-Critical
    Inference Serving", EuroSys 2024): the model depends on how many messages wait and how urgent
    they are, and on the load that is expected while they are served.

    RAMSIS solves a Markov decision process offline for a known arrival process. Here its fluid
    limit is used instead: of the single models, the most accurate one with which all that waits and
    all that is expected to arrive within the horizon can be served by the end of it, the horizon
    being the median time left. Messages with a low floor get no more than the cheapest model that
    keeps it, which frees time for the others. The expected rate is the last second's.
    """

    def __init__(self, table: Table, overhead: Overhead) -> None:
        super().__init__(table, overhead)
        n = 32
        self._by_accuracy = sorted(self.singles, key=lambda p: self.value[p])
        self._item_ms = {p: self.cost_ms(p, n) / n + overhead.item_ms for p in self.singles}
        self._due_ms = RATE_EVERY_MS
        self._rate_per_ms = 0.0
        self._before = 0
        self._seen = 0

    def choose(self, now_ms: float, queue: Queue) -> Sequence[Work]:
        self._seen = max(self._seen, int(queue.message[-1]))
        if now_ms >= self._due_ms or not self._rate_per_ms:
            self._rate_per_ms = (self._seen - self._before) / max(
                now_ms - self._due_ms + RATE_EVERY_MS, 1.0
            )
            self._due_ms, self._before = now_ms + RATE_EVERY_MS, self._seen
        left_ms = queue.deadline_ms - now_ms
        horizon_ms = float(np.clip(np.median(left_ms), SLICE_MS, HORIZON_MS))
        demand = len(queue) + self._rate_per_ms * horizon_ms
        floors, place, counts = np.unique(queue.floor, return_inverse=True, return_counts=True)
        shares = counts / len(queue)
        chosen = self._by_accuracy[0]
        for model in self._by_accuracy:
            plans = [self._capped(model, floor) for floor in floors.tolist()]
            mean_ms = sum(s * self._item_ms[p] for s, p in zip(shares, plans, strict=True))
            if demand * mean_ms <= horizon_ms:
                chosen = model
        plan_of = np.array([self._capped(chosen, floor) for floor in floors.tolist()])[place]
        return self.by_deadline(now_ms, queue, plan_of)

    def _capped(self, model: int, floor: float) -> int:
        enough = [p for p in self.singles if self.low[p] >= floor]
        if not enough:
            return model
        cheapest = min(enough, key=lambda p: self._item_ms[p])
        return cheapest if self.value[cheapest] <= self.value[model] else model
