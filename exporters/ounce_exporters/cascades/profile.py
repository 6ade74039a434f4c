"""What is written of a plan: its steps, accuracy, and how it did on each class."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.card import AccuracyEstimate
from ounce_schemas.plans import ClassProfile, PlanProfile, Step

from ounce_exporters.cascades.evidence import Answers, Evidence, answer
from ounce_exporters.cascades.guarantee import error_upper_bound
from ounce_exporters.cascades.search import Cascade
from ounce_exporters.evaluation import wilson_interval


def profile_single(model: Evidence, labels: Sequence[str], targets: NDArray[Any]) -> PlanProfile:
    """The plan that is one model."""
    step = Step(model=model.model, sha256=model.sha256, reach=1.0)
    if model.confidence is None:
        return PlanProfile(name=model.model, steps=(step,), accuracy=_accuracy(model.right))
    answers = Answers(model.right, model.confidence, np.zeros(len(model.right), np.int64))
    return _profile(model.model, (step,), answers, labels, targets)


def profile_cascade(
    cascade: Cascade,
    considered: Sequence[int],
    folds: NDArray[np.int64],
    labels: Sequence[str],
    targets: NDArray[Any],
) -> PlanProfile:
    """The plan that is a cascade.

    Steps (thresholds, reach, error bounds) hold for the thresholds chosen on all items; accuracy,
    classes and confidence threshold for the cross-fitted answers.

    Args:
        cascade: with its thresholds of all items and of each fold.
        considered: per accepting step, thresholds that were compared.
        folds: fold of each item, array of shape (n_items,).
        labels: of the task.
        targets: label indices, array of shape (n_items,).
    """
    final = answer(cascade.sequence, np.array([cascade.thresholds]))
    steps = []
    for k, model in enumerate(cascade.sequence):
        accepting = k < len(cascade.thresholds)
        taken = final.right[final.step == k]
        steps.append(
            Step(
                model=model.model,
                sha256=model.sha256,
                reach=float((final.step >= k).mean()),
                threshold=cascade.thresholds[k] if accepting else None,
                error_bound=error_upper_bound(int((~taken).sum()), len(taken), considered[k])
                if accepting
                else None,
            )
        )
    fitted = answer(cascade.sequence, np.array(cascade.fold_thresholds)[folds])
    return _profile(cascade.name, tuple(steps), fitted, labels, targets)


def confidence_threshold(confidence: NDArray[np.float64], right: int) -> float:
    """The threshold above which as many confidences lie as answers are right.

    Where the labels are unknown, the share of confidences above it estimates the accuracy: average
    thresholded confidence (Garg et al., "Leveraging Unlabeled Data to Predict Out-of-Distribution
    Performance", ICLR 2022). With ties the nearest count.
    """
    ordered = np.sort(confidence)
    candidates = np.concatenate([[0.0], np.unique(ordered)])
    above = len(ordered) - np.searchsorted(ordered, candidates, side="right")
    return float(candidates[np.abs(above - right).argmin()])


def _profile(
    name: str,
    steps: tuple[Step, ...],
    answers: Answers,
    labels: Sequence[str],
    targets: NDArray[Any],
) -> PlanProfile:
    threshold = confidence_threshold(answers.confidence, int(answers.right.sum()))
    confident = answers.confidence > threshold
    return PlanProfile(
        name=name,
        steps=steps,
        accuracy=_accuracy(answers.right),
        confidence_threshold=threshold,
        classes=tuple(
            ClassProfile(
                label=label,
                n=int((targets == i).sum()),
                accurate=int(answers.right[targets == i].sum()),
                confident=int(confident[targets == i].sum()),
            )
            for i, label in enumerate(labels)
        ),
    )


def _accuracy(right: NDArray[np.bool_]) -> AccuracyEstimate:
    successes, n = int(right.sum()), len(right)
    low, high = wilson_interval(successes, n)
    return AccuracyEstimate(value=successes / n, low=low, high=high, n=n)
