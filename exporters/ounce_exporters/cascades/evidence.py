"""How models answered the validation items, and how a cascade of them would have."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_edge.models.planning import strata_of
from ounce_edge.recommender.beliefs.measures import wilson, wilson_of_few
from ounce_schemas.card import LatencyAtBatch, ModelCard
from ounce_schemas.task import TaskSpec

from ounce_exporters.evaluation.figures import accepted

CONFIDENCE_ITEMS = 2000
"""A model's calibrated confidences count as much as so many labelled items would."""


@dataclass(frozen=True, eq=False)
class Judged:
    """A model's answers by a measure in which not all answers count alike."""

    stratum: NDArray[np.intp]
    """Of the measure, -1 where an answer does not count; array of shape (n_items,)."""
    worth: NDArray[np.float64]
    """What each answer adds to the measure, times `n_items`; array of shape (n_items,)."""
    alarm: NDArray[np.bool_]
    """Whether it is an item of another class, answered with the measure's; shape (n_items,)."""
    n_effective: float
    """Items of one stratum that would tell as much."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """One model's answers to the validation items."""

    model: str
    sha256: str
    latency: tuple[LatencyAtBatch, ...]
    right: NDArray[np.bool_]
    """Whether the answer is acceptable; array of shape (n_items,)."""
    confidence: NDArray[np.float64] | None
    """Greatest calibrated probability, array of shape (n_items,); None for regression."""
    judged: Judged | None = None
    """By the task's measure; None where all answers count alike and none is an alarm."""

    @property
    def accuracy(self) -> float:
        """The task's measure."""
        return float(self.worth.mean())

    @property
    def worth(self) -> NDArray[np.float64]:
        """What each answer adds to the measure, over its mean; array of shape (n_items,)."""
        return self.right.astype(np.float64) if self.judged is None else self.judged.worth

    @property
    def low(self) -> float:
        """Lower bound of the measure, as far as it is needed to choose cascades."""
        return lower_bound(self.accuracy, self.judged, len(self.right))

    @property
    def merit(self) -> NDArray[np.float64]:
        """Share of an acceptable answer that each item is worth when cascades are compared; array
        of shape (n_items,).

        Where items are few, it is luck which of two similar cascades errs less. A calibrated
        confidence says it with far less noise, and a little bias. So answers are drawn towards it,
        the more the fewer items there are (as in James and Stein, 1961). Of one true class
        confidences are not calibrated: there the answers count alone.
        """
        if self.judged is not None:
            return self.judged.worth
        assert self.confidence is not None  # cascades are for classification alone
        trust = len(self.right) / (len(self.right) + CONFIDENCE_ITEMS)
        return np.asarray(trust * self.right + (1.0 - trust) * self.confidence)


@dataclass(frozen=True, eq=False)
class Answers:
    """What a plan answered, item by item; arrays of shape (n_items,)."""

    right: NDArray[np.bool_]
    confidence: NDArray[np.float64]
    step: NDArray[np.int64]
    """Index of the step that answered."""
    stratum: NDArray[np.intp]
    """Of the task's measure, -1 where an answer does not count."""
    alarm: NDArray[np.bool_]
    """As in `Judged`."""


def gather(
    task: TaskSpec,
    card: ModelCard,
    outputs: NDArray[np.float32],
    targets: NDArray[Any],
    level: float = 1.0,
) -> Evidence:
    """Hold a model's answers against the truth.

    Args:
        task: says which answers are acceptable.
        card: of the model.
        outputs: calibrated, array of shape (n_items, output size).
        targets: array of shape (n_items,).
        level: the measure of the best model, about which others are compared.
    """
    classifies = task.classifies
    right = accepted(task, outputs, targets)
    return Evidence(
        model=card.model,
        sha256=card.sha256,
        latency=card.latency.batches,
        right=right,
        confidence=outputs.max(axis=1).astype(np.float64) if classifies else None,
        judged=_judge(task, right, outputs.argmax(axis=1), targets, level),
    )


def lower_bound(accuracy: float, judged: Judged | None, n_items: int) -> float:
    """Lower bound of a measure, found the quick way: as that of a share of so many items."""
    if judged is None:
        return wilson(accuracy, n_items)[0]
    return wilson_of_few(accuracy, judged.n_effective)[0]


def _judge(
    task: TaskSpec,
    right: NDArray[np.bool_],
    predicted: NDArray[Any],
    targets: NDArray[Any],
    level: float,
) -> Judged | None:
    if task.measure.is_plain and task.alarm_class is None:
        return None
    label = task.measured_class if task.alarm_class is None else task.alarm_class
    is_class, answered = targets == label, predicted == label
    strata = strata_of(task)
    stratum = strata.of(predicted, targets)
    _, counted = strata.count(right, stratum)
    n = len(targets)
    if task.measure.kind == "f1":
        worth = _worth_of_f1(is_class, answered, level)
    else:
        weights = 1.0 / np.maximum(counted, 1) / np.count_nonzero(counted)
        worth = n * np.where(stratum >= 0, weights[stratum] * right, 0.0)
    return Judged(
        stratum=stratum,
        worth=worth,
        alarm=answered & ~is_class,
        n_effective=strata.effective_n(counted),
    )


def _worth_of_f1(
    is_class: NDArray[np.bool_], answered: NDArray[np.bool_], level: float
) -> NDArray[np.float64]:
    """F1 to the first order about a level that is reached.

    2 TP - level (items of the class + answers with it) grows with F1 there, and is a sum over items
    (W. Dinkelbach, "On Nonlinear Fractional Programming", Management Science 13, 1967).
    """
    gain = 2.0 * (is_class & answered) - level * (1.0 * is_class + answered)
    return np.asarray(level + gain * (len(is_class) / (2.0 * max(is_class.sum(), 1))))


def answer(sequence: Sequence[Evidence], thresholds: Sequence[float]) -> Answers:
    """Answers of the cascade that runs `sequence`.

    Args:
        sequence: the models in the order in which they run.
        thresholds: least confidence of every step but the last.
    """
    n = len(sequence[0].right)
    right, alarm = np.zeros(n, dtype=np.bool_), np.zeros(n, dtype=np.bool_)
    confidence = np.zeros(n)
    step, stratum = np.full(n, -1), np.zeros(n, np.intp)
    for k, (model, threshold) in enumerate(zip(sequence, [*thresholds, 0.0], strict=True)):
        assert model.confidence is not None  # cascades are for classification alone
        here = (step < 0) & (model.confidence >= threshold)
        step[here] = k
        right[here] = model.right[here]
        confidence[here] = model.confidence[here]
        if model.judged is not None:
            stratum[here], alarm[here] = model.judged.stratum[here], model.judged.alarm[here]
    return Answers(right, confidence, step, stratum, alarm)
