"""Models whose outputs are sums: of weighed features, or of trees."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ounce_exporters.explaining.owners import Transform
from ounce_exporters.export.trees import Ensemble
from ounce_exporters.ladder.recipe import Inputs


@dataclass(frozen=True)
class Linear:
    """`features @ weights + bias`."""

    weights: NDArray[np.float32]
    """Shape (n_features, n_outputs)."""
    bias: NDArray[np.float32]
    """Shape (n_outputs,)."""


@dataclass(frozen=True)
class Terms:
    """What a model's last step adds up, and the features that it reads."""

    last: Linear | Ensemble
    features: str
    """Name of the tensor in the graph of the whole model; of one input tensor the input itself."""
    transform: Transform
    """From `rows` to features."""
    rows: NDArray[Any]
    """That the model has learned from, shape (n, n_columns)."""
    gives_probabilities: bool = False
    """Whether the sums are probabilities, of which the model's outputs are the logarithms."""
    is_additive: bool = False
    """Whether each tree is of one feature or of a pair."""


@runtime_checkable
class HasTerms(Protocol):
    """A fitted model that may be a sum."""

    def terms(self, learned: Inputs) -> Terms | None:
        """What it adds up; None where it is no sum.

        Args:
            learned: items that it has learned from.
        """
        ...
