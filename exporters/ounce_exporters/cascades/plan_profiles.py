"""What is written of a plan: its steps, accuracy, and how it did on each class."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_edge.models.planning import strata_of
from ounce_schemas.plans import ClassProfile, PlanProfile, Step
from ounce_schemas.task import TaskSpec

from ounce_exporters.cascades.evidence import Answers, Evidence, answer
from ounce_exporters.cascades.guarantee import error_upper_bound
from ounce_exporters.cascades.search import Cascade
from ounce_exporters.evaluation.promises import estimate, false_alarms


@dataclass(frozen=True)
class Truth:
    """What answers are held against."""

    task: TaskSpec
    targets: NDArray[Any]
    """Label indices, or values; array of shape (n_items,)."""
    clusters: NDArray[np.int64] | None = None
    """As in `TaskData`."""


def profile_single(model: Evidence, truth: Truth) -> PlanProfile:
    """The plan that is one model."""
    step = Step(model=model.model, sha256=model.sha256, reach=1.0)
    n = len(model.right)
    everywhere, nowhere = np.zeros(n, np.intp), np.zeros(n, np.bool_)
    judged = model.judged
    answers = Answers(
        model.right,
        np.zeros(n) if model.confidence is None else model.confidence,
        step=everywhere,
        stratum=everywhere if judged is None else judged.stratum,
        alarm=nowhere if judged is None else judged.alarm,
    )
    return _profile(model.model, (step,), answers, truth)


def profile_cascade(
    cascade: Cascade,
    considered: Sequence[int],
    folds: NDArray[np.int64],
    truth: Truth,
) -> PlanProfile:
    """The plan that is a cascade.

    Steps (thresholds, reach, error bounds) hold for what was chosen on all items. Classes and
    confidence threshold hold for the cross-fitted answers. So does the accuracy, unless dearer
    cascades were less accurate (see `search`).

    Args:
        cascade: as it was chosen on all items and without each fold.
        considered: per accepting step, thresholds that were compared.
        folds: fold of each item, array of shape (n_items,).
        truth: of the items.
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
        *(
            np.choose(folds, [getattr(answers, name.name) for answers in of_folds])
            for name in fields(Answers)
        )
    )
    return _profile(cascade.final.name, tuple(steps), fitted, truth, cascade.luck)


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
    truth: Truth,
    luck: float = 0.0,
) -> PlanProfile:
    strata, targets = strata_of(truth.task), truth.targets
    accuracy = estimate(strata, answers.right, answers.stratum, truth.clusters, luck)
    if truth.task.kind == "regression":
        return PlanProfile(name=name, steps=steps, accuracy=accuracy)
    predicted = np.where(answers.alarm, truth.task.alarm_class or 0, -1)
    threshold = confidence_threshold(answers.confidence, int(answers.right.sum()))
    confident = answers.confidence > threshold
    return PlanProfile(
        name=name,
        steps=steps,
        accuracy=accuracy,
        false_alarms=false_alarms(truth.task, predicted, targets),
        confidence_threshold=threshold,
        classes=tuple(
            ClassProfile(
                label=label,
                n=int((targets == i).sum()),
                accurate=int(answers.right[targets == i].sum()),
                confident=int(confident[targets == i].sum()),
            )
            for i, label in enumerate(truth.task.labels)
        ),
    )
