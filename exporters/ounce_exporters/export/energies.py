"""Energies of clusters, quadratic in the features, and the graph that makes logits of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, helper

from ounce_exporters.export.dense import make_model
from ounce_exporters.export.graphs import UNCALIBRATED
from ounce_exporters.export.trees import FEATURES

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Quadratic:
    """One energy a cluster: sum of squares of `features @ weights + shift`, and an offset.

    Where each cluster's weights are a diagonal, the squares are multiplied out: as many
    multiplications as two linear layers.
    """

    offsets: Floats
    """Shape (n_clusters,)."""
    weights: Floats
    """Of factors: shape (n_clusters, n_features, n_features). Of scales: what the features are
    multiplied by, shape (n_clusters, n_features)."""
    shift: Floats
    """Of factors: shape (n_clusters, n_features). Of scales: what their squares are multiplied by,
    likewise."""

    @classmethod
    def of_factors(
        cls, means: NDArray[np.float64], factors: NDArray[np.float64], offsets: NDArray[np.float64]
    ) -> "Quadratic":
        """From means (n, n_features) and Cholesky factors of precisions (n, n_features,
        n_features)."""
        shift = -np.einsum("kf,kfg->kg", means, factors)
        return cls(offsets.astype(np.float32), factors.astype(np.float32), shift.astype(np.float32))

    @classmethod
    def of_scales(
        cls,
        means: NDArray[np.float64],
        precisions: NDArray[np.float64],
        offsets: NDArray[np.float64],
    ) -> "Quadratic":
        """From means and precisions of each feature, both of shape (n, n_features)."""
        constant = offsets + (np.square(means) * precisions).sum(axis=1)
        return cls(
            constant.astype(np.float32),
            (-2 * means * precisions).astype(np.float32),
            precisions.astype(np.float32),
        )

    @property
    def n_features(self) -> int:
        """Features that it reads."""
        return int(self.shift.shape[1])

    @property
    def size(self) -> int:
        """Its numbers."""
        return int(self.offsets.size + self.weights.size + self.shift.size)

    def in_order(self, order: NDArray[np.intp]) -> "Quadratic":
        """The same clusters in another order."""
        return Quadratic(self.offsets[order], self.weights[order], self.shift[order])

    def over(self, end: float) -> "Quadratic":
        """The same energies in shares of one at which a cluster ends."""
        root = 1.0 if self.weights.ndim == 2 else end**0.5
        by = end / root
        return Quadratic(
            self.offsets / np.float32(end),
            self.weights / np.float32(by),
            self.shift / np.float32(by),
        )

    def of(self, features: Floats) -> Floats:
        """Energies, shape (n_rows, n_clusters), of features of shape (n_rows, n_features)."""
        if self.weights.ndim == 2:
            squares = np.square(features) @ self.shift.T
            return np.asarray(features @ self.weights.T + self.offsets + squares, np.float32)
        spread = features @ self._side_by_side() + self.shift.ravel()
        squares = np.square(spread).reshape(len(features), *self.shift.shape).sum(axis=2)
        return np.asarray(squares + self.offsets, np.float32)

    def _side_by_side(self) -> Floats:
        """Factors of all clusters, shape (n_features, n_clusters * n_features)."""
        return self.weights.transpose(1, 0, 2).reshape(self.n_features, -1)

    def nodes(self, result: str) -> tuple[list[NodeProto], dict[str, NDArray[Any]]]:
        """The nodes that compute `of`, and their constants."""
        if self.weights.ndim == 2:
            return [
                helper.make_node("Mul", [FEATURES, FEATURES], ["squares"]),
                helper.make_node("MatMul", ["squares", "precisions"], ["lengths"]),
                helper.make_node("Gemm", [FEATURES, "weights", "offsets"], ["products"]),
                helper.make_node("Add", ["products", "lengths"], [result]),
            ], {
                "precisions": self.shift.T,
                "weights": self.weights.T,
                "offsets": self.offsets,
            }
        n_clusters, n_features = self.shift.shape
        sums = np.kron(np.eye(n_clusters), np.ones((n_features, 1))).astype(np.float32)
        return [
            helper.make_node("Gemm", [FEATURES, "factors", "shift"], ["spread"]),
            helper.make_node("Mul", ["spread", "spread"], ["squares"]),
            helper.make_node("Gemm", ["squares", "sums", "offsets"], [result]),
        ], {
            "factors": self._side_by_side(),
            "shift": self.shift.ravel(),
            "sums": sums,
            "offsets": self.offsets,
        }


def emit_clusters(energies: Quadratic, least: float, power: float) -> onnx.ModelProto:
    """From `features` to logits of the clusters and of none: `-power / 2 * ln(energy)` and 0.

    Args:
        energies: of the clusters, in shares of the one at which a cluster ends.
        least: energy below which all are alike.
        power: of the distance, which is the energy's root.
    """
    nodes, constants = energies.nodes("energies")
    nodes += [
        helper.make_node("Max", ["energies", "least"], ["bounded"]),
        helper.make_node("Log", ["bounded"], ["logarithms"]),
        helper.make_node("Mul", ["logarithms", "minus_half_power"], ["of_clusters"]),
        helper.make_node("Pad", ["of_clusters", "one_behind"], [UNCALIBRATED]),
    ]
    constants |= {
        "least": np.array(least, np.float32),
        "minus_half_power": np.array(-power / 2, np.float32),
        "one_behind": np.array([0, 0, 0, 1], np.int64),
    }
    return make_model(
        "clusters", nodes, constants, (energies.n_features, len(energies.offsets) + 1)
    )
