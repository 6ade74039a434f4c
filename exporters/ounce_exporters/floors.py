"""Whether a ladder can keep the floor that a worker asks for unless told otherwise."""

import math

from ounce_schemas.plans import LadderPlans
from ounce_schemas.policy import Policy


def floor_advice(plans: LadderPlans, *, quantity: bool) -> str | None:
    """What to do where no plan meets the default floor; None where one does.

    A plan meets a floor that the lower bound of its accuracy reaches.

    Args:
        plans: of the whole ladder.
        quantity: whether the task predicts one: then a larger tolerance helps, too.
    """
    floor = Policy().for_task(plans.task).min_accuracy
    best = max(plan.accuracy.low for plan in plans.plans)
    if best >= floor:
        return None
    proposed = math.floor(best * 100) / 100
    larger = ", or train with a larger --tolerance" if quantity else ""
    what = "" if plans.measure.is_plain else f" ({plans.measure})"
    return (
        f"no plan is sure to reach the default floor of {floor:g}{what}, so every answer would be "
        f"a fallback: set a floor of {proposed:g} or less in the policy, "
        f"tasks: {{{plans.task}: {{min_accuracy: {proposed:g}}}}}{larger}"
    )
