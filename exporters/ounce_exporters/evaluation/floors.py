"""Whether a ladder can keep the floor that a worker asks for, and is better than a guess."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.plans import LadderPlans
from ounce_schemas.policy import Policy
from ounce_schemas.task import TaskSpec


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
    lower = " or less" if proposed else ""
    what = "" if plans.measure.is_plain else f" ({plans.measure})"
    return (
        f"no plan is sure to reach the default floor of {floor:g}{what}, so every answer would be "
        f"a fallback: set a floor of {proposed:g}{lower} in the policy, "
        f"tasks: {{{plans.task}: {{min_accuracy: {proposed:g}}}}}{larger}"
    )


def guess_advice(plans: LadderPlans, task: TaskSpec, targets: NDArray[Any]) -> str | None:
    """What to say where no plan is surely better than the same answer to all; None elsewhere.

    Args:
        plans: of the whole ladder.
        task: of classes or of a quantity; nothing is said of others.
        targets: of the validation rows: label indices, or values less the task's offset.
    """
    if not plans.measure.is_plain or task.kind not in ("classification", "regression"):
        return None
    if task.kind == "regression":
        middle = float(np.median(targets))
        right = float((np.abs(targets - middle) <= (task.tolerance or 0.0)).mean())
        answer, how = f"{middle + (task.offset or 0.0):.6g}", "a smaller --tolerance may tell more"
    else:
        counts = np.bincount(targets, minlength=len(task.labels))
        right = float(counts.max() / len(targets))
        answer, how = repr(task.labels[int(counts.argmax())]), "other columns or more rows may help"
    if max(plan.accuracy.low for plan in plans.plans) > right:
        return None
    return (
        f"no plan is surely better than always answering {answer}, which is acceptable for "
        f"{right:.1%} of the validation rows: {how}"
    )
