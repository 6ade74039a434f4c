"""Figures on a split: accuracy with its interval, of classes, of quantities, and calibration."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_edge.models.planning import strata_of
from ounce_schemas.card import (
    AccuracyEstimate,
    ClassFigures,
    OverallFigures,
    RegressionFigures,
)
from ounce_schemas.task import TaskSpec
from sklearn.metrics import (
    average_precision_score,
    log_loss,
    precision_recall_fscore_support,
    r2_score,
    roc_auc_score,
)

from ounce_exporters.evaluation.promises import estimate

ECE_BINS = 15


def accepted(
    task: TaskSpec, outputs: NDArray[np.float32], targets: NDArray[Any]
) -> NDArray[np.bool_]:
    """Which predictions the task's acceptance rule accepts.

    Args:
        task: class correct, or absolute error within the tolerance.
        outputs: array of shape (n_items, n_labels), or (n_items, 3) with the value first.
        targets: array of shape (n_items,).
    """
    if task.classifies:
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


def overall_figures(probabilities: NDArray[np.float32], targets: NDArray[Any]) -> OverallFigures:
    """Figures over all classes, each by scikit-learn's function of its name.

    Args:
        probabilities: array of shape (n_items, n_labels).
        targets: label indices, array of shape (n_items,).
    """
    n_labels = probabilities.shape[1]
    present = np.unique(targets)
    answers = probabilities.argmax(axis=1)
    shares = probabilities.astype(np.float64)
    shares /= shares.sum(axis=1, keepdims=True)
    truth = np.eye(n_labels)[targets]
    precision, recall, f1, _ = precision_recall_fscore_support(
        targets, answers, average="macro", labels=present, zero_division=0
    )
    whole = len(present) == n_labels
    # Of two labels the second is asked for.
    asked = (truth[:, 1], shares[:, 1]) if n_labels == 2 else (truth, shares)
    return OverallFigures(
        balanced_accuracy=_at_most_1(recall),
        precision=_at_most_1(precision),
        recall=_at_most_1(recall),
        f1=_at_most_1(f1),
        roc_auc=_at_most_1(roc_auc_score(*asked)) if whole else None,
        pr_auc=_at_most_1(average_precision_score(*asked)) if whole else None,
        log_loss=float(log_loss(targets, shares, labels=np.arange(n_labels))),
        brier=float(np.square(shares - truth).sum(axis=1).mean()),
    )


def _at_most_1(share: float) -> float:
    """A share, where its terms add up to a little more by rounding."""
    return min(float(share), 1.0)


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
