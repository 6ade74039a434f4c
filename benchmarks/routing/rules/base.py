"""What a rule is, and what the rules of others share."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ounce_edge.models.execution import Outcome
from ounce_edge.recommender.arrays import Floats, Items

from benchmarks.routing.overhead import Overhead
from benchmarks.routing.tables import SIZES, Table

MAX_WAITING = 16_384
"""As the worker's setting: more are left in Kafka until some are answered."""
SLICE_MS = 5.0
"""99th percentile of the time of what is run between two looks at the queue: usually it takes about
as long as the worker's slices."""


@dataclass(frozen=True)
class Queue:
    """What is to be chosen from, oldest first; arrays of shape (n,)."""

    message: Items
    """Index into the workload."""
    item: Items
    """Index into the test split: for the oracle's eyes only."""
    deadline_ms: Floats
    floor: Floats
    all_deadline_ms: Floats
    """Of all that waits, also of what can wait for the next poll; shape (m,), m >= n."""

    def __len__(self) -> int:
        return len(self.message)


@dataclass(frozen=True)
class Work:
    """Messages that one plan is to answer in one go."""

    plan: int
    items: Items
    """Indices into the queue."""
    cuts: bool = False
    """Whether a further step of a cascade is begun only for messages that it serves in time."""


class Rule(ABC):
    """Decides what runs next; made anew for every workload.

    Attributes:
        reads_on: whether only what can't wait is answered while more is there to be read; otherwise
            all is read first, as systems do for which reading costs nothing.
    """

    reads_on = False

    def __init__(self, table: Table, overhead: Overhead) -> None:
        self.table = table
        self.overhead = overhead
        self.plans = table.fresh_plans()
        self.singles = [i for i, p in enumerate(table.plans) if len(p.steps) == 1]

    @abstractmethod
    def choose(self, now_ms: float, queue: Queue) -> Sequence[Work]:
        """What to run now, in this order; at least one message. Newer ones are seen after it."""

    def learn(self, work: Work, outcome: Outcome, answer_ms: float) -> None:  # noqa: B027
        """Work was done; publishing its answers took `answer_ms`. Most rules learn nothing."""


class Profiled(Rule):
    """A rule that goes by an offline profile: the 99th percentile of a call, as measured when the
    worker starts, and a fixed time per message beside it."""

    def __init__(self, table: Table, overhead: Overhead) -> None:
        super().__init__(table, overhead)
        self._finish_ms = [self._curve(plan) for plan in range(len(table.plans))]
        self.low = np.array([plan.accuracy.low for plan in table.plans])
        self.value = np.array([plan.accuracy.value for plan in table.plans])

    def _curve(self, plan: int) -> Floats:
        sizes = np.array(SIZES, dtype=np.float64)
        total = self.overhead.group_ms + sizes * self.overhead.answer_ms
        for step in self.table.plans[plan].steps:
            reached = np.maximum(sizes * step.reach, 1.0)
            total += np.interp(reached, sizes, self.table.profile_p99_ms[step.model])
        return total

    def finish_ms(self, plan: int, n_items: int) -> float:
        """Predicted time of a batch, publishing included."""
        return float(np.interp(n_items, SIZES, self._finish_ms[plan]))

    def cost_ms(self, plan: int, n_items: int) -> float:
        """Profiled median of the compute of a batch."""
        total = 0.0
        for step in self.table.plans[plan].steps:
            reached = n_items * step.reach
            profile = self.table.profile_p50_ms[step.model]
            total += float(np.interp(max(reached, 1.0), SIZES, profile)) * min(reached, 1.0)
        return total

    def most_within(self, plan: int, budget_ms: float, most: int) -> int:
        """The largest batch whose predicted time is within a budget; 0 if none."""
        sizes = np.arange(1, min(most, SIZES[-1]) + 1)
        fits = np.interp(sizes, SIZES, self._finish_ms[plan]) <= budget_ms
        return int(np.flatnonzero(fits)[-1]) + 1 if fits.any() else 0

    def by_deadline(self, now_ms: float, queue: Queue, plan_of: Items) -> list[Work]:
        """Fill a slice with batches of given plans, earliest deadline first; what is late waits for
        what is not.

        Args:
            now_ms: the time.
            queue: what waits.
            plan_of: the plan of each message, shape (n,).
        """
        alone_ms = np.array([curve[0] for curve in self._finish_ms])[plan_of]
        open_ = np.ones(len(queue), dtype=bool)
        spent_ms = 0.0
        works: list[Work] = []
        while open_.any() and spent_ms < SLICE_MS:
            left_ms = queue.deadline_ms - now_ms - spent_ms
            hopeful = open_ & (left_ms >= alone_ms)
            candidates = np.flatnonzero(hopeful if hopeful.any() else open_)
            head = candidates[np.argmin(queue.deadline_ms[candidates])]
            plan = int(plan_of[head])
            mates = candidates[plan_of[candidates] == plan]
            budget_ms = SLICE_MS - spent_ms
            if hopeful.any():
                budget_ms = min(budget_ms, float(left_ms[head]))
            n = self.most_within(plan, budget_ms, len(mates))
            if not n and works:
                break
            n = max(n, 1)
            if n < len(mates):
                mates = mates[np.argpartition(queue.deadline_ms[mates], n - 1)[:n]]
            works.append(Work(plan, mates))
            open_[mates] = False
            spent_ms += self.finish_ms(plan, n)
        return works
