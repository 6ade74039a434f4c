"""What the data is: read in a second, before anything is fitted."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.advice import Look
from ounce_schemas.task import TaskSpec
from scipy import stats

from ounce_exporters.ladder.recipe import Split, TaskData
from ounce_exporters.training.classical import as_matrix

_SKEWED = 2.0
_HEAVY_TAILED = 7.0
"""Kurtosis above that of a normal distribution (P. J. Curran, S. G. West, J. F. Finch,
"The Robustness of Test Statistics to Nonnormality", Psychological Methods 1, 1996)."""
_MOST_ROWS = 20_000


def look(data: TaskData, notices: Sequence[str]) -> Look:
    """Figures of the data.

    Args:
        data: the task and its splits; the test split is not looked at.
        notices: what was found while the table was read.
    """
    rows = data.train
    numbers = _columns(rows, texts=False)
    texts = _columns(rows, texts=True)
    n_cells = numbers.size + texts.size
    gaps = int(np.isnan(numbers).sum()) + int((texts == "").sum())
    counts = None
    if data.spec.labels:
        counts = np.bincount(rows.targets, minlength=len(data.spec.labels))
    structure, shape = structure_of(data.spec)
    has_columns = structure in ("table", "text")  # a pixel, or a step, is none
    return Look(
        structure=structure,
        shape=shape,
        n_rows=len(rows),
        n_numbers=numbers.shape[1],
        n_texts=texts.shape[1],
        missing=gaps / n_cells,
        duplicates=_duplicates(data, rows),
        most_values=max((len(set(column)) for column in texts.T), default=0),
        skewed=_count(numbers, stats.skew, _SKEWED) if has_columns else 0,
        heavy_tailed=_count(numbers, stats.kurtosis, _HEAVY_TAILED) if has_columns else 0,
        n_classes=len(data.spec.labels),
        constant=constant_accuracy(data),
        rarest=None if counts is None else float(counts.min() / counts.sum()),
        notices=tuple(notices),
    )


def structure_of(
    task: TaskSpec,
) -> tuple[Literal["table", "text", "image", "sequence"], tuple[int, ...]]:
    """What an item is, and its shape; a table has none."""
    first = task.inputs[0]
    if task.image is not None:
        return "image", task.image.shape
    if first.channels is not None:
        return "sequence", first.shape
    texts = [tensor.text_bytes for tensor in task.inputs if tensor.text_bytes is not None]
    return ("text", tuple(texts)) if texts else ("table", ())


def constant_accuracy(data: TaskData) -> float:
    """Share of training rows that the best constant answer gets right."""
    targets = data.train.targets
    if data.spec.labels:
        return float(np.bincount(targets).max() / len(targets))
    ordered = np.sort(targets.astype(np.float64))
    reach = np.searchsorted(ordered, ordered + 2 * (data.spec.tolerance or 0.0), side="right")
    return float((reach - np.arange(len(ordered))).max() / len(ordered))


def _columns(rows: Split, *, texts: bool) -> NDArray[Any]:
    """Inputs of one kind side by side, array of shape (n_rows, n_columns): objects, or numbers."""
    n = min(len(rows), _MOST_ROWS)
    chosen = [
        array[:n].reshape(n, -1)
        for array in rows.inputs.values()
        if (array.dtype == object) == texts
    ]
    if len(chosen) == 1:  # images are many: none is copied
        return chosen[0]
    return np.concatenate([np.empty((n, 0), object if texts else np.float32), *chosen], axis=1)


def _duplicates(data: TaskData, rows: Split) -> float:
    matrix = as_matrix(data.spec, rows.inputs)[:_MOST_ROWS]
    if matrix.dtype == object:
        return 1 - len({tuple(map(str, row)) for row in matrix}) / len(matrix)
    return 1 - len({row.tobytes() for row in matrix}) / len(matrix)


def _count(numbers: NDArray[Any], shape: object, above: float) -> int:
    found = 0
    for column in numbers.T.astype(np.float64):
        known = column[np.isfinite(column)]
        if len(known) > 2 and known.std() > 0:
            found += abs(float(shape(known))) > above  # type: ignore[operator]
    return found
