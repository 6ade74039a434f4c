"""What became of some requests, or would: the figures that policies are compared by."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ounce_edge.dry_run.plentiful import Plentiful
from ounce_edge.recommender.beliefs.view import View

REFUSED = -1
"""In place of a plan: the request became a dead letter."""


class CallFigures(NamedTuple):
    """What one call adds for the messages of it that are answered then."""

    plan: str
    n: int
    compute_ms: float
    accuracy: float
    objective: str
    cost: float


@dataclass
class Tally:
    """What one decision adds to the figures."""

    n: int = 0
    n_refused: int = 0
    in_time: int = 0
    floor_kept: int = 0
    calls: list[CallFigures] = field(default_factory=list)


@dataclass
class Figures:
    """Sums over requests."""

    n: int = 0
    n_refused: int = 0
    plans: Counter[str] = field(default_factory=Counter)
    """Answered requests by plan."""
    in_time: int = 0
    """Answers that usually are in time."""
    floor_kept: int = 0
    """Answers by a plan that is sure to keep the floor."""
    compute_ms: float = 0.0
    accuracy: float = 0.0
    """Expected right answers."""
    cost: dict[str, float] = field(default_factory=dict)
    """By objective, in its unit."""

    def add(self, tally: Tally) -> None:
        """Count one decision."""
        self.n += tally.n
        self.n_refused += tally.n_refused
        self.in_time += tally.in_time
        self.floor_kept += tally.floor_kept
        for plan, n, compute_ms, accuracy, objective, cost in tally.calls:
            self.plans[plan] += n
            self.compute_ms += compute_ms
            self.accuracy += accuracy
            self.cost[objective] = self.cost.get(objective, 0.0) + cost

    @property
    def n_answered(self) -> int:
        """Requests that are answered."""
        return self.n - self.n_refused

    def share(self, count: float) -> float:
        """Of all requests, in [0, 1]."""
        return count / self.n if self.n else 0.0

    def each(self, total: float) -> float:
        """Per answered request."""
        return total / self.n_answered if self.n_answered else 0.0


class OutcomeBuilder:
    """What becomes of the requests of one decision, put together call by call. Those that are
    answered now are counted.

    Args:
        n: requests of the decision.
        counted: whether each is answered now; shape (n,). None: all are.
    """

    def __init__(self, n: int, counted: NDArray[np.bool_] | None) -> None:
        self.plan: NDArray[np.intp] = np.empty(n, np.intp)
        """Index, or `REFUSED`; shape (n,), as all."""
        self.plan.fill(REFUSED)
        self.in_time: NDArray[np.bool_] = np.zeros(n, np.bool_)
        self.floor_kept: NDArray[np.bool_] = np.zeros(n, np.bool_)
        self.accuracy: NDArray[np.float64] = np.zeros(n)
        self.spent_ms = 0.0
        """Until the calls so far usually are answered."""
        self._counted = counted
        self._tally = Tally()

    def add(
        self,
        view: View,
        plan: int,
        items: NDArray[np.integer[Any]],
        left_ms: NDArray[np.float64],
        floors: NDArray[np.float64],
        objective: str,
    ) -> None:
        """One call.

        Args:
            view: what was believed.
            plan: that answers.
            items: requests, by their places in the decision.
            left_ms: time left of all requests of the decision.
            floors: of all.
            objective: what the cost is of.
        """
        self.spent_ms += view.calls[plan, len(items)].usual_ms
        in_time = left_ms[items] >= self.spent_ms
        kept = floors[items] <= view.accuracy_low[plan]
        self.plan[items] = plan
        self.in_time[items] = in_time
        self.floor_kept[items] = kept
        self.accuracy[items] = view.accuracy[plan]
        n = len(items)
        if self._counted is not None:
            counted = self._counted[items]
            in_time, kept, n = in_time & counted, kept & counted, int(np.count_nonzero(counted))
        self._count(view, plan, (len(items), n), objective)
        self._tally.in_time += int(np.count_nonzero(in_time))
        self._tally.floor_kept += int(np.count_nonzero(kept))

    def add_plentiful(
        self,
        view: View,
        found: Plentiful,
        rungs: NDArray[np.intp],
        items: NDArray[np.intp] | slice,
        objective: str,
    ) -> None:
        """Calls for messages that all are answered as asked.

        Args:
            view: what was believed.
            found: the calls.
            rungs: of these messages.
            items: the messages, by their places in the decision.
            objective: what the cost is of.
        """
        plans = found.plan_of_rung[rungs]
        self.plan[items] = plans
        self.in_time[items] = self.floor_kept[items] = True
        self.accuracy[items] = np.array(view.accuracy)[plans]
        numbers = None
        if self._counted is not None:
            numbers = np.bincount(plans[self._counted[items]], minlength=len(view.names))
        for plan, size in found.calls:
            self.spent_ms += view.calls[plan, size].usual_ms
            n = size if numbers is None else int(numbers[plan])
            self._count(view, plan, (size, n), objective)
            self._tally.in_time += n
            self._tally.floor_kept += n

    def tally(self, n_answered: int) -> Tally:
        """What all calls add.

        Args:
            n_answered: requests that are answered now.
        """
        tally = self._tally
        tally.n = n_answered
        tally.n_refused = tally.n - sum([call.n for call in tally.calls])
        return tally

    def _count(self, view: View, plan: int, size: tuple[int, int], objective: str) -> None:
        """One call: how many messages it answers, and how many of them are counted."""
        n_items, n = size
        if not n:
            return
        call, share = view.calls[plan, n_items], n / n_items
        self._tally.calls.append(
            CallFigures(
                view.names[plan],
                n,
                call.expected_ms * share,
                view.accuracy[plan] * n,
                objective,
                call.cost * share,
            )
        )

    def differences(self, other: "OutcomeBuilder") -> NDArray[np.float64]:
        """How much differs per request; shape (n,)."""
        found: NDArray[np.float64] = np.abs(self.accuracy - other.accuracy)
        found += self.in_time != other.in_time
        found += self.floor_kept != other.floor_kept
        return found

    def describe(self, other: "OutcomeBuilder", place: int) -> str:
        """What another outcome would be for one request, in words."""
        parts = []
        for name, before, after in (
            ("deadline", self.in_time[place], other.in_time[place]),
            ("floor", self.floor_kept[place], other.floor_kept[place]),
        ):
            if before != after:
                parts.append(f"{name} {'kept' if after else 'missed'}")
        change = float(other.accuracy[place] - self.accuracy[place])
        parts.append(f"accuracy {change:+.4f}")
        return ", ".join(parts)
