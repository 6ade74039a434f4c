"""How models answered the validation items, and how a cascade of them would have."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.card import LatencyAtBatch, ModelCard
from ounce_schemas.task import TaskSpec

from ounce_exporters.evaluation import accepted

CONFIDENCE_ITEMS = 2000
"""A model's calibrated confidences count as much as so many labelled items would."""


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

    @property
    def accuracy(self) -> float:
        """Share of acceptable answers."""
        return float(self.right.mean())

    @property
    def merit(self) -> NDArray[np.float64]:
        """Share of an acceptable answer that each item is worth when cascades are compared; array
        of shape (n_items,).

        Of cascades that differ in a few items, which one errs less is luck where items are few. A
        calibrated confidence says it with far less noise, and a little bias: so answers are drawn
        towards it, the more the fewer items there are (as in James and Stein, 1961).
        """
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


def gather(
    task: TaskSpec, card: ModelCard, outputs: NDArray[np.float32], targets: NDArray[Any]
) -> Evidence:
    """Hold a model's answers against the truth.

    Args:
        task: says which answers are acceptable.
        card: of the model.
        outputs: calibrated, array of shape (n_items, output size).
        targets: array of shape (n_items,).
    """
    classifies = task.kind == "classification"
    return Evidence(
        model=card.model,
        sha256=card.sha256,
        latency=card.latency.batches,
        right=accepted(task, outputs, targets),
        confidence=outputs.max(axis=1).astype(np.float64) if classifies else None,
    )


def answer(sequence: Sequence[Evidence], thresholds: Sequence[float]) -> Answers:
    """Answers of the cascade that runs `sequence`.

    Args:
        sequence: the models in the order in which they run.
        thresholds: least confidence of every step but the last.
    """
    n = len(sequence[0].right)
    right = np.zeros(n, dtype=np.bool_)
    confidence = np.zeros(n)
    step = np.full(n, -1)
    for k, (model, threshold) in enumerate(zip(sequence, [*thresholds, 0.0], strict=True)):
        assert model.confidence is not None  # cascades are for classification alone
        here = (step < 0) & (model.confidence >= threshold)
        step[here] = k
        right[here] = model.right[here]
        confidence[here] = model.confidence[here]
    return Answers(right, confidence, step)
