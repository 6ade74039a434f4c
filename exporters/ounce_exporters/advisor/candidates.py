"""Finalists as candidates for a plan: what each answers, weighs and takes."""

from collections.abc import Sequence

import numpy as np
from ounce_edge.models.planning import strata_of
from ounce_schemas.advice import Decision, Limits, MeasuredModel

from ounce_exporters.advisor.deciding import LATENCY_ROOM, Candidate, decide
from ounce_exporters.advisor.exporting import Exported
from ounce_exporters.advisor.race import Raced
from ounce_exporters.evaluation import accepted, estimate_accuracy
from ounce_exporters.promises import estimate
from ounce_exporters.recipe import TaskData

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
    truth, task = raced.held_out.targets, data.spec
    strata = strata_of(task)
    clusters = None if data.clusters is None else data.clusters[raced.places]
    latency_ms = {t.model: t.p50_ms for t in timed if t.batch_size == limits.batch}
    candidates = [
        Candidate(
            name=e.recipe.name,
            neural=e.recipe.family == "neural",
            interpretable=e.recipe.name in INTERPRETABLE,
            counted_ns=e.counted_ns + CALL_NS / limits.batch,
            size_bytes=len(e.content),
            latency_ms=LATENCY_ROOM * latency_ms[e.recipe.name],
            right=accepted(task, e.answers, truth),
            confidence=e.answers.max(axis=1).astype(np.float64) if task.labels else None,
            accuracy=estimate_accuracy(task, e.answers, truth, clusters),
        )
        for e in exported
    ]
    answers = exported[0].answers.argmax(axis=1)
    plain = task.measure.is_plain
    return decide(
        candidates,
        limits,
        constant,
        # Only plain accuracy is a mean over rows, whatever model answered them.
        (lambda right: estimate(strata, right, strata.of(answers, truth), clusters))
        if plain
        else None,
    )
