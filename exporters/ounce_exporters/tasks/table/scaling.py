"""Bringing a table's numbers to one scale, with the conversion to ONNX."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto
from skl2onnx import update_registered_converter
from sklearn.base import BaseEstimator, TransformerMixin

from ounce_exporters.tasks.table.encoders import Namer, set_shape

_FAR = 1e3
"""Standard deviations from the mean at which a number is cut."""


class Standardize(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Numbers less their mean, over their standard deviation, and cut far outside: no number that
    is sent makes an infinite one. In float32, as the graph computes."""

    def fit(self, X: NDArray[Any], y: object = None) -> "Standardize":
        """Learn means and deviations."""
        values = np.asarray(X, np.float64)
        spread = values.std(axis=0)
        self.means_ = values.mean(axis=0).astype(np.float32)
        self.inverse_ = (1.0 / np.where(spread > 0, spread, 1.0)).astype(np.float32)
        self.n_features_in_ = values.shape[1]
        return self

    def transform(self, X: NDArray[Any]) -> NDArray[np.float32]:
        """Array of shape (n_rows, n_columns)."""
        with np.errstate(over="ignore"):
            scaled = (np.asarray(X, np.float32) - self.means_) * self.inverse_
        return np.asarray(np.clip(scaled, -_FAR, _FAR), np.float32)

    def get_feature_names_out(self, names: Sequence[str] | None = None) -> NDArray[np.object_]:
        """Names by place."""
        return np.array([f"x{i}" for i in range(self.width)], dtype=object)

    @property
    def width(self) -> int:
        """Number of features."""
        return int(self.n_features_in_)


def _convert(scope: Any, operator: Any, container: Any) -> None:
    step: Standardize = operator.raw_operator
    (source,), (result,) = operator.inputs, operator.outputs
    name = Namer(scope)
    scaled, low, high = (name.variable(n) for n in ("scaled", "low", "high"))
    container.add_node(
        "Scaler",
        source.full_name,
        scaled,
        name=name.node("Scaler"),
        op_domain="ai.onnx.ml",
        offset=step.means_.tolist(),
        scale=step.inverse_.tolist(),
    )
    container.add_initializer(low, TensorProto.FLOAT, [], [-_FAR])
    container.add_initializer(high, TensorProto.FLOAT, [], [_FAR])
    container.add_node("Clip", [scaled, low, high], result.full_name, name=name.node("Clip"))


update_registered_converter(Standardize, "OunceStandardize", set_shape, _convert)
