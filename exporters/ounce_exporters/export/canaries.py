"""Test items that a model has to answer again as it did when it was made, wherever it is loaded."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_edge.models.runtimes.base import Inputs
from ounce_schemas.card import Canaries

MOST_ITEMS = 4
MOST_VALUES = 4096
"""Of all canaries together, unless one item has more: a card is read at each start."""


def choose_canaries(
    inputs: Inputs, exported: NDArray[np.float32], native: NDArray[np.float32]
) -> Canaries:
    """The items whose answers differ least from the native model's: none at the edge of a branch.

    Args:
        inputs: test items by tensor, first axis the items.
        exported: the file's answers, shape (n_items, output size).
        native: the native model's, likewise.
    """
    size = sum(array[0].size for array in inputs.values())
    n = max(1, min(MOST_ITEMS, MOST_VALUES // size))
    differences = np.abs(exported.astype(np.float64) - native).max(axis=1)
    items = np.sort(np.argsort(differences, kind="stable")[:n])
    return Canaries(
        inputs={name: tuple(map(_plain, array[items].ravel())) for name, array in inputs.items()},
        answers=tuple(tuple(map(_number, row)) for row in exported[items]),
    )


def _plain(value: Any) -> float | str | None:
    if isinstance(value, str):
        return value or None
    return None if np.isnan(value) else _number(value)


def _number(value: Any) -> float:
    return float(f"{value:.9g}")  # as many digits as a float32 has
