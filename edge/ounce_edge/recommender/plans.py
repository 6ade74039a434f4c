"""What can answer a message."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ounce_edge.recommender.latency import LatencyBelief

REFRESH_SECONDS = 1.0
"""How often old calls are forgotten."""


@dataclass(frozen=True)
class Plan:
    """One way to answer: here, one model."""

    name: str
    accuracy: float
    """Expected share of acceptable predictions, in [0, 1]."""
    accuracy_low: float
    """Lower end of its confidence interval: what a floor is held against."""
    size_bytes: int
    """Breaks ties of cost."""
    latency: LatencyBelief


class Plans:
    """A task's plans that the policy permits, as arrays in the order given.

    Raises:
        ValueError: no plan at all.
    """

    def __init__(self, plans: Sequence[Plan]) -> None:
        if not plans:
            raise ValueError("a task needs at least one plan")
        self.plans = tuple(plans)
        self.accuracy_low: NDArray[np.float64] = np.array([p.accuracy_low for p in plans])
        self._size_bytes = np.array([p.size_bytes for p in plans])
        self._refreshed_at_s = -np.inf

    def __len__(self) -> int:
        return len(self.plans)

    def __getitem__(self, index: int) -> Plan:
        return self.plans[index]

    def refresh(self, at_s: float) -> None:
        """Forget old calls, of plans that were not taken too: one that was slow is tried again.

        Args:
            at_s: now, on the clock of `LatencyBelief.observe`, seconds; cheap to call often.
        """
        if at_s - self._refreshed_at_s >= REFRESH_SECONDS:
            self._refreshed_at_s = at_s
            for plan in self.plans:
                plan.latency.refresh(at_s)

    def cost_ms(self, n_items: int) -> NDArray[np.float64]:
        """Compute per item when `n_items` run together, in milliseconds; shape (n_plans,)."""
        return np.array([p.latency.median_ms(n_items) for p in self.plans]) / n_items

    def by_cost(self, n_items: int) -> list[int]:
        """Indices from the lightest to the heaviest; ties go to fewer bytes."""
        cost_ms = self.cost_ms(n_items)
        return [int(i) for i in np.lexsort((self._size_bytes, cost_ms))]

    def most_accurate(self, n_items: int) -> int:
        """Index of the most accurate plan; of equals, the lightest: what always-best would run."""
        order = self.by_cost(n_items)
        return max(order, key=lambda i: (self.plans[i].accuracy, -order.index(i)))
