"""What answers that had no part in training say of a measure: its value and interval."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_edge.recommender.beliefs.measures import Z_95, Strata, wilson_of_few
from ounce_schemas.card import AccuracyEstimate
from ounce_schemas.task import TaskSpec
from scipy.stats import t as student


def estimate(
    strata: Strata,
    right: NDArray[np.bool_],
    stratum: NDArray[np.intp],
    clusters: NDArray[np.int64] | None = None,
    less: float = 0.0,
) -> AccuracyEstimate:
    """The measure over some answers, with its 95% interval.

    Args:
        strata: of the measure.
        right: whether each answer is acceptable; shape (n_items,).
        stratum: that each counts for, as `strata.of` gives them; shape (n_items,).
        clusters: items that tell of each other have the same number; shape (n_items,). None: none
            do.
        less: what the measure is believed to be less than these answers say.
    """
    good, counted = strata.count(right, stratum)
    shares = good / np.maximum(counted, 1)
    effect = 1.0 if clusters is None else design_effect(right, stratum, shares, clusters)
    value = strata.value(shares, counted)
    if less > 0.0:
        value = max(value - less, 0.0)
        shares = strata.shares_of(value, counted, good)
    low, high = strata.interval(shares, counted / effect)
    n = max(int(counted.sum() / effect), 1)
    return AccuracyEstimate(value=value, low=min(low, value), high=max(high, value), n=n)


def false_alarms(
    task: TaskSpec, predicted: NDArray[Any], targets: NDArray[Any]
) -> AccuracyEstimate | None:
    """Share of other classes' items that are answered with the class of a recall, or flagged.

    None for other tasks, or where there are no such items.
    """
    others = targets != task.alarm_class
    if task.alarm_class is None or not others.any():
        return None
    n = int(others.sum())
    value = float((predicted[others] == task.alarm_class).mean())
    low, high = wilson_of_few(value, n)
    return AccuracyEstimate(value=value, low=low, high=high, n=n)


def design_effect(
    right: NDArray[np.bool_],
    stratum: NDArray[np.intp],
    shares: NDArray[np.float64],
    clusters: NDArray[np.int64],
) -> float:
    """How many clustered items tell as much as one independent item; 1 or more.

    The variance of the measure between clusters over that of as many independent items, and a
    correction for few clusters (E. L. Korn and B. I. Graubard, "Confidence Intervals for
    Proportions with Small Expected Number of Positive Counts Estimated from Survey Data", Survey
    Methodology 24, 1998).

    Args:
        right: whether each answer is acceptable; shape (n_items,).
        stratum: that each counts for, or -1; shape (n_items,).
        shares: acceptable answers of each stratum; shape (n_strata,).
        clusters: of each item; shape (n_items,).
    """
    counts = stratum >= 0
    of, numbers = stratum[counts], clusters[counts]
    sizes = np.bincount(of, minlength=len(shares))
    residuals = (right[counts] - shares[of]) / sizes[of]
    alone = float(np.square(residuals).sum())
    n_clusters = len(np.unique(numbers))
    if alone == 0.0:
        return 1.0
    if n_clusters < 2:
        return float(len(of))
    together = float(np.square(np.bincount(numbers, residuals)).sum())
    few = (float(student.ppf(0.975, n_clusters - 1)) / Z_95) ** 2
    return max(together / alone * n_clusters / (n_clusters - 1), 1.0) * few
