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
        return PlanProfile(
            name=model.model,
            steps=(step,),
            accuracy=_accuracy(int(model.right.sum()), len(model.right)),
        )
    answers = Answers(model.right, model.confidence, np.zeros(len(model.right), np.int64))
    right = int(model.right.sum())
    return _profile(model.model, (step,), answers, right, labels, targets)


def profile_cascade(
    cascade: Cascade,
    considered: Sequence[int],
    folds: NDArray[np.int64],
    labels: Sequence[str],
    targets: NDArray[Any],
) -> PlanProfile:
    """The plan that is a cascade.

    Steps (thresholds, reach, error bounds) hold for what was chosen on all items; classes and
    confidence threshold for the cross-fitted answers, and so does the accuracy, unless dearer
    cascades were less accurate (see `search`).

    Args:
        cascade: as it was chosen on all items and without each fold.
        considered: per accepting step, thresholds that were compared.
        folds: fold of each item, array of shape (n_items,).
        labels: of the task.
        targets: label indices, array of shape (n_items,).
    """
    sequence, thresholds = cascade.final.sequence, cascade.final.thresholds
    final = answer(sequence, thresholds)
    steps = []
    for k, model in enumerate(sequence):
        accepting = k < len(thresholds)
        taken = final.right[final.step == k]
        steps.append(
            Step(
                model=model.model,
                sha256=model.sha256,
                reach=float((final.step >= k).mean()),
                threshold=thresholds[k] if accepting else None,
                error_bound=error_upper_bound(int((~taken).sum()), len(taken), considered[k])
                if accepting
                else None,
            )
        )
    of_folds = [answer(choice.sequence, choice.thresholds) for choice in cascade.of_folds]
    fitted = Answers(
        right=np.choose(folds, [answers.right for answers in of_folds]),
        confidence=np.choose(folds, [answers.confidence for answers in of_folds]),
        step=np.choose(folds, [answers.step for answers in of_folds]),
    )
    return _profile(cascade.final.name, tuple(steps), fitted, cascade.right, labels, targets)


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
    right: int,
    labels: Sequence[str],
    targets: NDArray[Any],
) -> PlanProfile:
    threshold = confidence_threshold(answers.confidence, int(answers.right.sum()))
    confident = answers.confidence > threshold
    return PlanProfile(
        name=name,
        steps=steps,
        accuracy=_accuracy(right, len(targets)),
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


def _accuracy(right: int, n: int) -> AccuracyEstimate:
    low, high = wilson_interval(right, n)
    return AccuracyEstimate(value=right / n, low=low, high=high, n=n)
