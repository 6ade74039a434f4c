"""Why a plan was taken and each lighter one was not."""

from collections.abc import Sequence
from dataclasses import dataclass

from ounce_schemas.routing import Choice

from ounce_edge.recommender.beliefs.view import View


def passed_over(by_cost: Sequence[int], plan: int, choice: Choice) -> Sequence[int]:
    """The plans that were passed over for a message, lightest first; arguments as in
    `rejections`."""
    everything = choice.is_fallback and choice is not Choice.CUT_SHORT
    return by_cost if everything else by_cost[: by_cost.index(plan)]


def rejections(
    view: View, by_cost: Sequence[int], plan: int, choice: Choice, min_accuracy: float
) -> dict[str, str]:
    """Each plan that was passed over for a message, and why.

    Args:
        view: what was believed.
        by_cost: the plans from the lightest to the heaviest, as they were ranked.
        plan: index of the plan taken.
        choice: why it was taken; for a fallback every plan was passed over first.
        min_accuracy: the message's floor.

    Returns:
        By plan name: `accuracy 0.912 < 0.95`, `deadline`, or `call of its own`, which costs more
        in all than to join the plan's call; lightest first.
    """
    otherwise = "call of its own" if choice is Choice.LIGHTEST_TOGETHER else "deadline"
    return {
        view.names[p]: (
            f"accuracy {view.accuracy_low[p]:.4f} < {min_accuracy:g}"
            if view.accuracy_low[p] < min_accuracy
            else otherwise
        )
        for p in passed_over(by_cost, plan, choice)
    }


@dataclass(frozen=True)
class Assessment:
    """One plan, held against one message's targets."""

    plan: str
    cost: float
    """Per item, in the policy's objective."""
    p99_ms: float
    """99th percentile of one call at the batch that the message joins."""
    accuracy: float
    accuracy_low: float
    in_service: bool
    accurate_enough: bool
    quick_enough: bool

    @property
    def feasible(self) -> bool:
        """Whether it could answer."""
        return self.in_service and self.accurate_enough and self.quick_enough

    def verdict(self, max_latency_ms: float, min_accuracy: float) -> str:
        """Why it can't answer, or that it can."""
        if not self.in_service:
            return "suspended: a model of it failed or is far slower than it was"
        reasons = []
        if not self.accurate_enough:
            reasons.append(f"accuracy {self.accuracy_low:.4f} < {min_accuracy:g}")
        if not self.quick_enough:
            reasons.append(f"{self.p99_ms:.3g} ms > {max_latency_ms:.4g} ms left")
        return "; ".join(reasons) or "feasible"


def assess(
    view: View, remaining_ms: float, min_accuracy: float, n_items: int = 1
) -> list[Assessment]:
    """Every plan that may answer against one message, the lightest first, suspended ones last.

    Args:
        view: what is believed.
        remaining_ms: time left.
        min_accuracy: the floor.
        n_items: size of the batch that the message joins.
    """
    order = view.ranking(n_items).by_cost
    permitted = range(len(view.names)) if view.permitted is None else view.permitted
    rest = [p for p in permitted if p not in order]
    return [
        Assessment(
            plan=view.names[p],
            cost=view.calls[p, n_items].cost / n_items,
            p99_ms=view.calls[p, n_items].finish_ms,
            accuracy=view.accuracy[p],
            accuracy_low=view.accuracy_low[p],
            in_service=p not in rest,
            accurate_enough=view.accuracy_low[p] >= min_accuracy,
            quick_enough=view.calls[p, n_items].finish_ms <= remaining_ms,
        )
        for p in [*order, *rest]
    ]
