"""Calibration: honest confidences for classes, honest intervals for values.

Both are fitted on the validation split. Routing relies on the accuracy measured on that same
split. For classification this is sound because temperature scaling divides logarithms of
probabilities by one number and so never changes which class comes first; for regression because
the half width never changes the value. Accuracy depends on neither.
"""

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper
from ounce_schemas.task import TaskSpec
from scipy.optimize import minimize_scalar  # type: ignore[import-untyped]

from ounce_exporters.export.graphs import UNCALIBRATED, append, without_softmax

FLOOR = 1e-6
"""Least probability before the logarithm: trees answer with exact zeros."""
TEMPERATURES = (0.05, 20.0)


class Calibrator(Protocol):
    """A fitted calibration: computed here, or appended to a graph."""

    def apply(self, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Calibrated outputs, the task's output from `FittedModel.predict`'s."""
        ...

    def attach(self, model: onnx.ModelProto, task: TaskSpec) -> onnx.ModelProto:
        """A graph that computes `apply` in place of its output `uncalibrated`."""
        ...


def fit_calibrator(
    task: TaskSpec, outputs: NDArray[np.float32], targets: NDArray[Any]
) -> "Temperature | ConformalInterval":
    """Fit what the kind of task needs, on outputs and targets of the validation split."""
    if task.kind == "classification":
        return Temperature(fit_temperature(outputs, targets))
    assert task.interval_coverage is not None  # checked by TaskSpec
    return ConformalInterval(fit_half_width(outputs, targets, task.interval_coverage))


@dataclass(frozen=True)
class Temperature:
    """Divides the logarithms of probabilities by one number."""

    temperature: float

    def apply(self, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Calibrated probabilities, array of shape (n_items, n_labels)."""
        logarithms = np.log(np.maximum(outputs, np.float32(FLOOR)))
        scaled = logarithms * np.float32(1 / self.temperature)
        powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        result: NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
        return result

    def attach(self, model: onnx.ModelProto, task: TaskSpec) -> onnx.ModelProto:
        """The graph with calibrated `probabilities`.

        Where the graph ends with a softmax, the logits before it serve as the logarithms: they
        differ by a constant per item, and by what `FLOOR` cuts off. Fewer operations: at batch 1
        each costs as much as a light model's convolution.
        """
        scaled = [
            helper.make_node("Mul", ["logarithms", "inverse_temperature"], ["scaled"]),
            helper.make_node("Softmax", ["scaled"], [task.output.name], axis=1),
        ]
        constants = {"inverse_temperature": np.array(1 / self.temperature, np.float32)}
        logits = without_softmax(model)
        if logits is not None:
            scaled[0].input[0] = UNCALIBRATED
            return append(logits, scaled, constants, task.output)
        logarithms = [
            helper.make_node("Clip", [UNCALIBRATED, "floor"], ["clipped"]),
            helper.make_node("Log", ["clipped"], ["logarithms"]),
        ]
        constants["floor"] = np.array(FLOOR, np.float32)
        return append(model, logarithms + scaled, constants, task.output)


@dataclass(frozen=True)
class ConformalInterval:
    """Puts an interval of one half width around every value."""

    half_width: float

    def apply(self, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Estimates (value, lower, upper), array of shape (n_items, 3)."""
        half = np.float32(self.half_width)
        return np.concatenate([outputs, outputs - half, outputs + half], axis=1)

    def attach(self, model: onnx.ModelProto, task: TaskSpec) -> onnx.ModelProto:
        """The graph with `estimate`."""
        nodes = [
            helper.make_node("Sub", [UNCALIBRATED, "half_width"], ["lower"]),
            helper.make_node("Add", [UNCALIBRATED, "half_width"], ["upper"]),
            helper.make_node(
                "Concat", [UNCALIBRATED, "lower", "upper"], [task.output.name], axis=1
            ),
        ]
        constants = {"half_width": np.array(self.half_width, np.float32)}
        return append(model, nodes, constants, task.output)


def fit_temperature(probabilities: NDArray[np.float32], targets: NDArray[Any]) -> float:
    """The temperature that gives the true classes the greatest likelihood.

    Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.

    Args:
        probabilities: array of shape (n_items, n_labels).
        targets: label indices, array of shape (n_items,).

    Returns:
        A number in `TEMPERATURES`; above 1 softens the confidences, below 1 sharpens them.
    """
    logits = np.log(np.maximum(probabilities.astype(np.float64), FLOOR))
    of_truth = np.arange(len(targets)), targets.astype(np.int64)

    def negative_log_likelihood(log_temperature: float) -> float:
        scaled = logits / math.exp(log_temperature)
        scaled -= scaled.max(axis=1, keepdims=True)
        return float((np.log(np.exp(scaled).sum(axis=1)) - scaled[of_truth]).mean())

    low, high = (math.log(t) for t in TEMPERATURES)
    best = minimize_scalar(negative_log_likelihood, bounds=(low, high), method="bounded")
    return math.exp(float(best.x))


def fit_half_width(values: NDArray[np.float32], targets: NDArray[Any], coverage: float) -> float:
    """Half width of the split-conformal interval, in the target's unit.

    The k-th least absolute error with k = ceil((n + 1) * coverage): an interval of this half width
    holds the true value of a new item with a probability of at least `coverage` (Lei et al.,
    "Distribution-Free Predictive Inference for Regression", JASA 113, 2018).

    Args:
        values: array of shape (n_items, 1).
        targets: array of shape (n_items,).
        coverage: in (0, 1); where there are too few items for it, the greatest error is taken.
    """
    errors = np.sort(np.abs(values[:, 0].astype(np.float64) - targets.astype(np.float64)))
    k = min(math.ceil((len(errors) + 1) * coverage), len(errors))
    return float(errors[k - 1])
