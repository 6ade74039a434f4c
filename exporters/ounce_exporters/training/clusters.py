"""Models of clusters: how far a row is from each of them, and whether it is far from all.

The odds of a cluster against `none` are one over a high power of the distance, which is 1 where the
cluster ends (noise clustering: R. N. Davé, "Characterization and Detection of Noise in Clustering",
Pattern Recognition Letters 12, 1991).
"""

from abc import abstractmethod
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from ounce_schemas.task import CLUSTER_POWER
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture

from ounce_exporters.export.energies import Quadratic, emit_clusters
from ounce_exporters.training.estimator import GraphEstimator

NONE_SHARE = 0.01
"""Of the rows that a model learns from, those beyond the end of their nearest cluster."""
LEAST_ENERGY = 1e-6
"""Of a cluster's end: nearer is as near."""
_LEAST_END = 1e-6
"""Energy at which a cluster ends whose rows are all alike."""
_RIDGE = 1e-3
"""Added to variances of features, whose own are near 1, so that each covariance has an inverse."""


class ClusterEstimator(GraphEstimator):
    """Measures an energy for each cluster: a squared distance that grows with strangeness.

    Args:
        n_clusters: how many.
        random_state: of everything that is random.
    """

    def __init__(self, n_clusters: int = 2, random_state: int = 0) -> None:
        self.n_clusters = n_clusters
        self.random_state = random_state

    @abstractmethod
    def learn(self, rows: NDArray[np.float64]) -> Quadratic:
        """The energies of the clusters that are found in rows of shape (n_rows, n_features)."""

    def fit(
        self, X: NDArray[Any], y: object = None, sample_weight: NDArray[np.float64] | None = None
    ) -> "ClusterEstimator":
        """Learn clusters. Their order is that of the labels, or of their sizes without any.

        Args:
            X: features, shape (n_rows, n_features).
            y: clusters as the reference assigns them, the last label being none; shape (n_rows,).
            sample_weight: not looked at.
        """
        rows = np.asarray(X, np.float64)
        found = self.learn(rows)
        nearest = found.of(rows.astype(np.float32)).argmin(axis=1)
        best = found.of(rows.astype(np.float32)).min(axis=1)
        end = max(float(np.quantile(best, 1 - NONE_SHARE)), _LEAST_END)
        self.energies_ = found.in_order(_order(nearest, y, self.n_clusters)).over(end)
        return self

    def outputs(self, X: NDArray[Any]) -> NDArray[np.float32]:
        """Logits of the clusters and of none, shape (n_rows, n_clusters + 1)."""
        energies = self.energies_.of(np.asarray(X, np.float32))
        logits = np.log(np.maximum(energies, np.float32(LEAST_ENERGY))) * (-CLUSTER_POWER / 2)
        return np.pad(logits.astype(np.float32), ((0, 0), (0, 1)))

    def to_graph(self) -> onnx.ModelProto:
        """From `features` to `uncalibrated`."""
        return emit_clusters(self.energies_, LEAST_ENERGY, CLUSTER_POWER)

    def count_numbers(self) -> int:
        """Learned numbers."""
        return self.energies_.size


class KMeansClusters(ClusterEstimator):
    """Squared distances from centres."""

    def learn(self, rows: NDArray[np.float64]) -> Quadratic:
        """k-means++ and Lloyd's rounds, the best of ten starts."""
        found = KMeans(self.n_clusters, n_init=10, random_state=self.random_state).fit(rows)
        precisions = np.ones_like(found.cluster_centers_)
        return Quadratic.of_scales(found.cluster_centers_, precisions, np.zeros(self.n_clusters))


class MixtureClusters(ClusterEstimator):
    """Minus twice the logarithm of each normal distribution's density, over the least of all.

    Args:
        n_clusters: how many.
        covariance: of each: full, or of the diagonal alone, which is cheaper.
        random_state: of everything that is random.
    """

    def __init__(
        self,
        n_clusters: int = 2,
        covariance: Literal["full", "diag"] = "full",
        random_state: int = 0,
    ) -> None:
        super().__init__(n_clusters, random_state)
        self.covariance = covariance

    def learn(self, rows: NDArray[np.float64]) -> Quadratic:
        """Expectation and maximisation, the best of three starts."""
        found = self.mixture(rows)
        factors = found.precisions_cholesky_
        full = self.covariance == "full"
        diagonals = np.diagonal(factors, axis1=1, axis2=2) if full else factors
        offsets = -2 * (np.log(diagonals).sum(axis=1) + np.log(found.weights_))
        offsets = offsets - offsets.min()
        if full:
            return Quadratic.of_factors(found.means_, factors, offsets)
        return Quadratic.of_scales(found.means_, np.square(factors), offsets)

    def mixture(self, rows: NDArray[np.float64]) -> GaussianMixture:
        """The fitted mixture."""
        return GaussianMixture(
            self.n_clusters,
            covariance_type=self.covariance,
            reg_covar=_RIDGE,
            n_init=3,
            random_state=self.random_state,
        ).fit(rows)


def _order(nearest: NDArray[np.intp], y: object, n: int) -> NDArray[np.intp]:
    """Which found cluster stands in each place."""
    if y is None:
        return np.argsort(-np.bincount(nearest, minlength=n), kind="stable")
    labels = np.asarray(y, np.int64)
    counts = np.zeros((n, n), np.int64)
    known = labels < n
    np.add.at(counts, (labels[known], nearest[known]), 1)
    return np.asarray(linear_sum_assignment(-counts)[1], np.intp)
