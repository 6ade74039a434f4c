"""Targets that a regressor learns in another form, such as their logarithm."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper
from ounce_schemas.errors import ExportError
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
)

Steps = list[tuple[str, float | None]]
"""Operators, each with its constant."""
_FUNCTIONS: dict[Any, Steps] = {
    None: [],
    np.exp: [("Exp", None)],
    np.expm1: [("Exp", None), ("Sub", 1.0)],
    np.sinh: [("Sinh", None)],
    np.sqrt: [("Sqrt", None)],
    np.square: [("Pow", 2.0)],
    np.negative: [("Neg", None)],
    np.reciprocal: [("Reciprocal", None)],
    np.exp2: [("Mul", math.log(2)), ("Exp", None)],
}
"""By `inverse_func`."""
_SCALERS: dict[type, Callable[[Any], tuple[Any, Any]]] = {
    StandardScaler: lambda s: (_or(s.scale_, 1), s.mean_ if s.with_mean else 0),
    RobustScaler: lambda s: (_or(s.scale_, 1), _or(s.center_, 0)),
    MinMaxScaler: lambda s: (1 / s.scale_, -s.min_ / s.scale_),
    MaxAbsScaler: lambda s: (s.scale_, 0),
}
"""What a scaled value is multiplied with, and what is added."""


def turned_back(graph: onnx.ModelProto, transformer: Any) -> onnx.ModelProto:
    """A regressor whose answers are brought back to the target's own form.

    Args:
        graph: answers with what the regressor has learned.
        transformer: fitted, of a `TransformedTargetRegressor`.

    Raises:
        ExportError: its inverse is no function that is known.
    """
    result = onnx.ModelProto()
    result.CopyFrom(graph)
    last = result.graph.output[0].name
    for i, (operator, value) in enumerate(_steps(transformer)):
        made, inputs = f"target/{i}", [last]
        if value is not None:
            inputs.append(f"{made}/value")
            result.graph.initializer.append(
                numpy_helper.from_array(np.array(value, np.float32), inputs[1])
            )
        result.graph.node.append(helper.make_node(operator, inputs, [made]))
        last = made
    result.graph.output[0].name = last
    return result


def _steps(transformer: Any) -> Steps:
    if isinstance(transformer, FunctionTransformer):
        inverse = transformer.inverse_func
        if inverse in _FUNCTIONS:
            return _FUNCTIONS[inverse]
        names = ", ".join(f"np.{function.__name__}" for function in _FUNCTIONS if function)
        raise ExportError(
            f"the inverse_func {getattr(inverse, '__name__', inverse)!r} of its target can't be "
            f"converted: {names} can"
        )
    scaler = _SCALERS.get(type(transformer))
    if scaler is None:
        raise ExportError(
            f"its target is transformed by {type(transformer).__name__}, which can't be turned "
            "back in a graph: functions and scalers can"
        )
    factor, offset = map(np.asarray, scaler(transformer))
    if factor.size > 1 or offset.size > 1:
        raise ExportError(f"it answers with {factor.size} quantities at once: a task asks one")
    return [("Mul", factor.item()), ("Add", offset.item())]


def _or(value: Any, otherwise: int) -> Any:
    return otherwise if value is None else value
