"""What another policy would have earned, from answers that were given under some exploration.

Three estimators (Dudik, Erhan, Langford and Li, "Doubly Robust Policy Evaluation and Optimization",
Statistical Science 29, 2014; Swaminathan and Joachims, "The Self-Normalized Estimator for
Counterfactual Learning", NeurIPS 2015). Each weighs an answer by the probability that the other
policy gives its plan over the probability that it had. Messages of one decision share what was
drawn, so that intervals count decisions, not messages.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ounce_edge.recommender.arrays import Floats

REFUSED = -1
FEWEST_EFFECTIVE = 30.0
"""Fewer decisions, as weighed, give no interval that holds what it says."""
_Z_95 = 1.959963984540054
_FOLDS = 5
_NOTHING = 1e-9
"""Of a probability: less is none."""


@dataclass(frozen=True)
class Logged:
    """Answered messages; n of them, and k plans."""

    decision: NDArray[np.intp]
    """Number of the decision that each was answered by; shape (n,)."""
    plan: NDArray[np.intp]
    """Plan that answered, or `REFUSED`; shape (n,)."""
    chance: Floats
    """Probability that it had; shape (n,)."""
    other: Floats
    """Probability of each plan under the other policy; what a row lacks of 1 is refused; shape
    (n, k)."""
    uncovered: Floats
    """Probability that the other policy takes a plan which could not have answered; shape (n,)."""

    def __len__(self) -> int:
        return len(self.plan)

    def of(self, chosen: NDArray[np.bool_]) -> "Logged":
        """Some of them; shape (n,)."""
        return Logged(
            self.decision[chosen],
            self.plan[chosen],
            self.chance[chosen],
            self.other[chosen],
            self.uncovered[chosen],
        )

    @property
    def is_covered(self) -> NDArray[np.bool_]:
        """Whether all that the other policy may do could have been seen; shape (n,). It depends on
        the message alone, not on what was drawn."""
        return self.uncovered <= _NOTHING


class Interval(NamedTuple):
    """An estimate, and what holds the truth 95 times in 100."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Estimates:
    """Of one reward per message."""

    n: int
    """Messages whose reward is known."""
    n_effective: float
    """Decisions, as many as their weights are worth."""
    as_it_was: Interval
    inverse_propensity: Interval
    self_normalised: Interval
    doubly_robust: Interval

    @property
    def is_enough(self) -> bool:
        """Whether the intervals can be trusted."""
        return self.n_effective >= FEWEST_EFFECTIVE


def estimate(logged: Logged, rewards: Floats) -> Estimates:
    """Mean reward of a message under the other policy.

    Args:
        logged: covered messages.
        rewards: of each, NaN where it is not known; 0 for what was refused; shape (n,).

    Raises:
        ValueError: a message is not covered, or no reward is known.
    """
    if not logged.is_covered.all():
        raise ValueError("some messages are not covered")
    known = ~np.isnan(rewards)
    if not known.any():
        raise ValueError("no reward is known")
    logged, rewards = logged.of(known), rewards[known]
    taken = np.where(logged.plan >= 0, logged.plan, 0)
    answered = logged.other.sum(axis=1)
    weights = logged.other[np.arange(len(logged)), taken] / logged.chance
    weights[logged.plan == REFUSED] = 0.0
    per_decision = np.bincount(logged.decision, weights)
    square = float(per_decision @ per_decision)
    return Estimates(
        n=len(logged),
        n_effective=float(per_decision.sum()) ** 2 / square if square else 0.0,
        as_it_was=_mean(rewards, logged.decision),
        inverse_propensity=_mean(weights * rewards, logged.decision),
        self_normalised=_ratio(weights, rewards, answered, logged.decision),
        doubly_robust=_mean(_corrected(logged, weights, rewards, taken), logged.decision),
    )


def _corrected(logged: Logged, weights: Floats, rewards: Floats, taken: NDArray[np.intp]) -> Floats:
    """What a model of the rewards expects, corrected by what was seen. The model is the mean of
    each plan over the decisions of the other folds, so that no reward corrects itself."""
    fold = logged.decision % _FOLDS
    found = np.zeros(len(logged))
    k = logged.other.shape[1]
    was_answered = logged.plan != REFUSED
    for each in range(_FOLDS):
        here, others = fold == each, (fold != each) & was_answered
        sums = np.bincount(taken[others], rewards[others], minlength=k)
        counts = np.bincount(taken[others], minlength=k)
        overall = sums.sum() / max(int(counts.sum()), 1)
        model = np.where(counts > 0, sums / np.maximum(counts, 1), overall)
        expected = logged.other[here] @ model
        found[here] = expected + weights[here] * (rewards[here] - model[taken[here]])
    return found


def _ratio(
    weights: Floats, rewards: Floats, answered: Floats, decision: NDArray[np.intp]
) -> Interval:
    """Weighted mean of the rewards, times the share of messages that the other policy answers."""
    total, share = float(weights.sum()), float(answered.mean())
    if not total:
        return Interval(0.0, 0.0, 0.0)
    mean = float(weights @ rewards) / total
    influence = share * len(weights) / total * weights * (rewards - mean)
    return _around(mean * share, influence + mean * (answered - share), decision)


def _mean(values: Floats, decision: NDArray[np.intp]) -> Interval:
    value = float(values.mean())
    return _around(value, values - value, decision)


def _around(value: float, influence: Floats, decision: NDArray[np.intp]) -> Interval:
    """The interval of a mean whose terms go together within a decision."""
    _, number = np.unique(decision, return_inverse=True)
    sums = np.bincount(number, influence)
    m = len(sums)
    variance = float(sums @ sums) / len(decision) ** 2 * m / max(m - 1, 1)
    error = _Z_95 * float(np.sqrt(variance))
    return Interval(value, value - error, value + error)


def stack(parts: Sequence[Logged]) -> Logged:
    """Messages of several files as one; decisions are numbered on."""
    k = max(part.other.shape[1] for part in parts)
    wide = [np.pad(part.other, ((0, 0), (0, k - part.other.shape[1]))) for part in parts]
    return Logged(
        np.concatenate([part.decision for part in parts]),
        np.concatenate([part.plan for part in parts]),
        np.concatenate([part.chance for part in parts]),
        np.concatenate(wide),
        np.concatenate([part.uncovered for part in parts]),
    )
