"""Polynomials in pieces, as operators: splines, and quantiles to and fro."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto
from scipy.interpolate import CubicSpline
from scipy.special import expit
from scipy.stats import norm

from ounce_exporters.own.operators import DIGITS, FEATURES, Operators

_NEAR = 1e-7
"""As scikit-learn keeps normal quantiles away from 0 and 1."""
_FARTHEST = float(norm.ppf(1 - (_NEAR - np.spacing(1.0))))
_MOST_ODDS = 17.0
"""Logarithm of the odds of a share beyond `_FARTHEST`."""
_KNOTS = 2400
"""With so many a cubic spline of such a curve errs by less than 1e-9."""


def piecewise(
    made: Operators,
    x: str,
    starts: NDArray[np.float64],
    weights: NDArray[np.float64],
    upper: bool = True,
) -> str:
    """A polynomial of `x` in each interval; the first and the last go on beyond.

    Args:
        made: takes the operators.
        x: double of shape (n_items, 1).
        starts: of the intervals, ascending; at a start `x` belongs to the interval behind.
        weights: of powers of `x - start`, the highest first, of shape (powers, intervals, columns).
        upper: False: at a start `x` belongs to the interval before.

    Returns:
        The name of doubles of shape (n_items, columns).
    """
    later = made.add("GreaterOrEqual" if upper else "Greater", x, starts[None, 1:])
    counts = made.add("Cast", later, to=TensorProto.INT64)
    number = made.add("ReduceSum", counts, np.array([1]), keepdims=0)
    along = made.add("Sub", x, made.add("Gather", starts[:, None], number, axis=0))
    value = made.add("Gather", weights[0], number, axis=0)
    for power in weights[1:]:
        value = made.add("Mul", value, along)
        value = made.add("Add", value, made.add("Gather", power, number, axis=0))
    return value


def to_shares(step: Any, width: int, decimals: bool) -> onnx.ModelProto:
    """A `QuantileTransformer`: each column as its share of the learned rows below it.

    Args:
        step: fitted.
        width: columns that it reads.
        decimals: whether 0.1 shall be 0.1, not what it is in float32.
    """
    made = Operators()
    whole = (made.decimals if decimals else made.doubles)(FEATURES)
    parts = []
    for place in range(width):
        x = made.columns(whole, [place])
        known = _as_requested(step.quantiles_[:, place], decimals)
        # Of values that were learned several times scikit-learn takes the middle of their shares.
        both = [_between(made, x, known, step.references_, upper) for upper in (True, False)]
        share = made.add("Mul", made.add("Add", *both), np.array(0.5))
        normal = step.output_distribution == "normal"
        near = np.array(_NEAR if normal else 0.0)
        tests = ("Less", "Greater") if normal else ("LessOrEqual", "GreaterOrEqual")
        top = made.add(tests[1], made.add("Add", x, near), known[-1:])
        share = made.add("Where", top, np.array(1.0), share)
        bottom = made.add(tests[0], made.add("Sub", x, near), known[:1])
        share = made.add("Where", bottom, np.array(0.0), share)
        if normal:
            share = _normal_of(made, share)
        gap = made.add("IsNaN", x)
        parts.append(made.add("Where", gap, np.array(np.nan), share))
    return made.of_features(width, made.side_by_side(parts))


def _as_requested(quantiles: NDArray[Any], decimals: bool) -> NDArray[np.float64]:
    """Quantiles where float32, or `Operators.decimals`, puts what they were learned of.

    Of one value scikit-learn makes several that differ in the last bits. They still do so: the
    value is the decimal among them, or else the most frequent one.
    """
    exact = np.asarray(quantiles, np.float64)
    rounded = exact.astype(np.float32)
    placed = exact.copy()
    for value in np.unique(rounded):
        alike = np.flatnonzero(rounded == value)
        if decimals and len(alike) == 1 and 0 < alike[0] < len(exact) - 1:
            continue  # most such are means of two values, and no value of the table
        found, counts = np.unique(exact[alike], return_counts=True)
        decimal = float(str(value))
        known = decimal if decimal in found else found[counts.argmax()]
        short = decimals and float(f"{decimal:.{DIGITS}g}") == decimal
        placed[alike] = exact[alike] - known + (decimal if short else float(value))
    return np.maximum.accumulate(placed)


def from_shares(step: Any) -> onnx.ModelProto:
    """A `QuantileTransformer` of one column, turned back."""
    made = Operators()
    x = made.doubles(FEATURES)
    known = np.asarray(step.quantiles_[:, 0], np.float64)
    near = 0.0
    if step.output_distribution == "normal":
        near = _NEAR
        x = smooth(made, x, norm.cdf, _FARTHEST + 1)
    value = _between(made, x, step.references_, known, True)
    top = made.add("Greater", x, np.array(1.0 - near))
    value = made.add("Where", top, known[-1:], value)
    bottom = made.add("Less", x, np.array(near))
    return made.of_features(1, made.add("Where", bottom, known[:1], value))


def _between(
    made: Operators, x: str, knots: NDArray[Any], values: NDArray[Any], upper: bool
) -> str:
    """Along straight lines between knots, of which several may be at one place."""
    x = _within(made, x, float(knots[0]), float(knots[-1]))
    if len(knots) == 1:
        return made.add("Add", made.add("Mul", x, np.array(0.0)), np.array(values[0]))
    steps = np.diff(knots)
    slopes = np.divide(np.diff(values), steps, out=np.zeros_like(steps), where=steps > 0)
    weights = np.stack([slopes, values[:-1]])[:, :, None]
    return piecewise(made, x, np.asarray(knots[:-1], np.float64), weights, upper)


def _normal_of(made: Operators, share: str) -> str:
    """The normal quantile of a share: smooth in the logarithm of the odds."""
    least = float(expit(-_MOST_ODDS))
    share = _within(made, share, least, 1.0 - least)
    x = made.add("Log", made.add("Div", share, made.add("Sub", np.array(1.0), share)))
    value = smooth(made, x, lambda odds: norm.ppf(expit(odds)), _MOST_ODDS)
    return _within(made, value, -_FARTHEST, _FARTHEST)


def smooth(
    made: Operators, x: str, function: Callable[[NDArray[Any]], NDArray[Any]], most: float
) -> str:
    """A function that is smooth between -`most` and `most`, and level beyond, by a cubic spline.

    Gaps stay gaps.

    Args:
        made: takes the operators.
        x: doubles of any shape.
        function: of NumPy.
        most: where its knots end.
    """
    knots = np.linspace(-most, most, _KNOTS + 1)
    spline = CubicSpline(knots, function(knots))
    x = made.add("Sub", _within(made, x, -most, most), np.array(-most))
    width = np.array(2 * most / _KNOTS)
    place = _within(made, made.add("Floor", made.add("Div", x, width)), 0.0, _KNOTS - 1.0)
    # A gap has a place, too: its value stays a gap, as `along` is one.
    place = made.add("Where", made.add("IsNaN", place), np.array(0.0), place)
    along = made.add("Sub", x, made.add("Mul", place, width))
    number = made.add("Cast", place, to=TensorProto.INT64)
    value = made.add("Gather", spline.c[0], number)
    for power in spline.c[1:]:
        value = made.add("Mul", value, along)
        value = made.add("Add", value, made.add("Gather", power, number))
    return value


def _within(made: Operators, x: str, least: float, most: float) -> str:
    return made.add("Min", made.add("Max", x, np.array(least)), np.array(most))
