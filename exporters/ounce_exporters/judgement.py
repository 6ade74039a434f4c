"""What a card says of a model's answers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.card import CrossValidation
from ounce_schemas.task import TaskSpec
from scipy import stats  # type: ignore[import-untyped]

from ounce_exporters.evaluation import (
    accepted,
    class_figures,
    estimate_accuracy,
    overall_figures,
    regression_figures,
)
from ounce_exporters.groups import group_figures
from ounce_exporters.promises import false_alarms
from ounce_exporters.recipe import TaskData


def judge(
    task: TaskSpec, answers: NDArray[np.float32], exported: NDArray[np.float32], data: TaskData
) -> dict[str, Any]:
    """What a card says of a model's answers, by the card's field.

    Args:
        task: the task.
        answers: calibrated, to the validation items; array of shape (n_items, output size).
        exported: calibrated, of the exported file, to the test items; likewise.
        data: the items.
    """
    classifies = task.classifies
    validated, truth = data.validation.targets, data.test.targets
    return {
        "measure": task.measure,
        "validation_accuracy": estimate_accuracy(task, answers, validated, data.clusters),
        "test_accuracy": estimate_accuracy(task, exported, truth),
        "validation_false_alarms": false_alarms(task, answers.argmax(axis=1), validated),
        "test_false_alarms": false_alarms(task, exported.argmax(axis=1), truth),
        "cross_validation": cross_validation(task, answers, data),
        "groups": group_figures(task, answers, data),
        "overall": overall_figures(exported, truth) if classifies else None,
        "classes": class_figures(task.labels, exported, truth) if classifies else (),
        "regression": None if classifies else regression_figures(exported, truth),
    }


def cross_validation(
    task: TaskSpec, answers: NDArray[np.float32], data: TaskData
) -> CrossValidation | None:
    """Accuracy by fold; None where there are not two folds."""
    held_out = None if data.folds is None else data.folds[data.folds >= 0]
    if held_out is None or len(numbers := np.unique(held_out)) < 2:
        return None
    good = accepted(task, answers, data.validation.targets)
    shares = np.array([good[held_out == number].mean() for number in numbers])
    mean = float(shares.mean())
    half = float(stats.t.ppf(0.975, len(shares) - 1) * stats.sem(shares))
    return CrossValidation(
        folds=tuple(shares.tolist()),
        mean=mean,
        low=max(0.0, mean - half),
        high=min(1.0, mean + half),
    )
