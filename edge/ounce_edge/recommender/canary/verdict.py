"""What several workers saw of a canary, put together."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from ounce_edge.recommender.arrays import Floats
from ounce_edge.recommender.canary.sequential_test import (
    DIFFERENCES,
    STAKES,
    Outcomes,
    bet_on_items,
    bet_on_stretch,
    log_evidence,
)

N_CRITERIA = 4
"""Tests of a task; each gets its part of what a false stop may cost."""


class Comparison(NamedTuple):
    """Outcomes of a task by one criterion, and the capital that bets on them made."""

    of_items: bool
    """Whether outcomes do not depend on each other."""
    baseline: Outcomes
    canary: Outcomes
    growth: Floats
    """Logarithm by alternative; shape (k,)."""

    @property
    def evidence(self) -> float:
        """Natural logarithm of the capital."""
        return log_evidence(self.growth)


def nothing_seen(of_items: bool) -> Comparison:
    """Before the first outcome.

    Args:
        of_items: whether outcomes do not depend on each other.
    """
    n_alternatives = len(DIFFERENCES if of_items else STAKES)
    return Comparison(of_items, Outcomes(), Outcomes(), np.zeros(n_alternatives))


def bet(
    so_far: Comparison, baseline: Outcomes, canary: Outcomes, before: Outcomes, margin: float
) -> Comparison:
    """The comparison with one more block, of which each policy has outcomes.

    Args:
        so_far: of earlier blocks.
        baseline: outcomes of the block.
        canary: likewise.
        before: all that was seen of the baseline before, also elsewhere.
        margin: difference of shares that is permitted.
    """
    if so_far.of_items:
        growth = bet_on_items(baseline, canary, before, margin)
    else:
        growth = bet_on_stretch(baseline, canary, margin)
    return so_far._replace(
        baseline=so_far.baseline.plus(baseline),
        canary=so_far.canary.plus(canary),
        growth=so_far.growth + growth,
    )


def join(comparisons: Iterable[Comparison]) -> Comparison:
    """What several workers saw by one criterion: bets on different messages multiply.

    Raises:
        ValueError: they bet on different alternatives, or there is none.
    """
    each = list(comparisons)
    if len({len(one.growth) for one in each}) != 1:
        raise ValueError(f"{len(each)} comparisons of different alternatives")
    baseline, canary = Outcomes(), Outcomes()
    for one in each:
        baseline, canary = baseline.plus(one.baseline), canary.plus(one.canary)
    growth = np.sum([one.growth for one in each], axis=0)
    return Comparison(each[0].of_items, baseline, canary, growth)


def needed_evidence(n_tasks: int, confidence: float) -> float:
    """Evidence by one criterion of one task that stops a canary. A canary that is no worse is ever
    stopped with a probability of `1 - confidence` at most, over all tests (Bonferroni)."""
    return math.log(N_CRITERIA * max(n_tasks, 1) / (1.0 - confidence))
