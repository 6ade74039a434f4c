"""A network that has learned the distances of another model from its clusters."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper
from ounce_schemas.task import CLUSTER_POWER

from ounce_exporters.export.dense import make_model
from ounce_exporters.export.graphs import UNCALIBRATED
from ounce_exporters.export.trees import FEATURES
from ounce_exporters.training.clusters import LEAST_ENERGY, NONE_SHARE, ClusterEstimator
from ounce_exporters.training.estimator import GraphEstimator
from ounce_exporters.training.neural import Training, run, train
from ounce_exporters.training.perceptron import Perceptron, make_layers

_STEPS = 3000
"""Of training, whatever the number of rows."""


class ClusterNetwork(GraphEstimator):
    """Two hidden layers. Its work grows with the features, that of full covariances with their
    square.

    Args:
        teacher: whose energies it learns.
        width: of the hidden layers.
        random_state: of everything that is random.
    """

    def __init__(self, teacher: ClusterEstimator, width: int = 32, random_state: int = 0) -> None:
        self.teacher = teacher
        self.width = width
        self.random_state = random_state

    def fit(
        self, X: NDArray[Any], y: object = None, sample_weight: NDArray[np.float64] | None = None
    ) -> "ClusterNetwork":
        """Learn from rows; arguments as of `ClusterEstimator.fit`."""
        rows = np.asarray(X, np.float32)
        teacher = self.teacher.fit(rows, y)
        logits = teacher.outputs(rows)[:, :-1]
        taught = logits * np.float32(-2 / CLUSTER_POWER)  # logarithms of energies

        sizes = (rows.shape[1], self.width, self.width, taught.shape[1])
        batch = min(128, len(rows))
        epochs = max(1, _STEPS * batch // len(rows))
        training = Training(epochs, learning_rate=5e-3, batch_size=batch, weight_decay=1e-4)
        network = train(
            lambda: make_layers(sizes), rows, taught, training, self.random_state, self.tell
        )
        end = float(np.quantile(run(network, rows).min(axis=1), 1 - NONE_SHARE))
        self.layers_ = Perceptron.of(network).then(-CLUSTER_POWER / 2, -end)
        return self

    def outputs(self, X: NDArray[Any]) -> NDArray[np.float32]:
        """Logits of the clusters and of none, shape (n_rows, n_clusters + 1)."""
        most = np.float32(-CLUSTER_POWER / 2 * np.log(LEAST_ENERGY))
        logits = np.minimum(self.layers_.outputs(np.asarray(X, np.float32)), most)
        return np.pad(logits, ((0, 0), (0, 1)))

    def to_graph(self) -> onnx.ModelProto:
        """From `features` to `uncalibrated`."""
        nodes, constants = self.layers_.nodes(FEATURES, "sums")
        constants |= {
            "most": np.array(-CLUSTER_POWER / 2 * np.log(LEAST_ENERGY), np.float32),
            "one_behind": np.array([0, 0, 0, 1], np.int64),
        }
        nodes += [
            helper.make_node("Min", ["sums", "most"], ["of_clusters"]),
            helper.make_node("Pad", ["of_clusters", "one_behind"], [UNCALIBRATED]),
        ]
        weights = self.layers_.weights
        shape = (len(weights[0]), weights[-1].shape[1] + 1)
        return make_model("cluster-network", nodes, constants, shape)

    def count_numbers(self) -> int:
        """Learned weights."""
        return self.layers_.size
