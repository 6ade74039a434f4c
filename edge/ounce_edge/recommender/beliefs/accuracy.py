"""What is believed of the plans' accuracy on the inputs that come now.

The prior of a plan is its accuracy on validation data, by true class. Three kinds of evidence move
it, the strongest first:

- Labels that arrive later: a posterior per plan and stratum of the task's measure. Old labels fade.
  While they agree with the prior both count. Where they contradict it, the prior is dropped.
- The mix of classes among recent inputs. Expectation maximisation estimates it from the calibrated
  probabilities of recent answers (Saerens, Latinne and Decaestecker, "Adjusting the Outputs of a
  Classifier to New a Priori Probabilities", Neural Computation 14, 2002). Every plan gets the
  accuracy that its classes have under that mix, also plans that do not run at present.
- The share of recent answers whose confidence is over the plan's own threshold (average thresholded
  confidence: Garg et al., "Leveraging Unlabeled Data to Predict Out-of-Distribution Performance",
  ICLR 2022). What falls short of the share expected under the mix is believed lost accuracy. Plans
  that do not run at present are believed to have lost as much as those that do, on average.

Each is acted on only when chance would hardly explain it: noise must not move a plan over a floor.

The last two say something of all answers. Where not all count alike they are left out: recalls do
not depend on the mix, and the confidences of frequent classes say little about a rare one.
"""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ounce_edge.recommender.beliefs.measures import PLAIN, Strata

LABEL_WINDOW = 2000.0
"""Labels remembered per plan, about: each new one takes 1/2000 of the weight of the old ones."""
LABEL_HALF_LIFE_S = 1800.0
"""Labels also fade with time, so that a belief does not outlive its evidence."""
FEWEST_LABELS = 30
"""Fewer do not contradict a prior."""
ANSWER_WINDOW = 1000
"""Answers whose confidences are remembered per plan."""
ROWS = 512
"""Answers whose probabilities are remembered per task, for the mix of classes."""
ROWS_PER_CALL = 64
MIX_STEP = 1e-5
"""The mix of classes is found when a further step changes no share by more."""
FEWEST_ANSWERS = 200
"""Fewer say nothing about a shift."""
SHIFT_Z = 5.0
"""Standard errors: tested every second, so chance must be rare indeed."""


@dataclass(frozen=True)
class AccuracyPrior:
    """What validation data says of one plan."""

    value: float
    low: float
    high: float
    n: int
    confidence_threshold: float | None = None
    """None where there are no confidences: then only labels change the belief."""
    class_n: Sequence[int] = ()
    class_accurate: Sequence[int] = ()
    class_confident: Sequence[int] = ()


@dataclass
class _Labels:
    good: float = 0.0
    bad: float = 0.0
    at_s: float = -math.inf

    def add(self, good: int, bad: int, at_s: float) -> None:
        self.fade(at_s)
        keep = (1.0 - 1.0 / LABEL_WINDOW) ** (good + bad)
        self.good, self.bad = self.good * keep + good, self.bad * keep + bad

    def fade(self, at_s: float) -> None:
        """A clock that jumps back fades nothing."""
        if self.at_s > -math.inf and at_s > self.at_s:
            keep = 0.5 ** ((at_s - self.at_s) / LABEL_HALF_LIFE_S)
            self.good, self.bad = self.good * keep, self.bad * keep
        self.at_s = max(self.at_s, at_s)

    def weigh(self, share: float, n: float) -> tuple[float, float]:
        """A share that was believed from `n` answers, and these labels: what is believed now, and
        from how many."""
        n_labels = self.good + self.bad
        if self.contradict(share, n):
            return self.good / n_labels, n_labels
        return (share * n + self.good) / (n + n_labels), n + n_labels

    def contradict(self, share: float, n: float) -> bool:
        """Whether they are enough, and say otherwise; arguments as of `weigh`."""
        n_labels = self.good + self.bad
        enough = n_labels >= FEWEST_LABELS and n > 0
        return enough and _contradicts(self.good / n_labels, n_labels, share, n)


class _Recent:
    """How many of about the last `ANSWER_WINDOW` answers were confident."""

    def __init__(self) -> None:
        self.passed = self.n = 0
        self._calls: deque[tuple[int, int]] = deque()

    def add(self, passed: int, n: int) -> None:
        self._calls.append((passed, n))
        self.passed, self.n = self.passed + passed, self.n + n
        while self.n - self._calls[0][1] >= ANSWER_WINDOW:
            passed, n = self._calls.popleft()
            self.passed, self.n = self.passed - passed, self.n - n


