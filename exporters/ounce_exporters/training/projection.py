"""Principal components of what a module makes of an input."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from torch import Tensor, nn

from ounce_exporters.training.neural import run

_LEAST_SPREAD = 1e-3
"""Of a feature that is standardized: of one that hardly varies, noise would count as much."""


class Projection(nn.Module):
    """The first principal components, all divided by one number: the first one has variance 1.

    Args:
        features: from an input to an array of shape (n, n_features).
        inputs: to learn from.
        n_most: components at most.
        standardize: whether each feature is brought to variance 1 before.
        remainder: whether the length of what the components leave is one more feature (J. E.
            Jackson and G. S. Mudholkar, "Control Procedures for Residuals Associated with
            Principal Component Analysis", Technometrics 21, 1979).
    """

    mean: Tensor
    weights: Tensor
    scale: Tensor

    def __init__(
        self,
        features: nn.Module,
        inputs: NDArray[Any],
        n_most: int,
        *,
        standardize: bool = False,
        remainder: bool = False,
    ) -> None:
        super().__init__()
        self.features, self.remainder = features.eval(), remainder
        rows = run(features, inputs).astype(np.float64)
        spread = np.maximum(rows.std(axis=0), _LEAST_SPREAD) if standardize else np.ones(1)
        found = PCA(min(n_most, *rows.shape), svd_solver="full").fit(rows / spread)
        length = np.sqrt(max(float(found.explained_variance_[0]), 1e-12))
        self.register_buffer("mean", _as_tensor(found.mean_ * spread))
        self.register_buffer("scale", _as_tensor(1 / (spread * length)))
        self.register_buffer("weights", _as_tensor(found.components_.T))

    def forward(self, inputs: Tensor) -> Tensor:
        """Array of shape (n, n_components), or one more."""
        centred = (self.features(inputs) - self.mean) * self.scale
        found: Tensor = centred @ self.weights
        if not self.remainder:
            return found
        left = centred - found @ self.weights.T
        return torch.cat([found, left.square().sum(dim=1, keepdim=True).sqrt()], dim=1)


def _as_tensor(values: NDArray[np.float64]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)
