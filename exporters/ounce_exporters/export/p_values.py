"""Conformal p-values: an anomaly score becomes the share of normal items that are as strange.

An item's p-value is the rank of its score among those of normal items that taught the model
nothing. So an item that is like them is flagged with a probability of at most the promised rate,
whatever the model is (V. Vovk, A. Gammerman and G. Shafer, "Algorithmic Learning in a Random
World", 2005; R. Laxhammar, "Conformal Anomaly Detection", 2014).

The graph holds a curve from score to the logarithm of rate over p-value, linear between knots. Its
zero is exactly the score that the rank puts on the edge. Beyond the greatest score the curve goes
on in a line: such p-values are no ranks, but keep strange items in order.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper
from ounce_schemas.errors import DataError
from ounce_schemas.task import TaskSpec
from ounce_schemas.wording import counted

from ounce_exporters.export.graphs import UNCALIBRATED, append

MOST_KNOTS = 48
_TAIL = 10
"""Greatest scores that tell how fast the tail falls."""
_LEAST_STEP = 1e-6
"""Share of the scores' range: closer knots are one."""


@dataclass(frozen=True)
class ConformalPValues:
    """Makes two probabilities of a score: the odds of `anomaly` are the rate over the p-value."""

    scores: tuple[float, ...]
    """Knots of the curve, ascending, at least two."""
    odds: tuple[float, ...]
    """Logarithm of rate over p-value at each knot, ascending."""
    slope: float
    """Of the logarithm beyond the last knot."""
    rate: float
    n: int
    """Normal items that the ranks are among."""

    def apply(self, outputs: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Probabilities of normal and anomaly, shape (n_items, 2), from scores (n_items, 1)."""
        score = outputs[:, 0].astype(np.float64)
        odds = np.interp(score, self.scores, self.odds)
        odds = odds + np.maximum(score - self.scores[-1], 0.0) * self.slope
        with np.errstate(over="ignore"):
            shares = [1.0 / (1.0 + np.exp(odds)), 1.0 / (1.0 + np.exp(-odds))]
        return np.stack(shares, axis=1).astype(np.float32)

    def attach(self, model: onnx.ModelProto, task: TaskSpec) -> onnx.ModelProto:
        """The graph with `probabilities`: each interval adds what the score has come through."""
        lows, widths = np.array(self.scores[:-1]), np.diff(self.scores)
        nodes = [
            helper.make_node("Sub", [UNCALIBRATED, "lows"], ["above"]),
            helper.make_node("Mul", ["above", "per_width"], ["parts"]),
            helper.make_node("Clip", ["parts", "zero", "one"], ["through"]),
            helper.make_node("MatMul", ["through", "rises"], ["risen"]),
            helper.make_node("Sub", [UNCALIBRATED, "last"], ["past"]),
            helper.make_node("Relu", ["past"], ["beyond"]),
            helper.make_node("Mul", ["beyond", "slope"], ["tail"]),
            helper.make_node("Sum", ["risen", "first", "tail"], ["odds"]),
            helper.make_node("Neg", ["odds"], ["negative"]),
            helper.make_node("Concat", ["negative", "odds"], ["both"], axis=1),
            helper.make_node("Sigmoid", ["both"], [task.output.name]),
        ]
        constants = {
            "lows": lows.astype(np.float32)[None, :],
            "per_width": (1.0 / widths).astype(np.float32)[None, :],
            "zero": np.array(0, np.float32),
            "one": np.array(1, np.float32),
            "rises": np.diff(self.odds).astype(np.float32)[:, None],
            "last": np.array([[self.scores[-1]]], np.float32),
            "first": np.array([[self.odds[0]]], np.float32),
            "slope": np.array([[self.slope]], np.float32),
        }
        return append(model, nodes, constants, task.output)


def fewest_normal(rate: float) -> int:
    """The fewest normal items among which an item can be strange enough to be flagged."""
    return math.ceil(1.0 / rate - 1e-9) - 1


def fit_p_values(
    scores: NDArray[np.floating[Any]], targets: NDArray[Any], rate: float
) -> ConformalPValues:
    """The curve of a model, from its scores of items that it has not learned from.

    Args:
        scores: greater is stranger; shape (n_items, 1).
        targets: 0 for normal items, which alone count; shape (n_items,).
        rate: largest share of normal items that may be flagged.

    Raises:
        DataError: there are too few normal items, or all scores are the same.
    """
    normal = np.sort(scores[targets == 0, 0].astype(np.float64))
    n = len(normal)
    if n < fewest_normal(rate):
        raise DataError(
            f"{counted(n, 'normal row validates', 'normal rows validate')}: at least "
            f"{fewest_normal(rate)} are needed to promise "
            f"--false-alarms {rate:g}; give more rows or a larger rate"
        )
    distinct = np.unique(normal)
    if len(distinct) < 2 or not np.isfinite(distinct).all():
        raise DataError("all normal rows have the same anomaly score: nothing tells them apart")
    as_strange = n - np.searchsorted(normal, distinct, side="left")
    p = (1 + as_strange) / (n + 1)
    edge = int(np.flatnonzero(p > rate)[-1])
    p[edge] = rate  # beyond this score items are flagged, at it they are not
    knots = _choose(distinct, p, edge)
    at, odds = distinct[knots], math.log(rate) - np.log(p[knots])
    return ConformalPValues(tuple(at), tuple(odds), _slope(normal), rate, n)


def _choose(scores: NDArray[np.float64], p: NDArray[np.float64], edge: int) -> list[int]:
    """Places of the knots: ends, edge, and evenly between in the logarithm of the p-value."""
    levels = np.linspace(math.log(p[-1]), math.log(p[0]), MOST_KNOTS - 3)
    found = np.searchsorted(-np.log(p), -levels[::-1])
    places = {0, edge, len(p) - 1, *np.minimum(found, len(p) - 1).tolist()}
    least = _LEAST_STEP * (scores[-1] - scores[0])
    kept = [edge]
    for place in sorted(p for p in places if p > edge):
        if scores[place] - scores[kept[-1]] > least:
            kept.append(place)
    for place in sorted((p for p in places if p < edge), reverse=True):
        if scores[kept[0]] - scores[place] > least:
            kept.insert(0, place)
    return kept if len(kept) > 1 else [0, len(p) - 1]


def _slope(normal: NDArray[np.float64]) -> float:
    """Fall of an exponential tail, over the greatest scores (B. M. Hill, "A Simple General Approach
    to Inference About the Tail of a Distribution", Annals of Statistics 3, 1975, for exponents)."""
    tail = normal[-(_TAIL + 1) :]
    mean = float((tail[1:] - tail[0]).mean())
    return 1.0 / max(mean, 1e-3 * float(np.ptp(normal)))
