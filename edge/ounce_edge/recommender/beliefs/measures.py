"""Accuracy by a task's measure: which answers count, and what their shares of acceptable ones make.

Every measure divides the answers that count into strata, and is the mean of the strata's shares of
acceptable answers:

- accuracy: one stratum of all answers;
- balanced accuracy: one stratum for each true class;
- recall of a class: one stratum, the items of the class;
- F1 of a class: one stratum, the answers that are or should be the class. Where a share s of m such
  answers is acceptable, F1 is 2 s / (1 + s). For s m are true positives, m = TP + FP + FN, and
  F1 = 2 TP / (2 TP + FP + FN).

Within a stratum answers are acceptable independently of each other, and with one probability. So
its interval is that of a binomial share.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Z_95 = 1.959963984540054
"""Quantile of the normal distribution that leaves 2.5% above."""
FEWEST_ITEMS = 6
"""Fewer answers of a stratum show nothing, where not all answers count."""

Interval = tuple[float, float]


def wilson(value: float, n: float) -> Interval:
    """95% score interval of a share (E. B. Wilson, JASA 22, 1927).

    Args:
        value: the share, in [0, 1].
        n: what it was measured on; need not be whole.
    """
    if n <= 0:
        return 0.0, 1.0
    z2 = Z_95 * Z_95
    centre = (value + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 / (1 + z2 / n) * math.sqrt(value * (1 - value) / n + z2 / (4 * n * n))
    return max(0.0, min(centre - half, value)), min(1.0, max(centre + half, value))


def wilson_of_few(value: float, n: float) -> Interval:
    """95% score interval with continuity correction (R. G. Newcombe, "Two-Sided Confidence
    Intervals for the Single Proportion", Statistics in Medicine 17, 1998).

    Each end holds with 95% or more also where items are few or shares are small. There the plain
    score interval errs in up to 17% of draws.
    """
    if n < FEWEST_ITEMS:
        return 0.0, 1.0
    return _low_of_few(value, n), 1.0 - _low_of_few(1.0 - value, n)


def _low_of_few(value: float, n: float) -> float:
    z2 = Z_95 * Z_95
    spread = z2 - 2.0 - 1.0 / n + 4.0 * value * (n * (1.0 - value) + 1.0)
    low = (2.0 * n * value + z2 - 1.0 - Z_95 * math.sqrt(max(spread, 0.0))) / (2.0 * (n + z2))
    return max(0.0, min(low, value))


class Strata:
    """The strata of one measure.

    Args:
        kind: of the measure.
        label: index of the class that the measure is of; None where it is of all.
        n_labels: of the task; 0 where it has none.
    """

    def __init__(self, kind: str = "accuracy", label: int | None = None, n_labels: int = 0) -> None:
        self._kind = kind
        self._label = label
        self.n = n_labels if kind == "balanced-accuracy" else 1
        """How many there are."""
        self.is_plain = kind == "accuracy"
        """Whether there is one, of all answers."""

    def of(self, predicted: NDArray[Any], truth: NDArray[Any]) -> NDArray[np.intp]:
        """Stratum of each answer, -1 where it does not count; shape (n,).

        Args:
            predicted: label indices, or values; shape (n,). Where no label was given, -1.
            truth: likewise.
        """
        if self.is_plain:
            return np.zeros(len(truth), np.intp)
        if self._kind == "balanced-accuracy":
            return np.asarray(truth, np.intp)
        counts = truth == self._label
        if self._kind == "f1":
            counts = counts | (predicted == self._label)
        return np.where(counts, 0, -1)

    def count(
        self, right: NDArray[np.bool_], strata: NDArray[np.intp]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Acceptable answers, and all that count, of each stratum; both of shape (n_strata,).

        Args:
            right: whether each answer is acceptable; shape (n,).
            strata: as `of` gives them.
        """
        counts = np.bincount(strata[strata >= 0], minlength=self.n)
        good = np.bincount(strata[(strata >= 0) & right], minlength=self.n)
        return good.astype(np.int64), counts.astype(np.int64)

    def value(self, shares: ArrayLike, n: ArrayLike) -> float:
        """The measure. Strata without any answer are left out.

        Args:
            shares: acceptable answers of each stratum, over those that count; shape (n_strata,).
            n: those that count; shape (n_strata,).
        """
        seen = np.asarray(shares, np.float64)[np.asarray(n) > 0]
        return self._as_measure(float(seen.mean())) if len(seen) else 0.0

    def interval(self, shares: ArrayLike, n: ArrayLike) -> Interval:
        """95% interval of the measure; arguments as of `value`.

        The mean's distance to its lower end is the root of the sum of squares of the strata's own
        distances, over their number (MOVER: G. Zou and A. Donner, "Construction of Confidence
        Limits about Effect Measures", Statistics in Medicine 27, 2008). Strata without any answer
        may have any share.
        """
        of_few = wilson if self.is_plain else wilson_of_few
        pairs = [(p, of_few(p, m)) for p, m in zip(_floats(shares), _floats(n), strict=True) if m]
        if not pairs:
            return 0.0, 1.0
        if self.n == 1:
            low, high = pairs[0][1]
            return self._as_measure(low), self._as_measure(high)
        mean = math.fsum(p for p, _ in pairs) / len(pairs)
        below = math.sqrt(math.fsum((p - low) ** 2 for p, (low, _) in pairs)) / len(pairs)
        above = math.sqrt(math.fsum((high - p) ** 2 for p, (_, high) in pairs)) / len(pairs)
        known = len(pairs) / self.n
        low, high = max(mean - below, 0.0) * known, min(mean + above, 1.0) * known + 1.0 - known
        # Rounding may leave the mean a hair outside.
        return min(low, mean), max(high, mean)

    def shares_of(self, value: float, counted: ArrayLike, good: ArrayLike) -> NDArray[np.float64]:
        """Shares of the strata that make the measure `value`; shape (n_strata,).

        Args:
            value: of the measure.
            counted: answers that count, of each stratum.
            good: acceptable ones of them: the shares are to each other as these say.
        """
        if self.n == 1:
            return np.array([self._as_share(value)])
        shares = np.asarray(good, np.float64) / np.maximum(np.asarray(counted), 1)
        mean = self.value(shares, counted)
        factor = value / mean if mean > 0.0 else 1.0
        return np.asarray(np.minimum(shares * factor, 1.0))

    def effective_n(self, n: ArrayLike) -> float:
        """Answers of one stratum that would tell as much as these do."""
        seen = np.asarray(n, np.float64)
        seen = seen[seen > 0]
        return float(len(seen) ** 2 / (1.0 / seen).sum()) if len(seen) else 0.0

    def _as_measure(self, share: float) -> float:
        return 2.0 * share / (1.0 + share) if self._kind == "f1" else share

    def _as_share(self, value: float) -> float:
        return value / (2.0 - value) if self._kind == "f1" else value


PLAIN = Strata()
"""Every answer counts alike."""


def _floats(values: ArrayLike) -> Sequence[float]:
    floats: list[float] = np.asarray(values, np.float64).tolist()
    return floats
