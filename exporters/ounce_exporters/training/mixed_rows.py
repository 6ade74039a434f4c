"""Further rows of a table, mixed of those that are there, for a teacher to answer.

Each is mixed of a row and one of its nearest neighbours. Mixed of any two, most would be like no
row that is ever asked.

Sources: C. Bucilă, R. Caruana and A. Niculescu-Mizil, "Model Compression", KDD 2006 (MUNGE); R.
Fakoor et al., "Fast, Accurate, and Simple Models for Tabular Data via Augmented Distillation",
NeurIPS 2020.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.task import TaskSpec
from sklearn.neighbors import NearestNeighbors

from ounce_exporters.ladder.recipe import Inputs

TIMES = 5
"""Mixed rows for each row that is there."""
MOST_ROWS = 20_000
"""Mixed rows at most."""
_NEIGHBOURS = 10
_MOST_SEARCHED = 10_000
"""Rows among which neighbours are looked for; of more, a sample."""
_SHARE = 0.5
"""Chance of each value to be that of the neighbour."""


def has_columns(task: TaskSpec) -> bool:
    """Whether a task's items are rows of columns: no images, texts or sequences."""
    tensors = task.inputs
    return task.image is None and all(t.channels is None and not t.text_bytes for t in tensors)


def mix_rows(
    inputs: Inputs, features: NDArray[np.floating[Any]], seed: int
) -> dict[str, NDArray[Any]]:
    """Rows of which each value is the row's own or that of a neighbour, drawn by chance.

    Args:
        inputs: arrays of shape (n_rows, n_columns).
        features: on one scale, by which neighbours are found; shape (n_rows, n_features).
        seed: of all that is drawn.

    Returns:
        Arrays of shape (n_mixed, n_columns).
    """
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(features))[:_MOST_SEARCHED]
    n = min(TIMES * len(features), MOST_ROWS)
    k = min(_NEIGHBOURS, len(chosen) - 1)
    search = NearestNeighbors(n_neighbors=k).fit(features[chosen])
    near = search.kneighbors(return_distance=False)  # of each row, without itself
    places = np.resize(np.arange(len(chosen)), n)
    own, other = chosen[places], chosen[near[places, rng.integers(0, k, n)]]
    mixed = {}
    for name, array in inputs.items():
        kept = rng.random((n, *array.shape[1:])) >= _SHARE
        mixed[name] = np.where(kept, array[own], array[other])
    return mixed
