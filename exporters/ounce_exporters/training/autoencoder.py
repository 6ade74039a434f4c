"""An autoencoder: strange rows are those that a narrow network can't give back."""

from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper
from torch import Tensor

from ounce_exporters.export.dense import make_model
from ounce_exporters.export.graphs import UNCALIBRATED
from ounce_exporters.export.trees import FEATURES
from ounce_exporters.training.estimator import GraphEstimator
from ounce_exporters.training.neural import Training, run, train
from ounce_exporters.training.perceptron import Perceptron, make_layers

_STEPS, _MOST_EPOCHS = 3000, 100
"""Of training: so many steps, and so often each row at most."""
_NOISE = 0.3
"""Added to what the network reads while it learns, in standard deviations of a number."""
_LEAST_ERROR = 0.05
"""Usual error of a feature: a smaller one counts as this, so that no feature decides alone."""


class ReconstructionScore(GraphEstimator):
    """Errors of features that went through a narrow layer, each in shares of its usual error
    (M. Sakurada and T. Yairi, "Anomaly Detection Using Autoencoders with Nonlinear Dimensionality
    Reduction", MLSDA 2014). Noise at the input keeps it from copying (P. Vincent et al.,
    "Extracting and Composing Robust Features with Denoising Autoencoders", ICML 2008).

    Args:
        width: of the hidden layers before and behind the narrow one.
        random_state: of everything that is random.
    """

    def __init__(self, width: int = 32, random_state: int = 0) -> None:
        self.width = width
        self.random_state = random_state

    def fit(
        self, X: NDArray[Any], y: object = None, sample_weight: NDArray[np.float64] | None = None
    ) -> "ReconstructionScore":
        """Learn from rows that are taken for normal."""
        rows = np.asarray(X, np.float32)
        n_features = rows.shape[1]
        sizes = (n_features, self.width, max(1, n_features // 2), self.width, n_features)
        batch = min(128, max(16, len(rows) // 16))
        training = Training(
            min(_MOST_EPOCHS, max(1, _STEPS * batch // len(rows))),
            learning_rate=5e-3,
            batch_size=batch,
            weight_decay=1e-4,
            augment=_with_noise,
        )
        network = train(
            lambda: make_layers(sizes), rows, rows, training, self.random_state, self.tell
        )
        off = np.square(run(network, rows) - rows).mean(axis=0)
        self.inverse_errors_ = (1.0 / np.maximum(np.sqrt(off), _LEAST_ERROR)).astype(np.float32)
        self.layers_ = Perceptron.of(network)
        return self

    def outputs(self, X: NDArray[Any]) -> NDArray[np.float32]:
        """Root mean squares of the errors' shares, shape (n_rows, 1)."""
        rows = np.asarray(X, np.float32)
        off = (self.layers_.outputs(rows) - rows) * self.inverse_errors_
        return np.asarray(np.sqrt(np.square(off).mean(axis=1, keepdims=True)), np.float32)

    def to_graph(self) -> onnx.ModelProto:
        """From `features` to `uncalibrated`."""
        nodes, constants = self.layers_.nodes(FEATURES, "given_back")
        n_features = len(self.inverse_errors_)
        constants |= {
            "inverse_errors": self.inverse_errors_ / np.float32(np.sqrt(n_features)),
            "axes": np.array([1]),
        }
        nodes += [
            helper.make_node("Sub", ["given_back", FEATURES], ["off"]),
            helper.make_node("Mul", ["off", "inverse_errors"], ["shares"]),
            helper.make_node("ReduceL2", ["shares", "axes"], [UNCALIBRATED], keepdims=1),
        ]
        return make_model("autoencoder", nodes, constants, (n_features, 1))

    def count_numbers(self) -> int:
        """Learned numbers."""
        return int(self.layers_.size + self.inverse_errors_.size)


def _with_noise(batch: Tensor, generator: torch.Generator) -> Tensor:
    return batch + _NOISE * torch.randn(batch.shape, generator=generator)
