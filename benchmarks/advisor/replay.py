"""Choosing plans again and again: half of the held-out rows choose, and the other half judge.

Rules against luck can be left out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from ounce_exporters.advisor.deciding import CAUTION, Candidate, Caution, decide
from ounce_schemas.advice import Limits, Plan
from ounce_schemas.card import AccuracyEstimate

DRAWS = 20


class Judging(StrEnum):
    """Which answers count."""

    FIRST = "first"
    """To the rows of the first folds, which judge all the race long."""
    ONCE = "once"
    """To every row, by the models of one division into folds."""
    AGAIN = "again"
    """To every row, by those of other divisions, too."""


@dataclass(frozen=True)
class Chooser:
    """A way to choose a plan."""

    caution: Caution = CAUTION
    judging: Judging = Judging.AGAIN
    single: bool = False
    """Whether the most accurate model is taken, whatever it costs."""


ADVICE = Chooser()
WITHOUT = {
    "at the last point all rows judge": Chooser(judging=Judging.FIRST),
    "they judge again, in other folds": Chooser(judging=Judging.ONCE),
    "the most accurate of models with up to a tenth more work": Chooser(Caution(little_more=1.0)),
    "a cascade has a standard error to spare": Chooser(Caution(to_spare=0.0)),
}
"""Each rule, and the choice without it."""
SIMPLE = Chooser(single=True)


@dataclass(frozen=True)
class Chosen:
    """Means over the draws of one table under one limit, or over several limits."""

    accuracy: float
    """Of the chosen plans, on the rows that judge."""
    log_work: float
    """Logarithm of their counted work."""


def choose(
    candidates: Sequence[Candidate], limits: Limits, chooser: Chooser, n_first: int
) -> Chosen:
    """Half of the rows choose, the others judge; the mean over the draws.

    Args:
        candidates: with answers to all held-out rows.
        limits: what a plan has to keep.
        chooser: chooses it.
        n_first: rows of the first folds; they come first.
    """
    right, log_work = [], []
    for choosing in halves(np.atleast_2d(candidates[0].right).shape[1]):
        seen = choosing.copy()
        if chooser.judging is Judging.FIRST:
            seen[n_first:] = False
        mine = [_seen(c, seen, chooser.judging is Judging.AGAIN) for c in candidates]
        plan = _plan(mine, limits, chooser)
        right.append(_judged(plan, candidates, mine, ~choosing))
        log_work.append(np.log(plan.counted_ns))
    return Chosen(float(np.mean(right)), float(np.mean(log_work)))


def halves(n_rows: int) -> Iterator[NDArray[np.bool_]]:
    """Which rows choose, of each draw; the same for every chooser."""
    rng = np.random.default_rng(0)
    for _ in range(DRAWS):
        choosing = np.zeros(n_rows, np.bool_)
        choosing[rng.permutation(n_rows)[: n_rows // 2]] = True
        yield choosing


def _seen(candidate: Candidate, rows: NDArray[np.bool_], again: bool) -> Candidate:
    """What it is by some of its answers."""
    divisions = slice(None) if again else slice(1)
    right = np.atleast_2d(candidate.right)[divisions, rows]
    confidence = candidate.confidence
    if confidence is not None:
        confidence = np.atleast_2d(confidence)[divisions, rows]
    return replace(candidate, right=right, confidence=confidence, accuracy=_measure(right))


def _measure(right: NDArray[np.bool_]) -> AccuracyEstimate:
    return AccuracyEstimate(value=float(right.mean()), low=0.0, high=1.0, n=right.shape[-1])


def _plan(candidates: Sequence[Candidate], limits: Limits, chooser: Chooser) -> Plan:
    if chooser.single:
        model = max(_within(candidates, limits), key=lambda c: (c.accuracy.value, -c.counted_ns))
        return Plan(models=(model.name,), accuracy=model.accuracy, counted_ns=model.counted_ns)
    plan = decide(candidates, limits, 0.0, _measure, chooser.caution).plan
    assert plan is not None  # something raced
    return plan


def _within(candidates: Sequence[Candidate], limits: Limits) -> Sequence[Candidate]:
    """Those that keep the limit; where none does, the quickest."""
    most_ms = np.inf if limits.max_latency_ms is None else limits.max_latency_ms
    return [c for c in candidates if c.latency_ms <= most_ms] or [
        min(candidates, key=lambda c: c.latency_ms)
    ]


def _judged(
    plan: Plan, candidates: Sequence[Candidate], seen: Sequence[Candidate], rows: NDArray[np.bool_]
) -> float:
    """Accuracy of a plan on other rows than it was chosen by. A cascade hands over by the
    confidence that it was chosen with."""
    of_name = {c.name: c for c in candidates}
    right = np.atleast_2d(of_name[plan.models[0]].right)[:, rows]
    if plan.handed_over is None:
        return float(right.mean())
    known = next(c.confidence for c in seen if c.name == plan.models[0])
    confidence = of_name[plan.models[0]].confidence
    assert known is not None  # it hands over by it
    assert confidence is not None
    threshold = np.quantile(known, plan.handed_over)
    heavy = np.atleast_2d(of_name[plan.models[1]].right)[:, rows]
    return float(np.where(np.atleast_2d(confidence)[:, rows] < threshold, heavy, right).mean())


def best_of(candidates: Sequence[Candidate], limits: Limits) -> float:
    """Accuracy of the best model within the limit, in hindsight."""
    return max(float(c.right.mean()) for c in _within(candidates, limits))
