"""Further rows of a table, mixed of those that are there, for a teacher to answer.

Sources: C. Bucilă, R. Caruana and A. Niculescu-Mizil, "Model Compression", KDD 2006; R. Fakoor et
al., "Fast, Accurate, and Simple Models for Tabular Data via Augmented Distillation", NeurIPS 2020.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.task import TaskSpec

from ounce_exporters.recipe import Inputs

TIMES = 3
"""Mixed rows for each row that is there."""
MOST_ROWS = 20_000
"""Mixed rows at most."""
_SHARE = 0.5
"""Chance of each value to be that of another row."""


def has_columns(task: TaskSpec) -> bool:
    """Whether a task's items are rows of columns: no images, texts or sequences."""
    tensors = task.inputs
    return task.image is None and all(t.channels is None and not t.text_bytes for t in tensors)


def mix_rows(inputs: Inputs, seed: int) -> dict[str, NDArray[Any]]:
    """Rows of which each value is the row's own or that of another row, drawn by chance.

    Args:
        inputs: arrays of shape (n_rows, n_columns).
        seed: of all that is drawn.

    Returns:
        Arrays of shape (n_mixed, n_columns).
    """
    rng = np.random.default_rng(seed)
    n_rows = len(next(iter(inputs.values())))
    n = min(TIMES * n_rows, MOST_ROWS)
    own, other = np.resize(rng.permutation(n_rows), n), rng.integers(0, n_rows, n)
    mixed = {}
    for name, array in inputs.items():
        kept = rng.random((n, *array.shape[1:])) >= _SHARE
        mixed[name] = np.where(kept, array[own], array[other])
    return mixed
