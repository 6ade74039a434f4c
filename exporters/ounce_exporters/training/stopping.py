"""When a network has learned enough: rows that teach it nothing say so.

Source: L. Prechelt, "Early Stopping - But When?", Neural Networks: Tricks of the Trade, 1998.
"""

import copy
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

HELD_OUT = 0.15
"""Share of the rows that say when to stop."""


class Best:
    """The weights of the best epoch. A state that a checkpoint keeps.

    Args:
        network: its weights are the best until something is judged.
        patience: epochs without a gain after which it is over.
    """

    def __init__(self, network: nn.Module, patience: int) -> None:
        self.weights: dict[str, Tensor] = copy.deepcopy(network.state_dict())
        self._patience = patience
        self._loss, self._since = math.inf, 0

    @property
    def is_over(self) -> bool:
        """Whether the last epochs gained nothing."""
        return self._since >= self._patience

    def judge(self, network: nn.Module, loss: float) -> None:
        """Keep the weights where the loss on the held-out rows is the least so far."""
        self._since += 1
        if loss < self._loss:
            self.weights = copy.deepcopy(network.state_dict())
            self._loss, self._since = loss, 0

    def state_dict(self) -> dict[str, Any]:
        """Weights, their loss, and how long ago they were."""
        return {"weights": self.weights, "loss": self._loss, "since": self._since}

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        """Go on from there."""
        self.weights, self._loss, self._since = state["weights"], state["loss"], state["since"]


def hold_out(targets: NDArray[Any], seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows that say when to stop, with about the mix of classes of all, and the rows that teach.

    Args:
        targets: label indices, values, or probabilities of classes of shape (n_rows, n_labels).
        seed: draws them.

    Returns:
        Places of both.
    """
    rows = spread(np.random.default_rng(seed).permutation(len(targets)), targets)
    n_held = max(1, round(HELD_OUT * len(rows)))
    return rows[:n_held], rows[n_held:]


def spread(rows: NDArray[np.int64], targets: NDArray[Any]) -> NDArray[np.int64]:
    """The same rows in an order of which every stretch holds about the same mix of classes."""
    if targets.ndim == 2:
        targets = targets.argmax(axis=1)
    if not np.issubdtype(targets.dtype, np.integer):
        return rows
    place = np.empty(len(rows))
    for label in np.unique(targets):
        here = np.flatnonzero(targets[rows] == label)
        place[here] = (np.arange(len(here)) + 0.5) / len(here)
    return rows[np.argsort(place, kind="stable")]