class AccuracyBeliefs:
    """Accuracy of all plans of one task.

    `value`, `low` and `high` are arrays of shape (n_plans,): expected accuracy and its 95%
    interval. They change only in `refresh`.
    """

    def __init__(self, priors: Sequence[AccuracyPrior], strata: Strata = PLAIN) -> None:
        self._priors = tuple(priors)
        self._strata = strata
        n = len(priors)
        self.value: NDArray[np.float64] = np.array([p.value for p in priors])
        self.low: NDArray[np.float64] = np.array([p.low for p in priors])
        self.high: NDArray[np.float64] = np.array([p.high for p in priors])
        self.moved: NDArray[np.bool_] = np.zeros(n, dtype=bool)
        """Plans whose belief contradicts validation data: it is outside the prior's interval.
        `refresh` makes another array."""
        self.refuted: NDArray[np.bool_] = np.zeros(n, dtype=bool)
        """Plans whose labels contradict validation data for the worse, beyond what the mix and the
        confidences of recent inputs explain. That these promise more is not held against them.
        `refresh` makes another array."""
        self.vouched: NDArray[np.bool_] = np.zeros(n, dtype=bool)
        """Plans with enough labels that don't; likewise."""
        self._labels = [[_Labels() for _ in range(strata.n)] for _ in priors]
        self._prior_n = [_counted(p, strata) for p in priors]
        self._prior_shares = [
            strata.shares_of(p.value, n, p.class_accurate or n)
            for p, n in zip(priors, self._prior_n, strict=True)
        ]
        self._posterior = [
            _beta(p.value, strata.effective_n(n))
            for p, n in zip(priors, self._prior_n, strict=True)
        ]
        self._confident = [_Recent() for _ in priors]
        self._has_classes = strata.is_plain and all(len(p.class_n) > 0 for p in priors)
        if self._has_classes:
            counts = np.array([p.class_n for p in priors], dtype=np.float64)
            safe = np.maximum(counts, 1.0)
            self._class_share = counts[0] / counts[0].sum()
            self._class_accuracy = np.array([p.class_accurate for p in priors]) / safe
            self._class_confident = np.array([p.class_confident for p in priors]) / safe
            self._rows = np.zeros((ROWS, counts.shape[1]))
            self._n_rows = 0  # seen so far; the latest are kept, each over the one that is oldest
        self._stale = self._has_evidence = False

    def observe_labels(
        self, plan: int, good: int, bad: int, at_s: float, *, stratum: int = 0
    ) -> None:
        """Labels for answers of one plan arrived: so many answers of a stratum of the measure were
        acceptable, so many not."""
        self._labels[plan][stratum].add(good, bad, at_s)
        self._stale = True

    def observe_answers(self, plan: int, probabilities: NDArray[np.float32]) -> None:
        """A plan answered: calibrated probabilities of shape (n_items, n_labels)."""
        threshold = self._priors[plan].confidence_threshold
        if threshold is None or not self._has_classes:
            return
        some = probabilities[:ROWS_PER_CALL]
        self._confident[plan].add(int(np.count_nonzero(some.max(axis=1) > threshold)), len(some))
        start = self._n_rows % ROWS
        end = start + len(some)
        self._rows[start:end] = some[: ROWS - start]
        self._rows[: max(end - ROWS, 0)] = some[ROWS - start :]
        self._n_rows += len(some)
        self._stale = True

    def inherit(self, before: "AccuracyBeliefs", plans: Mapping[int, int]) -> None:
        """Go on with what other beliefs of the same task know.

        Args:
            before: the other beliefs.
            plans: of plans that run the same models, their index there by the one here.
        """
        for plan, was in plans.items():
            self._labels[plan], self._confident[plan] = before._labels[was], before._confident[was]
            if self._priors[plan] == before._priors[was]:
                self.value[plan] = before.value[was]
                self.low[plan], self.high[plan] = before.low[was], before.high[was]
                self.moved[plan] = before.moved[was]
                self.refuted[plan] = before.refuted[was]
                self.vouched[plan] = before.vouched[was]
                self._posterior[plan] = before._posterior[was]
        if self._has_classes and before._has_classes:
            self._rows, self._n_rows = before._rows, before._n_rows
        self._stale = True

    def posterior(self, plan: int) -> tuple[float, float]:
        """Parameters of the Beta distribution of a plan's accuracy: what a bandit draws from."""
        return self._posterior[plan]

    def refresh(self, at_s: float) -> None:
        """Work the beliefs out anew; once a second is often enough."""
        if not self._stale and not self._has_evidence:
            return
        self._stale = False
        self._has_evidence = False
        mix = self._mix()
        lost = self._lost(mix)
        self.moved, self.refuted, self.vouched = np.zeros((3, len(self._priors)), dtype=bool)
        for plan, prior in enumerate(self._priors):
            shares, n = self._prior_shares[plan].copy(), self._prior_n[plan].copy()
            if mix is not None:
                shares += float((mix - self._class_share) @ self._class_accuracy[plan])
            shares = np.clip(shares - lost[plan], 0.0, 1.0)
            has_evidence = mix is not None or lost[plan] > 0.0
            for stratum, labels in enumerate(self._labels[plan]):
                labels.fade(at_s)
                if labels.good + labels.bad >= 1.0:
                    has_evidence = True
                    n_labels = labels.good + labels.bad
                    promised = min(shares[stratum], self._prior_shares[plan][stratum])
                    is_worse = labels.good < promised * n_labels
                    self.refuted[plan] |= is_worse and labels.contradict(promised, n[stratum])
                    self.vouched[plan] |= n_labels >= FEWEST_LABELS
                    shares[stratum], n[stratum] = labels.weigh(shares[stratum], n[stratum])
            self._has_evidence |= has_evidence
            self.vouched[plan] &= not self.refuted[plan]
            if has_evidence:
                value = self._strata.value(shares, n)
                self.low[plan], self.high[plan] = self._strata.interval(shares, n)
            else:
                value = prior.value
                self.low[plan], self.high[plan] = prior.low, prior.high
            self.value[plan] = value
            self._posterior[plan] = _beta(value, self._strata.effective_n(n))
            self.moved[plan] = has_evidence and not prior.low <= value <= prior.high

    def _mix(self) -> NDArray[np.float64] | None:
        """Shares of the classes among recent inputs; None while they may be validation's."""
        if not self._has_classes or self._n_rows < FEWEST_ANSWERS:
            return None
        rows = self._rows[: self._n_rows]
        before = np.maximum(self._class_share, 1e-6)
        mix = before.copy()
        for _ in range(20):
            ratio = mix / before  # rows * ratio, scaled to sums of 1, are the answers under the mix
            last, mix = mix, np.maximum(ratio * (1.0 / (rows @ ratio) @ rows) / len(rows), 1e-6)
            if np.abs(mix - last).max() < MIX_STEP:
                break
        mix /= mix.sum()
        # Twice the logarithm of the mixes' likelihood ratio, given the rows. Where nothing has
        # changed it is about chi-squared, of mean k - 1 and variance 2 (k - 1).
        statistic = 2.0 * float(np.log(rows @ (mix / before)).sum())
        freedom = len(mix) - 1
        return mix if statistic > freedom + SHIFT_Z * math.sqrt(2.0 * freedom) else None

    def _lost(self, mix: NDArray[np.float64] | None) -> NDArray[np.float64]:
        """Accuracy that confidences say is lost beyond what the mix explains; shape (n_plans,)."""
        lost = np.zeros(len(self._priors))
        tested = []
        for plan, prior in enumerate(self._priors):
            passed, n = self._confident[plan].passed, self._confident[plan].n
            if n < FEWEST_ANSWERS or not self._has_classes:
                continue
            shares = self._class_share if mix is None else mix
            expected = float(shares @ self._class_confident[plan])
            noise = math.sqrt(max(expected * (1.0 - expected), 1e-4) * (1.0 / n + 1.0 / prior.n))
            fall = expected - passed / n
            lost[plan] = fall if fall > SHIFT_Z * noise else 0.0
            tested.append(plan)
        if tested:
            others = np.ones(len(lost), dtype=bool)
            others[tested] = False
            lost[others] = lost[tested].mean()
        return lost


def _counted(prior: AccuracyPrior, strata: Strata) -> NDArray[np.float64]:
    """What a prior was measured on, by stratum; shape (n_strata,)."""
    if strata.n == 1:
        return np.array([float(prior.n)])
    if len(prior.class_n) == strata.n:
        return np.array(prior.class_n, np.float64)
    return np.full(strata.n, prior.n / strata.n)


def _beta(value: float, n: float) -> tuple[float, float]:
    return value * n + 1.0, (1.0 - value) * n + 1.0


def _contradicts(seen: float, n_seen: float, believed: float, n_believed: float) -> bool:
    """Whether two shares differ by more than 3.5 standard errors."""
    pooled = (seen * n_seen + believed * n_believed) / (n_seen + n_believed)
    error = math.sqrt(max(pooled * (1 - pooled), 1e-6) * (1 / n_seen + 1 / n_believed))
    return abs(seen - believed) > 3.5 * error
