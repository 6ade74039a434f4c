"""Figures on a split: accuracy with its interval, per class, of regressions, and calibration."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_edge.models.planning import strata_of
from ounce_edge.recommender.beliefs.measures import wilson
from ounce_schemas.card import AccuracyEstimate, ClassFigures, RegressionFigures
from ounce_schemas.task import TaskSpec
from sklearn.metrics import precision_recall_fscore_support, r2_score

from ounce_exporters.promises import estimate, false_alarms
from ounce_exporters.recipe import TaskData

ECE_BINS = 15


def wilson_interval(successes: int, n: int) -> tuple[float, float]:
    """95% Wilson score interval of a share (E. B. Wilson, JASA 22, 1927).

    Unlike the normal approximation it stays inside [0, 1] and is honest near both ends.
    """
    return wilson(successes / n, n)


def accepted(
    task: TaskSpec, outputs: NDArray[np.float32], targets: NDArray[Any]
) -> NDArray[np.bool_]:
    """Which predictions the task's acceptance rule accepts.

    Args:
        task: class correct, or absolute error within the tolerance.
        outputs: array of shape (n_items, n_labels), or (n_items, 3) with the value first.
        targets: array of shape (n_items,).
    """
    if task.kind == "classification":
        return np.asarray(outputs.argmax(axis=1) == targets)
    assert task.tolerance is not None  # checked by TaskSpec
    return np.asarray(np.abs(outputs[:, 0] - targets) <= task.tolerance)


def estimate_accuracy(
    task: TaskSpec,
    outputs: NDArray[np.float32],
    targets: NDArray[Any],
    clusters: NDArray[np.int64] | None = None,
) -> AccuracyEstimate:
    """The task's measure with its 95% interval; arguments as of `accepted` and `estimate`."""
    right, strata = accepted(task, outputs, targets), strata_of(task)
    return estimate(strata, right, strata.of(outputs.argmax(axis=1), targets), clusters)


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
    classifies = task.kind == "classification"
    validated, truth = data.validation.targets, data.test.targets
    return {
        "measure": task.measure,
        "validation_accuracy": estimate_accuracy(task, answers, validated, data.clusters),
        "test_accuracy": estimate_accuracy(task, exported, truth),
        "validation_false_alarms": false_alarms(task, answers.argmax(axis=1), validated),
        "test_false_alarms": false_alarms(task, exported.argmax(axis=1), truth),
        "classes": class_figures(task.labels, exported, truth) if classifies else (),
        "regression": None if classifies else regression_figures(exported, truth),
    }


def class_figures(
    labels: tuple[str, ...], probabilities: NDArray[np.float32], targets: NDArray[Any]
) -> tuple[ClassFigures, ...]:
    """Precision, recall and F1 of each class; 0 where a class was never predicted or never true."""
    columns = precision_recall_fscore_support(
        targets, probabilities.argmax(axis=1), labels=np.arange(len(labels)), zero_division=0
    )
    return tuple(
        ClassFigures(
            label=label, precision=float(p), recall=float(r), f1=float(f), support=int(support)
        )
        for label, p, r, f, support in zip(labels, *columns, strict=True)
    )


def regression_figures(estimates: NDArray[np.float32], targets: NDArray[Any]) -> RegressionFigures:
    """Errors and interval of estimates, array of shape (n_items, 3): value, lower, upper."""
    value, lower, upper = estimates.astype(np.float64).T
    truth = targets.astype(np.float64)
    errors = value - truth
    return RegressionFigures(
        mean_absolute_error=float(np.abs(errors).mean()),
        root_mean_squared_error=float(np.sqrt(np.square(errors).mean())),
        r2=float(r2_score(truth, value)),
        interval_coverage=float(((lower <= truth) & (truth <= upper)).mean()),
        interval_width=float((upper - lower).mean()),
    )


def expected_calibration_error(
    probabilities: NDArray[np.floating[Any]], targets: NDArray[Any], bins: int = ECE_BINS
) -> float:
    """Mean distance of confidence and accuracy over equal-width bins of the confidence.

    The confidence is the greatest probability of an item (Guo et al., "On Calibration of Modern
    Neural Networks", ICML 2017).

    Args:
        probabilities: array of shape (n_items, n_labels), rows summing to 1.
        targets: label indices, array of shape (n_items,).
        bins: number of bins that divide (0, 1].
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    correct = probabilities.argmax(axis=1) == targets
    index = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    surplus = np.bincount(index, weights=confidence - correct, minlength=bins)
    return float(np.abs(surplus).sum() / len(confidence))
