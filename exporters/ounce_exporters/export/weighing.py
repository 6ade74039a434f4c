"""Making the greatest probability follow the task's measure.

A graph answers with the class of the greatest probability. Where not all answers count alike, that
is not the best one. So the graph adds a bias to the logarithm of each class's probability. Answers
and confidences are then those of a world in which classes are as frequent as the measure weighs
them.

- balanced accuracy: classes are equally frequent (A. K. Menon et al., "Long-Tail Learning via Logit
  Adjustment", ICLR 2021);
- recall: the class is answered from a score on that few enough items of other classes have;
- F1: the class is answered from the score on that gives the greatest F1.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.task import TaskSpec
from scipy.stats import binom

CONFIDENCE = 0.95
"""That false alarms are as few as was asked for."""
FOLDS = 5
_LEAST_GAP = 1e-4
"""Scores that are closer are one: a threshold between them would be met by rounding."""


def fit_biases(
    task: TaskSpec,
    scores: NDArray[np.floating[Any]],
    targets: NDArray[Any],
    prior: NDArray[np.float64],
) -> tuple[float, ...]:
    """What to add to the logarithm of each label's probability; empty for plain accuracy.

    Args:
        task: says the measure.
        scores: logarithms of calibrated probabilities, up to a constant of each item; shape
            (n_items, n_labels).
        targets: label indices, shape (n_items,).
        prior: share of each class that the model has learned with, shape (n_labels,).
    """
    if task.measure.kind == "balanced-accuracy":
        return tuple((np.log(prior.max()) - np.log(prior)).tolist())
    label = task.measured_class
    if label is None:
        return ()
    margins, is_class = margins_of(scores, label), targets == label
    if task.measure.false_alarms is not None:
        most = most_false_alarms(int((~is_class).sum()), task.measure.false_alarms)
        threshold = _recall_threshold(margins[~is_class], max(most, 0))
    else:
        threshold = _f1_threshold(margins, is_class)
    return tuple(-threshold if i == label else 0.0 for i in range(len(task.labels)))


def unweigh(
    probabilities: NDArray[np.floating[Any]], biases: Sequence[float]
) -> NDArray[np.float64]:
    """Probabilities as they were before these biases; shape (n_items, n_labels)."""
    if not biases:
        return probabilities.astype(np.float64)
    parts = probabilities * np.exp(np.min(biases) - np.array(biases))
    return np.asarray(parts / np.maximum(parts.sum(axis=1, keepdims=True), 1e-300))


def margins_of(scores: NDArray[np.floating[Any]], label: int) -> NDArray[np.float64]:
    """How far a label's score is above the greatest of the others; shape (n_items,)."""
    others = np.delete(scores, label, axis=1).max(axis=1)
    return np.asarray(scores[:, label].astype(np.float64) - others)


def most_false_alarms(n: int, rate: float) -> int:
    """The most false alarms among `n` validation items with which the rate of new ones is at most
    `rate`, with a confidence of 95%; -1 where there are too few items for that.

    The threshold is then one of the items' own scores: the k-th greatest, with k - 1 above it, has
    a false-alarm rate that a binomial tail bounds (X. Tong, Y. Feng and J. J. Li, "Neyman-Pearson
    Classification Algorithms and NP Receiver Operating Characteristics", Science Advances 4, 2018).
    """
    counts = np.arange(int(n * rate) + 2)
    sure = binom.cdf(counts, n, rate) <= 1.0 - CONFIDENCE
    return int(sure.sum()) - 1


def fewest_items(rate: float) -> int:
    """The fewest items of other classes that can show a rate of false alarms."""
    return int(np.ceil(np.log(1.0 - CONFIDENCE) / np.log1p(-rate)))


def folds_of(targets: NDArray[Any]) -> NDArray[np.int64]:
    """Fold of each item, shape (n_items,); every class is spread evenly."""
    folds = np.empty(len(targets), np.int64)
    folds[np.argsort(targets, kind="stable")] = np.arange(len(targets)) % FOLDS
    return folds


def _recall_threshold(others: NDArray[np.float64], most: int) -> float:
    """The least threshold that at most `most` items of other classes reach."""
    candidates, reached = _candidates(others)
    return float(candidates[np.flatnonzero(reached <= most)[0]])


def _f1_threshold(margins: NDArray[np.float64], is_class: NDArray[np.bool_]) -> float:
    candidates, answered = _candidates(margins)
    hits = np.array([np.count_nonzero(margins[is_class] >= t) for t in candidates])
    return float(candidates[(hits / (answered + is_class.sum())).argmax()])


def _candidates(margins: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Thresholds that tell scores apart, ascending, and how many scores reach each."""
    distinct = np.unique(margins)
    gaps = np.diff(distinct) > _LEAST_GAP
    middles = (distinct[:-1] + distinct[1:])[gaps] / 2
    candidates = np.concatenate([[distinct[0] - 1.0], middles, [distinct[-1] + 1.0]])
    reached = len(margins) - np.searchsorted(np.sort(margins), candidates, side="left")
    return candidates, reached.astype(np.int64)
