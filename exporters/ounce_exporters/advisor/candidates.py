"""Finalists as candidates for a plan: what each answers, weighs and takes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_edge.models.planning import strata_of
from ounce_schemas.advice import Decision, Limits, MeasuredModel, Plan
from ounce_schemas.card import AccuracyEstimate

from ounce_exporters.advisor.deciding import LATENCY_ROOM, Candidate, decide
from ounce_exporters.advisor.exporting import Exported
from ounce_exporters.advisor.race import Raced
from ounce_exporters.evaluation.figures import accepted, estimate_accuracy
from ounce_exporters.evaluation.promises import estimate
from ounce_exporters.ladder.recipe import TaskData

INTERPRETABLE = (
    "logistic-regression",
    "ridge",
    "elastic-net",
    "linear-svm",
    "decision-tree",
    "glass-box",
    "k-means",
)
"""Kinds of models that a person can read: a sum of columns or of curves, one tree, the
nearest of a few centres."""
CALL_NS = 5_000.0
"""Of any call of the runtime, whatever is in it: shared by the items of a batch."""


def decide_among(
    data: TaskData,
    raced: Raced,
    exported: Sequence[Exported],
    timed: Sequence[MeasuredModel],
    limits: Limits,
    constant: float,
) -> Decision:
    """Choose a plan of the finalists.

    Args:
        data: the rows of the race.
        raced: with the held-out rows.
        exported: the finalists.
        timed: of each, calls of the limit's batch.
        limits: what a plan has to keep.
        constant: accuracy of the best constant answer; 0: there is none to beat.
    """
    task, strata = data.spec, strata_of(data.spec)
    truth, clusters = _truth(data, raced, 1 + len(exported[0].again))
    answers = exported[0].every_answer.argmax(axis=1)
    plain = task.measure.is_plain
    return decide(
        candidates_of(data, raced, exported, timed, limits.batch),
        limits,
        constant,
        # Only plain accuracy is a mean over rows, whatever model answered them.
        (lambda right: estimate(strata, right.ravel(), strata.of(answers, truth), clusters))
        if plain
        else None,
    )


def candidates_of(
    data: TaskData,
    raced: Raced,
    exported: Sequence[Exported],
    timed: Sequence[MeasuredModel],
    batch: int,
) -> list[Candidate]:
    """The finalists, as calls of a batch size make them; arguments as above."""
    task = data.spec
    n_divisions = 1 + len(exported[0].again)
    truth, _ = _truth(data, raced, n_divisions)
    latency_ms = {t.model: t.p50_ms for t in timed if t.batch_size == batch}
    return [
        Candidate(
            name=e.recipe.name,
            neural=e.recipe.family == "neural",
            interpretable=e.recipe.name in INTERPRETABLE,
            counted_ns=e.counted_ns + CALL_NS / batch,
            size_bytes=e.size_bytes,
            latency_ms=LATENCY_ROOM * latency_ms[e.recipe.name],
            right=accepted(task, e.every_answer, truth).reshape(n_divisions, -1),
            confidence=_confidence(e).reshape(n_divisions, -1) if task.labels else None,
            accuracy=judged_accuracy(data, raced, e),
        )
        for e in exported
    ]


def judged_accuracy(data: TaskData, raced: Raced, exported: Exported) -> AccuracyEstimate:
    """Of all answers to held-out rows. Those to one row, by models of several divisions into folds,
    tell of each other."""
    truth, clusters = _truth(data, raced, 1 + len(exported.again))
    return estimate_accuracy(data.spec, exported.every_answer, truth, clusters)


def plan_answers(plan: Plan, exported: Sequence[Exported]) -> NDArray[np.float32]:
    """What a plan answers to the held-out rows; array of shape (n_held_out, output size).

    Of a cascade the least confident answers of the first model are handed over, in the planned
    share of all that judged.
    """
    parts = [next(e for e in exported if e.recipe.name == name) for name in plan.models]
    answers = parts[0].answers
    if plan.handed_over is None:
        return answers
    confidence = np.sort(_confidence(parts[0]))
    threshold = confidence[round(plan.handed_over * len(confidence))]
    on = answers.max(axis=1) < threshold
    return np.where(on[:, None], parts[1].answers, answers)


def _truth(
    data: TaskData, raced: Raced, n_divisions: int
) -> tuple[NDArray[Any], NDArray[np.int64] | None]:
    """Targets of every answer, and which answers tell of each other."""
    clusters = None if data.clusters is None else data.clusters[raced.places]
    if clusters is None and n_divisions > 1:
        clusters = raced.places
    truth = np.tile(raced.held_out.targets, n_divisions)
    return truth, None if clusters is None else np.tile(clusters, n_divisions)


def _confidence(exported: Exported) -> NDArray[np.float64]:
    return np.asarray(exported.every_answer.max(axis=1), np.float64)
