"""A support vector machine with a Gaussian kernel and few support vectors.

An exact one keeps a share of the training rows, so its size and time grow with the data. This one
keeps at most `MOST_VECTORS` prototypes, the centres of k-means, and is linear in the features that
they span (Williams and Seeger, "Using the Nyström Method to Speed Up Kernel Machines", 2001; Zhang,
Tsang and Kwok, "Improved Nyström Low-Rank Approximation", 2008). What is exported is the sum over
prototypes that this comes to.
"""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from sklearn.cluster import MiniBatchKMeans

from ounce_exporters.export.dense import emit_kernel, exponent_terms
from ounce_exporters.training.estimator import GraphEstimator
from ounce_exporters.training.linear import as_outputs, targets_of
from ounce_exporters.training.margins import choose_penalty, fit_margins

MOST_VECTORS = 256
_PENALTIES = np.logspace(-7, -1, 13)
_WIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Gammas to choose from, against one over the median squared distance."""
_LEAST_EIGENVALUE = 1e-4
"""Smaller ones, against the largest, would ask for more digits than float32 has."""
_ROWS = 4096

Floats = NDArray[np.float64]


class KernelSVM(GraphEstimator):
    """Reads standardized features; squared hinge loss, each class against the others.

    Args:
        n_classes: number of classes; 0 for a quantity.
        n_vectors: support vectors at most.
        random_state: seed of k-means.
    """

    def __init__(
        self, n_classes: int = 2, n_vectors: int = MOST_VECTORS, random_state: int = 0
    ) -> None:
        self.n_classes = n_classes
        self.n_vectors = n_vectors
        self.random_state = random_state

    def fit(
        self, X: NDArray[Any], y: NDArray[Any], sample_weight: NDArray[np.float64] | None = None
    ) -> "KernelSVM":
        """Learn; kernel width and penalty have the least leave-one-out error."""
        rows = np.asarray(X, np.float32)
        weights = np.ones(len(y)) if sample_weight is None else sample_weight
        wanted, centre, spread = targets_of(y, self.n_classes)
        self.centres_ = _prototypes(rows, self.n_vectors, self.random_state)
        best: tuple[float, float, float, Floats] | None = None
        scale = 1.0 / _median_distance(self.centres_)
        for width in _WIDTHS:
            features, _ = _spanned(rows, self.centres_, width * scale)
            penalty, error, start = choose_penalty(features, wanted, weights, _PENALTIES)
            if best is None or error < best[1]:
                best = width * scale, error, penalty, start
        assert best is not None  # there is a width
        self.gamma_, _, penalty, start = best
        features, basis = _spanned(rows, self.centres_, self.gamma_)
        found = fit_margins(features, wanted, weights, penalty, start)
        dual = np.vstack([basis @ found[:-1], found[-1:]])
        self.dual_, self.bias_ = as_outputs(dual, self.n_classes, centre, spread)
        return self

    def outputs(self, X: NDArray[Any]) -> NDArray[np.float32]:
        """Logits of shape (n_rows, n_classes), or values of shape (n_rows, 1)."""
        rows = np.asarray(X, np.float32)
        parts = [
            _kernel(rows[i : i + _ROWS], self.centres_, self.gamma_).astype(np.float32)
            for i in range(0, len(rows), _ROWS)
        ]
        return np.asarray(np.concatenate(parts) @ self.dual_ + self.bias_, np.float32)

    def to_graph(self) -> onnx.ModelProto:
        """From `features` to `uncalibrated`."""
        return emit_kernel(self.centres_, self.gamma_, self.dual_, self.bias_)

    def count_numbers(self) -> int:
        """Learned numbers."""
        return int(self.centres_.size + self.dual_.size + self.bias_.size + 1)


def _prototypes(rows: NDArray[np.float32], n: int, seed: int) -> NDArray[np.float32]:
    distinct = np.unique(rows, axis=0)
    if len(distinct) <= n:
        return distinct
    means = MiniBatchKMeans(n, random_state=seed, n_init=1, max_iter=30, batch_size=2048).fit(rows)
    return np.asarray(means.cluster_centers_, np.float32)


def _median_distance(centres: NDArray[np.float32]) -> float:
    exact = centres.astype(np.float64)
    distances = np.square(exact[:, None, :] - exact[None, :64, :]).sum(axis=2)
    apart = distances[distances > 0]
    return float(np.median(apart)) if len(apart) else 1.0


def _kernel(rows: NDArray[np.float32], centres: NDArray[np.float32], gamma: float) -> Floats:
    first, second = exponent_terms(centres, gamma)
    exact = rows.astype(np.float64)
    lengths = gamma * np.square(exact).sum(axis=1, keepdims=True)
    return np.asarray(np.exp(exact @ first + second - lengths))


def _spanned(
    rows: NDArray[np.float32], centres: NDArray[np.float32], gamma: float
) -> tuple[Floats, Floats]:
    """Features of the rows and a last one that is 1, and the basis that makes them of the kernel;
    shapes (n_rows, n_directions + 1) and (n_centres, n_directions)."""
    values, vectors = np.linalg.eigh(_kernel(centres, centres, gamma))
    kept = values > _LEAST_EIGENVALUE * values[-1]
    basis = vectors[:, kept] / np.sqrt(values[kept])
    return np.column_stack([_kernel(rows, centres, gamma) @ basis, np.ones(len(rows))]), basis
