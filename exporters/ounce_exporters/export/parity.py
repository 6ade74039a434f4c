"""Parity: the exported file must answer as the native model does, on every item of the test split.

Single items may differ: graphs compute in float32, so a feature a rounding away from a tree's
threshold can take the other branch. What is allowed is stated here and lands in the card.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.card import Parity
from ounce_schemas.errors import ExportError
from ounce_schemas.task import TaskSpec

from ounce_exporters.export.weighing import unweigh


@dataclass(frozen=True)
class Limits:
    """What may differ."""

    agreement: float
    """Least share of items with the same label and probabilities (or value) within the limit."""
    probability: float
    value: float
    """Share of the task's tolerance by which a value may differ."""


_ROUNDING = 1e-6
"""Probabilities that are as close are the same."""
_SAME_MODEL = 0.5
"""Share of items that agree: with fewer a file is not the model but for rounding."""
EXACT = Limits(agreement=0.999, probability=1e-3, value=0.01)
LIGHTER = Limits(agreement=0.95, probability=1.0, value=1.0)
"""Of a lighter form against its original: its card has an accuracy of its own."""


def check_parity(
    task: TaskSpec,
    exported: NDArray[np.float32],
    native: NDArray[np.float32],
    biases: Sequence[float] = (),
    limits: Limits = EXACT,
) -> Parity:
    """Compare calibrated answers, arrays of the same shape (n_items, output size).

    Args:
        task: says which answers are the same.
        exported: of the file.
        native: of the model.
        biases: of the logarithms of probabilities, as `weighing.fit_biases` has them. They magnify
            the rounding of probabilities near 0, so close ones may be close before or behind them.
        limits: what may differ.

    Raises:
        ExportError: shapes differ, an answer is not finite, or fewer agree than the limits say.
    """
    if exported.shape != native.shape:
        raise ExportError(
            f"the ONNX file answers with shape {list(exported.shape)}, "
            f"the native model with {list(native.shape)}"
        )
    differences = _differences(exported, native)
    if not np.isfinite(differences).all():
        raise ExportError(
            f"{int((~np.isfinite(differences)).sum())} of {len(differences)} "
            "test items get an answer that is not finite"
        )
    if biases:
        before = [unweigh(answers, biases) for answers in (exported, native)]
        differences = np.minimum(differences, _differences(*before))
    if task.classifies:
        limit = limits.probability
        same = _same_labels(exported, native)
    else:
        limit = limits.value * (task.tolerance or 0)
        same = differences <= limit
    largest = float(differences.max())
    agreeing = float((same & (differences <= limit)).mean())
    if agreeing < limits.agreement:
        advice = (
            "A file counts in 32 bits, and a step of it decides by less, such as trees behind "
            "other steps, or among neighbours that are as near: leave it out"
            if agreeing > _SAME_MODEL
            else "The file computes something else: what made it does not convert such a model "
            "rightly"
        )
        raise ExportError(
            f"parity check failed: the ONNX file agrees with the native model "
            f"on {agreeing:.2%} of {len(same)} test items (at least {limits.agreement:.1%} "
            f"needed), largest difference {largest:.3g} (limit {limit:.3g}); the model was not "
            f"written. {advice}"
        )
    return Parity(agreement=float(same.mean()), largest_difference=largest, n=len(same))


def _same_labels(exported: NDArray[np.float32], native: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where both have the same label, or the file finds the native one as probable: of two labels
    with half of a forest's trees each, rounding decides."""
    of_native = np.take_along_axis(exported, native.argmax(axis=1)[:, None], axis=1)[:, 0]
    return np.asarray(exported.max(axis=1) - of_native <= _ROUNDING)


def _differences(a: NDArray[np.floating[Any]], b: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    return np.asarray(np.abs(a.astype(np.float64) - b).max(axis=1))
