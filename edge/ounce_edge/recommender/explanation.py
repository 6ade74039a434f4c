"""Why a plan was taken and each lighter one was not."""

from collections.abc import Sequence

from ounce_schemas.routing import Choice

from ounce_edge.recommender.plans import Plans


def rejections(
    plans: Plans, by_cost: Sequence[int], plan: int, choice: Choice, min_accuracy: float
) -> dict[str, str]:
    """Each plan that was passed over for a message, and why.

    Args:
        plans: what might have answered.
        by_cost: the plans from the lightest to the heaviest, as they were compared.
        plan: index of the plan taken.
        choice: why it was taken; for a fallback every plan was passed over first.
        min_accuracy: the message's floor.

    Returns:
        By plan name: `accuracy 0.912 < 0.95` or `deadline`; lightest first.
    """
    feasible = choice is Choice.LIGHTEST_FEASIBLE
    passed_over = by_cost[: by_cost.index(plan)] if feasible else by_cost
    return {
        plans[p].name: (
            f"accuracy {plans[p].accuracy_low:.4f} < {min_accuracy:g}"
            if plans[p].accuracy_low < min_accuracy
            else "deadline"
        )
        for p in passed_over
    }
