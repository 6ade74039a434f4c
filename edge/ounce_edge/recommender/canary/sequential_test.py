"""Tests of whether a canary's bad outcomes are more frequent than the baseline's.

Both tests are e-processes: bets against "the canary's share of bad outcomes is at most the
baseline's plus the margin". Such a bet gains nothing on average while this is true. So the chance
that the capital ever reaches 1/a is at most a (Ville, 1939), however often it is looked at. Bets on
several streams multiply, as long as each bet is placed before its outcomes are seen.

Each test places one bet for each of some alternatives. Their mean is the evidence (Robbins, 1970).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ounce_edge.recommender.arrays import Floats

DIFFERENCES = np.array([0.01, 0.025, 0.06, 0.15, 0.4])
"""Alternatives of `bet_on_items`: by how much the canary is worse, beyond the margin."""
STAKES = np.array([0.05, 0.15, 0.4, 0.7, 0.95])
"""Alternatives of `bet_on_stretch`: shares of the capital that a worst stretch may cost."""
_LEAST = 1e-4
_HALVINGS = 50


class Outcomes(NamedTuple):
    """What became of some messages."""

    n: int = 0
    n_bad: int = 0

    def plus(self, other: "Outcomes") -> "Outcomes":
        """Both together."""
        return Outcomes(self.n + other.n, self.n_bad + other.n_bad)

    @property
    def share(self) -> float:
        """Share of bad ones, in [0, 1]; 0 of none."""
        return self.n_bad / self.n if self.n else 0.0


def bet_on_items(baseline: Outcomes, canary: Outcomes, before: Outcomes, margin: float) -> Floats:
    """Growth of the capital over a block of outcomes that do not depend on each other.

    For an alternative (a, b) the bet is a ratio of likelihoods: its own, to that of the point of
    the null that is nearest in relative entropy. Shares may differ from block to block. Turner, Ly
    and Grünwald, "Generic E-variables for exact sequential k-sample tests that allow for optional
    stopping" (2024).

    Args:
        baseline: outcomes of the block.
        canary: likewise.
        before: the baseline's outcomes of earlier blocks, from which its share is guessed.
        margin: difference of shares that is permitted, in [0, 1).

    Returns:
        Natural logarithms, by alternative; shape (len(DIFFERENCES),).
    """
    columns = [np.array([n]) for n in (*baseline, *canary, *before)]
    growth: Floats = bets_on_items(columns, margin)[0]
    return growth


def bets_on_items(columns: Sequence[NDArray[np.int64]], margin: float) -> Floats:
    """`bet_on_items` for several blocks at once.

    Args:
        columns: n and n_bad of the baseline, of the canary, and of the baseline before; each of
            shape (k,).
        margin: as in `bet_on_items`.

    Returns:
        Shape (k, len(DIFFERENCES)).
    """
    n_a, bad_a, n_b, bad_b, n_before, bad_before = (column[:, np.newaxis] for column in columns)
    guess = (bad_before + 0.5) / (n_before + 1.0)
    a = np.clip(guess, _LEAST, 1.0 - margin - 2 * _LEAST)
    b = np.minimum(a + margin + DIFFERENCES, 1.0 - _LEAST)
    null_a = _nearest(a, b, margin, n_a / np.maximum(n_a + n_b, 1))
    ratio = _log_ratio(n_a, bad_a, a, null_a) + _log_ratio(n_b, bad_b, b, null_a + margin)
    growth: Floats = np.where((n_a > 0) & (n_b > 0), ratio, 0.0)
    return growth


def bet_on_stretch(baseline: Outcomes, canary: Outcomes, margin: float) -> Floats:
    """Growth of the capital over a stretch of time whose outcomes may depend on each other.

    One pause makes many messages late. So only the two shares count, not how many they are of.
    Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting" (2024).

    Args:
        baseline: outcomes of the stretch.
        canary: likewise.
        margin: difference of shares that is permitted, in [0, 1).

    Returns:
        Natural logarithms, by alternative; shape (len(STAKES),).
    """
    if not (baseline.n and canary.n):
        return np.zeros(len(STAKES))
    worse_by = canary.share - baseline.share - margin
    growth: Floats = np.log1p(STAKES / (1.0 + margin) * worse_by)
    return growth


def log_evidence(growth: Floats) -> float:
    """Logarithm of the mean capital over alternatives.

    Args:
        growth: logarithms by alternative, summed over all blocks; shape (k,).
    """
    return float(log_evidences(growth[np.newaxis])[0])


def log_evidences(growth: Floats) -> Floats:
    """`log_evidence` of several tests; shape (m, k) to shape (m,)."""
    most = growth.max(axis=1, keepdims=True)
    evidence: Floats = most[:, 0] + np.log(np.exp(growth - most).mean(axis=1))
    return evidence


def _nearest(a: Floats, b: Floats, margin: float, weight_a: Floats) -> Floats:
    """The baseline's share r of the null point (r, r + margin) that is nearest to (a, b)."""
    low, high = np.broadcast_to(a, b.shape), b - margin
    for _ in range(_HALVINGS):
        r = (low + high) / 2
        slope_a = (a - r) / (r * (1 - r))
        slope_b = (b - r - margin) / ((r + margin) * (1 - r - margin))
        is_low = weight_a * slope_a + (1 - weight_a) * slope_b > 0
        low, high = np.where(is_low, r, low), np.where(is_low, high, r)
    return (low + high) / 2


def _log_ratio(
    n: NDArray[np.int64], n_bad: NDArray[np.int64], alternative: Floats, null: Floats
) -> Floats:
    bad, good = np.log(alternative / null), np.log((1 - alternative) / (1 - null))
    ratio: Floats = n_bad * bad + (n - n_bad) * good
    return ratio
