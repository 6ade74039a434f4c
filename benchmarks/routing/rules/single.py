"""Rules that a person would set once."""

from collections.abc import Sequence

import numpy as np

from benchmarks.routing.overhead import Overhead
from benchmarks.routing.rules.base import Profiled, Queue, Work
from benchmarks.routing.tables import Table

BATCH = 64
"""Batch size at which offline choices compare costs."""


class AlwaysBest(Profiled):
    """The most accurate single model on validation data answers everything; of equals, the
    lightest. Batches by deadline as in Clipper (Crankshaw et al., NSDI 2017)."""

    def __init__(self, table: Table, overhead: Overhead) -> None:
        super().__init__(table, overhead)
        by_cost = sorted(self.singles, key=lambda p: self.cost_ms(p, BATCH))
        self._plan = max(by_cost, key=lambda p: self.value[p])

    def choose(self, now_ms: float, queue: Queue) -> Sequence[Work]:
        return self.by_deadline(now_ms, queue, np.full(len(queue), self._plan))


class AlwaysLightest(Profiled):
    """The model of least cost answers everything, whatever the floor. Batches as `AlwaysBest`."""

    def __init__(self, table: Table, overhead: Overhead) -> None:
        super().__init__(table, overhead)
        self._plan = min(self.singles, key=lambda p: self.cost_ms(p, BATCH))

    def choose(self, now_ms: float, queue: Queue) -> Sequence[Work]:
        return self.by_deadline(now_ms, queue, np.full(len(queue), self._plan))


class BestFixed(Profiled):
    """For each floor the cheapest single model whose lower bound on validation data meets it (the
    most accurate one where none does), chosen offline. Batches as `AlwaysBest`."""

    def __init__(self, table: Table, overhead: Overhead) -> None:
        super().__init__(table, overhead)
        by_cost = sorted(self.singles, key=lambda p: self.cost_ms(p, BATCH))
        self._plans = by_cost
        self._choice: dict[float, int] = {}

    def choose(self, now_ms: float, queue: Queue) -> Sequence[Work]:
        floors, place = np.unique(queue.floor, return_inverse=True)
        plans = np.array([self._of(floor) for floor in floors.tolist()])
        return self.by_deadline(now_ms, queue, plans[place])

    def _of(self, floor: float) -> int:
        if floor not in self._choice:
            meets = [p for p in self._plans if self.low[p] >= floor]
            best = max(self._plans, key=lambda p: self.low[p])
            self._choice[floor] = meets[0] if meets else best
        return self._choice[floor]
