"""A sample of rows to learn from, where learning from all would take too long."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_OF_CLASS = 100
"""Rows of a class that are kept, as far as it has so many, however small its share."""


def balanced_rows(targets: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Rows with rare classes as often as frequent ones: the rows of each repeat.

    Args:
        targets: label indices, array of shape (n_rows,).
        seed: fixes which rows come once more.
    """
    rng = np.random.default_rng(seed)
    of_class = [np.flatnonzero(targets == label) for label in np.unique(targets)]
    most = max(map(len, of_class))
    return np.concatenate([np.resize(rng.permutation(of), most) for of in of_class])


def sample_rows(targets: NDArray[Any], most_rows: int, seed: int) -> NDArray[np.int64]:
    """Places of about `most_rows` rows, ascending; the same seed gives the same rows.

    Args:
        targets: label indices, int64: every class keeps its share. Or values, float32. Array of
            shape (n_rows,).
        most_rows: how many; rare classes may add some.
        seed: fixes the choice.
    """
    order = np.random.default_rng(seed).permutation(len(targets))
    if targets.dtype != np.int64:
        return np.sort(order[:most_rows])
    share = most_rows / len(targets)
    chosen = [
        of_class[: max(round(share * len(of_class)), min(len(of_class), LEAST_OF_CLASS))]
        for label in np.unique(targets)
        for of_class in [order[targets[order] == label]]
    ]
    return np.sort(np.concatenate(chosen))
