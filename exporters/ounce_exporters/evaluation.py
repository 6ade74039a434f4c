"""Figures on a split: accuracy with its interval, per class, of regressions, and calibration."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.card import AccuracyEstimate, ClassFigures, RegressionFigures
from ounce_schemas.task import TaskSpec
from sklearn.metrics import precision_recall_fscore_support, r2_score

from ounce_exporters.recipe import TaskData

Z_95 = 1.959963984540054
"""Quantile of the normal distribution that leaves 2.5% above."""
ECE_BINS = 15


def wilson_interval(successes: int, n: int) -> tuple[float, float]:
    """95% Wilson score interval of a share (E. B. Wilson, JASA 22, 1927).

    Unlike the normal approximation it stays inside [0, 1] and is honest near both ends.
    """
    share = successes / n
    z2 = Z_95**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    # Rounding may leave the share a hair outside where it is exactly 0 or 1.
    return max(0.0, min(centre - half, share)), min(1.0, max(centre + half, share))


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
    task: TaskSpec, outputs: NDArray[np.float32], targets: NDArray[Any]
) -> AccuracyEstimate:
    """Share of accepted predictions with its 95% interval; arguments as in `accepted`."""
    good = accepted(task, outputs, targets)
    successes, n = int(good.sum()), len(good)
    low, high = wilson_interval(successes, n)
    return AccuracyEstimate(value=successes / n, low=low, high=high, n=n)


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
    truth = data.test.targets
    return {
        "validation_accuracy": estimate_accuracy(task, answers, data.validation.targets),
        "test_accuracy": estimate_accuracy(task, exported, truth),
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
    probabilities: NDArray[np.float32], targets: NDArray[Any], bins: int = ECE_BINS
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
