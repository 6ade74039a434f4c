"""Mahalanobis distance: how far a row is from the mean, in standard deviations."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from sklearn.covariance import LedoitWolf

from ounce_exporters.export.dense import emit_distance
from ounce_exporters.training.estimator import GraphEstimator


class MahalanobisScore(GraphEstimator):
    """Distances in standard deviations. The covariance is shrunk, so that it has an inverse
    (O. Ledoit and M. Wolf, "A Well-Conditioned Estimator for Large-Dimensional Covariance
    Matrices", Journal of Multivariate Analysis 88, 2004)."""

    def fit(
        self, X: NDArray[Any], y: object = None, sample_weight: NDArray[np.float64] | None = None
    ) -> "MahalanobisScore":
        """Learn from rows that are taken for normal."""
        found = LedoitWolf().fit(np.asarray(X, np.float64))
        values, vectors = np.linalg.eigh(found.covariance_)
        kept = values > 1e-6 * max(float(values[-1]), 1e-12)
        self.weights_ = (vectors[:, kept] / np.sqrt(values[kept])).astype(np.float32)
        self.mean_ = found.location_.astype(np.float32)
        return self

    def outputs(self, X: NDArray[Any]) -> NDArray[np.float32]:
        """Distances, shape (n_rows, 1)."""
        spread = (np.asarray(X, np.float32) - self.mean_) @ self.weights_
        return np.asarray(np.sqrt(np.square(spread).sum(axis=1, keepdims=True)), np.float32)

    def to_graph(self) -> onnx.ModelProto:
        """From `features` to `uncalibrated`."""
        return emit_distance(self.mean_, self.weights_)

    def count_numbers(self) -> int:
        """Learned numbers."""
        return int(self.mean_.size + self.weights_.size)
