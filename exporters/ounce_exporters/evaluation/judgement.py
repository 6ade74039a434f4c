"""What a card says of a model's answers."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.card import CrossValidation
from ounce_schemas.task import TaskSpec
from scipy import stats

from ounce_exporters.evaluation.figures import (
    accepted,
    class_figures,
    estimate_accuracy,
    overall_figures,
    regression_figures,
)
from ounce_exporters.evaluation.groups import group_figures
from ounce_exporters.evaluation.promises import false_alarms
from ounce_exporters.export.calibration import Temperature, fit_calibrator, validation_answers
from ounce_exporters.ladder.recipe import Recipe, TaskData

Score = Callable[[NDArray[np.float32], NDArray[Any]], float]
"""From outputs, array of shape (n_items, output size), and targets to the task's measure."""


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


def learned_prior(
    recipe: Recipe, data: TaskData, outputs: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Share of each class that the model has learned with; empty for a quantity. The rows of a
    person's own model are not known, so it is the mean of its probabilities."""
    n_labels = len(data.spec.labels)
    if recipe.balanced or not n_labels:
        return np.full(n_labels, 1 / max(n_labels, 1))
    if not len(data.train):
        return np.asarray(Temperature(1.0).apply(outputs).mean(axis=0, dtype=np.float64))
    counts = np.bincount(data.train.targets, minlength=n_labels)
    return np.maximum(counts, 1) / len(data.train)


def score_by(
    recipe: Recipe, data: TaskData, outputs: NDArray[np.float32], truth: NDArray[Any]
) -> Score:
    """From outputs and targets to the task's measure. Where an answer follows from a threshold,
    outputs are calibrated first, as a model of the ladder is.

    Args:
        recipe: of the model.
        data: what taught it.
        outputs: to held-out rows, which calibrate; array of shape (n_items, output size).
        truth: targets of these rows.
    """
    task = data.spec
    if task.kind in ("classification", "regression") and task.measure.is_plain:
        return lambda found, targets: estimate_accuracy(task, found, targets).value
    calibrator = fit_calibrator(task, outputs, truth, learned_prior(recipe, data, outputs))

    def score(found: NDArray[np.float32], targets: NDArray[Any]) -> float:
        if found is outputs:
            answers = validation_answers(task, calibrator, found, targets)
        else:
            answers = calibrator.apply(found)
        return estimate_accuracy(task, answers, targets).value

    return score
