"""Calibration: honest confidences for classes, honest intervals for values.

Both are fitted on the validation split. `export.p_values` is for anomaly scores. Routing relies on
the accuracy measured on that same split. That is sound, since accuracy depends on neither.
Temperature scaling divides logits by one number, so it never changes which class comes first. The
half width never changes the value.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper
from ounce_schemas.task import TaskSpec
from scipy.optimize import minimize_scalar
from scipy.special import softmax

from ounce_exporters.evaluation.figures import expected_calibration_error
from ounce_exporters.export.cluster_odds import ClusterOdds
from ounce_exporters.export.graphs import UNCALIBRATED, append
from ounce_exporters.export.p_values import ConformalPValues, fit_p_values
from ounce_exporters.export.weighing import fit_biases, folds_of

TEMPERATURES = (0.05, 20.0)
_NO_PRIOR = np.empty(0)
FOLDS = 5
"""Parts of the validation split, each judged by the temperature that the others give."""


def fit_calibrator(
    task: TaskSpec,
    outputs: NDArray[np.float32],
    targets: NDArray[Any],
    prior: NDArray[np.float64],
) -> "Fitted":
    """Fit what the kind of task and its measure need, on the validation split.

    Args:
        task: what is calibrated for.
        outputs: of `FittedModel.predict`; shape (n_items, output size).
        targets: shape (n_items,).
        prior: share of each class that the model has learned with, shape (n_labels,).
    """
    if task.kind == "anomaly":
        assert task.false_alarms is not None  # checked by TaskSpec
        return fit_p_values(outputs, targets, task.false_alarms)
    if task.kind == "clusters":
        near = targets < len(task.labels) - 1
        return ClusterOdds(fit_temperature(outputs[near, :-1], targets[near]))
    if task.classifies:
        temperature = fit_temperature(outputs, targets)
        biases = fit_biases(task, outputs / temperature, targets, prior)
        return Temperature(temperature, biases)
    assert task.interval_coverage is not None  # checked by TaskSpec
    return ConformalInterval(fit_half_width(outputs, targets, task.interval_coverage))


def validation_answers(
    task: TaskSpec,
    calibrator: "Fitted",
    outputs: NDArray[np.float32],
    targets: NDArray[Any],
) -> NDArray[np.float32]:
    """Calibrated answers that may judge the model; shape (n_items, output size).

    A threshold of F1 is chosen by the answers themselves. So each fifth of them is judged by the
    threshold that the other items give. No other calibration can flatter the measure: a threshold
    of recall depends on other classes' items alone, and balancing on the classes' shares.

    Args:
        task: whose measure is judged.
        calibrator: fitted on these very outputs.
        outputs: as of `fit_calibrator`.
        targets: likewise.
    """
    if task.measure.kind != "f1" or not isinstance(calibrator, Temperature):
        return calibrator.apply(outputs)
    folds = folds_of(targets)
    answers = np.empty_like(outputs)
    for fold in np.unique(folds):
        rest, here = folds != fold, folds == fold
        scores = outputs[rest] / calibrator.temperature
        biases = fit_biases(task, scores, targets[rest], _NO_PRIOR)
        answers[here] = replace(calibrator, biases=biases).apply(outputs[here])
    return answers


@dataclass(frozen=True)
class Temperature:
    """Divides logits by one number, adds a bias to each class's, makes probabilities of them."""

    temperature: float
    biases: tuple[float, ...] = ()
    """As of `weighing.fit_biases`."""

    @property
    def unweighed(self) -> "Temperature":
        """The same without biases: classes are as frequent as they are."""
        return replace(self, biases=())

    def apply(self, outputs: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Calibrated probabilities, array of shape (n_items, n_labels), from logits."""
        scaled = outputs.astype(np.float64) / self.temperature
        if self.biases:
            scaled = scaled + np.array(self.biases)
        return np.asarray(softmax(scaled, axis=1), np.float32)

    def attach(self, model: onnx.ModelProto, task: TaskSpec) -> onnx.ModelProto:
        """The graph with calibrated `probabilities`."""
        nodes = [helper.make_node("Mul", [UNCALIBRATED, "inverse_temperature"], ["scaled"])]
        constants = {"inverse_temperature": np.array(1 / self.temperature, np.float32)}
        logits = "scaled"
        if self.biases:
            logits = "weighed"
            nodes.append(helper.make_node("Add", ["scaled", "biases"], [logits]))
            constants["biases"] = np.array(self.biases, np.float32)
        nodes.append(helper.make_node("Softmax", [logits], [task.output.name], axis=1))
        return append(model, nodes, constants, task.output)


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


Fitted = Temperature | ConformalInterval | ConformalPValues | ClusterOdds


def fit_temperature(logits: NDArray[np.float32], targets: NDArray[Any]) -> float:
    """The temperature that gives the true classes the greatest likelihood, or 1.

    It is 1 where that does not lower both the log loss and the expected calibration error of items
    that had no part in the fit. On few items a fitted temperature can be worse than none.

    Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.

    Args:
        logits: array of shape (n_items, n_labels).
        targets: label indices, array of shape (n_items,).

    Returns:
        A number in `TEMPERATURES`; above 1 softens the confidences, below 1 sharpens them.
    """
    if len(targets) < 2 * FOLDS:
        return 1.0
    exact, truth = logits.astype(np.float64), targets.astype(np.int64)
    fold = np.arange(len(truth)) % FOLDS
    held_out = np.empty_like(exact)
    for k in range(FOLDS):
        out = fold == k
        held_out[out] = exact[out] / _most_likely(exact[~out], truth[~out])
    # In this order: a model that diverged has no log loss, and its calibration error is undefined.
    is_better = _log_loss(held_out, truth) < _log_loss(exact, truth) and (
        _calibration_error(held_out, truth) < _calibration_error(exact, truth)
    )
    return _most_likely(exact, truth) if is_better else 1.0


def _most_likely(logits: NDArray[np.float64], targets: NDArray[np.int64]) -> float:
    """The temperature of the least log loss, of targets that are a little less than certain.

    n right answers of n do not show that no answer is ever wrong: as much doubt is left as one
    wrong answer in n + 2 (Platt, "Probabilistic Outputs for Support Vector Machines", 1999).
    """
    doubt = 1 / (len(targets) + 2)
    low, high = (math.log(t) for t in TEMPERATURES)
    best = minimize_scalar(
        lambda log_temperature: _log_loss(logits / math.exp(log_temperature), targets, doubt),
        bounds=(low, high),
        method="bounded",
    )
    return math.exp(float(best.x))


def _log_loss(logits: NDArray[np.float64], targets: NDArray[np.int64], doubt: float = 0.0) -> float:
    """Mean negative log likelihood of targets that are spread evenly by a share of `doubt`."""
    centred = logits - logits.max(axis=1, keepdims=True)
    of_truth = centred[np.arange(len(targets)), targets]
    expected = (1 - doubt) * of_truth + doubt * centred.mean(axis=1)
    return float((np.log(np.exp(centred).sum(axis=1)) - expected).mean())


def _calibration_error(logits: NDArray[np.float64], targets: NDArray[np.int64]) -> float:
    return expected_calibration_error(Temperature(1.0).apply(logits), targets)


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
