"""Calibration of clusters: odds among them are softened, the odds of none stay.

The odds of none against the nearest cluster hold the distance from it, so no temperature may touch
them.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper
from ounce_schemas.task import TaskSpec
from scipy.special import softmax

from ounce_exporters.export.graphs import UNCALIBRATED, append


@dataclass(frozen=True)
class ClusterOdds:
    """Divides how far each cluster's logit is behind the greatest one by a number."""

    temperature: float

    def apply(self, outputs: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Probabilities of the clusters and of none, shape (n_items, n_labels), from logits."""
        exact = outputs.astype(np.float64)
        clusters, none = exact[:, :-1], exact[:, -1:]
        best = clusters.max(axis=1, keepdims=True)
        logits = np.concatenate([best + (clusters - best) / self.temperature, none], axis=1)
        return np.asarray(softmax(logits, axis=1), np.float32)

    def attach(self, model: onnx.ModelProto, task: TaskSpec) -> onnx.ModelProto:
        """The graph with calibrated `probabilities`."""
        if self.temperature == 1.0:
            node = helper.make_node("Softmax", [UNCALIBRATED], [task.output.name], axis=1)
            return append(model, [node], {}, task.output)
        nodes = [
            helper.make_node("Split", [UNCALIBRATED, "sizes"], ["clusters", "none"], axis=1),
            helper.make_node("ReduceMax", ["clusters", "axes"], ["best"], keepdims=1),
            helper.make_node("Sub", ["clusters", "best"], ["behind"]),
            helper.make_node("Mul", ["behind", "inverse_temperature"], ["softened"]),
            helper.make_node("Add", ["softened", "best"], ["calibrated"]),
            helper.make_node("Concat", ["calibrated", "none"], ["logits"], axis=1),
            helper.make_node("Softmax", ["logits"], [task.output.name], axis=1),
        ]
        constants: dict[str, NDArray[Any]] = {
            "sizes": np.array([len(task.labels) - 1, 1], np.int64),
            "axes": np.array([1], np.int64),
            "inverse_temperature": np.array(1 / self.temperature, np.float32),
        }
        return append(model, nodes, constants, task.output)
