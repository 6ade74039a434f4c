"""Which column each feature of a model is made of."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.cells import DATE_PARTS
from ounce_schemas.task import TaskSpec

_MOST_PROBES = 300
_DATE_PARTS = np.arange(32.0)

Transform = Callable[[NDArray[Any]], NDArray[Any]]
"""From rows of all columns to features, each shape (n, ...)."""


def feature_owners(
    transform: Transform, task: TaskSpec, matrix: NDArray[Any]
) -> NDArray[np.intp] | None:
    """The column that each feature depends on, shape (n_features,); None: one depends on several.

    Each column in turn takes all kinds of values that it can have, a gap among them, while the
    others stand still: the features that move are its own. One that never moves is the first
    column's.

    Args:
        transform: what stands before the model's last step.
        task: its columns.
        matrix: rows that the model has learned from, shape (n, n_columns).
    """
    reads = [
        cell.read if cell is not None else None
        for tensor in task.inputs
        for cell in (tensor.cells or [None] * tensor.size)
    ]
    usual = np.asarray(transform(matrix[:1]), np.float64)
    owners = np.full(usual.shape[1], -1)
    for column, read in enumerate(reads):
        values = _probes(matrix[:, column], read)
        rows = np.repeat(matrix[:1], len(values), axis=0)
        rows[:, column] = values
        features = np.asarray(transform(rows), np.float64)
        moves = ~(np.isclose(features, features[:1], rtol=0, atol=0, equal_nan=True)).all(axis=0)
        if (owners[moves] >= 0).any():
            return None
        owners[moves] = column
    return np.asarray(np.maximum(owners, 0))


def _probes(column: NDArray[Any], read: str | None) -> NDArray[Any]:
    """Values that tell apart all that a column's features may depend on."""
    if column.dtype == object and isinstance(column[0], str):
        return np.array(["", *np.unique(column.astype(str))], dtype=object)
    numbers = np.unique(column.astype(np.float64))
    if len(numbers) > _MOST_PROBES:
        numbers = numbers[np.linspace(0, len(numbers) - 1, _MOST_PROBES).astype(int)]
    more = _DATE_PARTS if read in DATE_PARTS else np.empty(0)
    return np.concatenate([numbers, more, [np.nan]]).astype(column.dtype)
