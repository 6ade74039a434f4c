"""How much compute one accuracy costs: everything chosen on validation data, run on the test
split."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.routing.matrix import Measured
from benchmarks.routing.overhead import Overhead
from benchmarks.routing.rules.base import Profiled, Queue, Work
from benchmarks.routing.simulation import simulate
from benchmarks.routing.tables import ServiceTimes, Table
from benchmarks.routing.workloads import make

WITHIN = 0.002
"""Accuracies that count as equal: 0.2 points."""
BATCH = 32
"""Batch size at which the cheapest is chosen, by the profile of the start-up."""
SECONDS = 1.0


@dataclass(frozen=True)
class Side:
    """One plan of the comparison."""

    name: str
    validation_accuracy: float
    test_accuracy: float
    alone_us: float
    """Compute per message, one at a time, microseconds."""
    batched_us: float
    """Compute per message in the steady workload."""


@dataclass(frozen=True)
class Comparison:
    """What equal accuracy costs in one task."""

    task: str
    best: Side
    """The most accurate single model."""
    single: Side
    """The cheapest single model within 0.2 points of it."""
    ours: Side
    """The cheapest plan that is no less accurate on validation data: one that was chosen there for
    being just good enough is a little worse elsewhere."""


class _OnePlan(Profiled):
    """One plan answers everything."""

    def __init__(self, table: Table, overhead: Overhead, plan: int) -> None:
        super().__init__(table, overhead)
        self._plan = plan

    def choose(self, now_ms: float, queue: Queue) -> Sequence[Work]:
        return self.by_deadline(now_ms, queue, np.full(len(queue), self._plan))


def compare(task: Measured, rate: float) -> Comparison:
    """Compare the plans at a rate of messages per second."""
    table, overhead = task.table, task.overhead
    profile = _OnePlan(table, overhead, 0)
    by_cost = sorted(range(len(table.plans)), key=lambda p: profile.cost_ms(p, BATCH))
    singles = [p for p in by_cost if len(table.plans[p].steps) == 1]
    best = max(singles, key=lambda p: table.plans[p].accuracy.value)
    accuracy = [plan.accuracy.value for plan in table.plans]
    single = next(p for p in singles if accuracy[p] >= accuracy[best] - WITHIN - 1e-9)
    ours = next(p for p in by_cost if accuracy[p] >= accuracy[best] - 1e-9)
    return Comparison(table.task, *(_side(task, plan, rate) for plan in (best, single, ours)))


def _side(task: Measured, plan: int, rate: float) -> Side:
    table, overhead = task.table, task.overhead
    times = ServiceTimes(table, np.random.default_rng(0))
    right, reach = table.plan_answers(plan)
    steps = table.plans[plan].steps
    alone_ms = sum(r * times.median_ms(s.model, 1) for r, s in zip(reach, steps, strict=True))
    workload = make("steady", table, rate, 0, SECONDS)
    end_ms = float(workload.deadline_ms.max())
    result = simulate(table, workload, _OnePlan(table, overhead, plan), overhead, end_ms=end_ms)
    return Side(
        table.plans[plan].name,
        table.plans[plan].accuracy.value,
        float(right.mean()),
        float(alone_ms) * 1e3,
        float(result.compute_ms[result.plan >= 0].mean()) * 1e3,
    )
