"""How much compute one accuracy costs: everything chosen on validation data, run on the test
split, and judged by more items where more can be made."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from ounce_edge.recommender.beliefs.plans import Plan

from benchmarks.routing.matrix import Measured
from benchmarks.routing.overhead import Overhead
from benchmarks.routing.rules.base import Profiled, Queue, Work
from benchmarks.routing.simulation import simulate
from benchmarks.routing.tables import Answers, ServiceTimes, Table
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
class Difference:
    """Accuracy of one plan less that of another one, on the same items."""

    value: float
    error: float
    """Its standard error."""
    n_items: int

    @classmethod
    def between(cls, answers: Answers, plan: Plan, other: Plan) -> Self:
        """Item by item: where both are right, or both wrong, there is no noise."""
        each = answers.of_plan(plan)[0].astype(float) - answers.of_plan(other)[0]
        n = len(each)
        return cls(float(each.mean()), float(each.std(ddof=1)) / n**0.5, n)

    def __str__(self) -> str:
        points, error = 100 * self.value, 100 * self.error
        return f"{points:+.2f} points (standard error {error:.2f}) on {self.n_items:,} items"


@dataclass(frozen=True)
class Comparison:
    """What equal accuracy costs in one task."""

    task: str
    best: Side
    """The most accurate single model."""
    single: Side
    """The cheapest single model within 0.2 points of it."""
    ours: Side
    """The cheapest plan that on validation data is less accurate than `best` by at most half of
    `WITHIN`: one that is chosen for being just good enough there is a little worse elsewhere. Where
    that is `best` itself and half of `WITHIN` is less than one item, by one item."""
    on_test: Difference
    """Of `ours` and `best`, on the test split."""
    on_fresh: Difference | None
    """The same on the fresh items, where there are any."""

    @property
    def is_equal(self) -> bool:
        """Whether ours is no less accurate than the best by more than counts as equal, on the
        most items that there are."""
        judged = self.on_fresh or self.on_test
        return judged.value >= -WITHIN - 1e-9


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

    def cheapest(plans: Sequence[int], allowed: float) -> int:
        return next(p for p in plans if accuracy[p] >= accuracy[best] - allowed - 1e-9)

    single, ours = cheapest(singles, WITHIN), cheapest(by_cost, WITHIN / 2.0)
    if ours == best:
        ours = cheapest(by_cost, max(WITHIN / 2.0, 1.0 / table.plans[best].accuracy.n))
    both = table.plans[ours], table.plans[best]
    return Comparison(
        task=table.task,
        best=_side(task, best, rate),
        single=_side(task, single, rate),
        ours=_side(task, ours, rate),
        on_test=Difference.between(table.answers, *both),
        on_fresh=None if task.fresh is None else Difference.between(task.fresh, *both),
    )


def _side(task: Measured, plan: int, rate: float) -> Side:
    table, overhead = task.table, task.overhead
    times = ServiceTimes(table, np.random.default_rng(0))
    right, reach = table.answers.of_plan(table.plans[plan])
    steps = table.plans[plan].steps
    alone_ms = sum(r * times.median_ms(s.model, 1) for r, s in zip(reach, steps, strict=True))
    workload = make("steady", table, rate, 0, SECONDS)
    end_ms = float(workload.deadline_ms.max())
    result = simulate(workload, _OnePlan(table, overhead, plan), end_ms=end_ms)
    return Side(
        table.plans[plan].name,
        table.plans[plan].accuracy.value,
        float(right.mean()),
        float(alone_ms) * 1e3,
        float(result.compute_ms[result.plan >= 0].mean()) * 1e3,
    )
