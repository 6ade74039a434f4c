"""Targets that a regressor learns in another form, such as their logarithm."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from ounce_schemas.errors import ExportError
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
)

from ounce_exporters.export.graphs import chain
from ounce_exporters.own.functions import trace
from ounce_exporters.own.operators import FEATURES, Operators

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
        ExportError: its inverse can't be converted.
    """
    return chain(graph, _inverse(transformer))


def _inverse(transformer: Any) -> onnx.ModelProto:
    if isinstance(transformer, FunctionTransformer):
        return trace(transformer.inverse_func, transformer.inv_kw_args, 1)
    scaler = _SCALERS.get(type(transformer))
    if scaler is None:
        raise ExportError(
            f"its target is transformed by {type(transformer).__name__}, which can't be turned "
            "back in a graph: functions and scalers can"
        )
    factor, offset = (np.asarray(number, np.float64) for number in scaler(transformer))
    if factor.size > 1 or offset.size > 1:
        raise ExportError(f"it answers with {factor.size} quantities at once: a task asks one")
    made = Operators()
    scaled = made.add("Mul", made.doubles(FEATURES), factor.reshape(1, 1))
    return made.of_features(1, made.add("Add", scaled, offset.reshape(1, 1)))


def _or(value: Any, otherwise: int) -> Any:
    return otherwise if value is None else value
