"""Texts as numbers for trees that split by categories, with the conversion to ONNX."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import FloatTensorType
from sklearn.base import BaseEstimator, TransformerMixin

MOST_TEXTS = 254
"""Histogram gradient boosting takes no more categories of one column."""


class TextPlaces(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Texts as their places among the known ones, and as a gap (NaN) where unknown; array of shape
    (n_rows, n_columns), float32.

    Args:
        known: texts of each column; None: those of the rows that it learns from.
    """

    def __init__(self, known: Sequence[Sequence[str]] | None = None) -> None:
        self.known = known

    def fit(self, X: NDArray[Any], y: object = None) -> "TextPlaces":
        """Learn the texts where they are not known."""
        known = self.known
        if known is None:
            known = [sorted({str(text) for text in column}) for column in X.T]
        self.known_ = [texts[:MOST_TEXTS] for texts in known]
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: NDArray[Any]) -> NDArray[np.float32]:
        """Places of the rows' texts."""
        columns = []
        for column, texts in zip(X.T, self.known_, strict=True):
            places = {text: float(i) for i, text in enumerate(texts)}
            columns.append([places.get(text, np.nan) for text in column])
        return np.array(columns, np.float32).T

    def get_feature_names_out(self, names: Sequence[str] | None = None) -> NDArray[np.object_]:
        """Names by place."""
        return np.array([f"x{i}" for i in range(self.n_features_in_)], dtype=object)


def _set_shape(operator: Any) -> None:
    rows = operator.inputs[0].get_first_dimension()
    operator.outputs[0].type = FloatTensorType([rows, operator.raw_operator.n_features_in_])


def _convert(scope: Any, operator: Any, container: Any) -> None:
    (source,), (result,) = operator.inputs, operator.outputs

    def variable(name: str) -> str:
        return str(scope.get_unique_variable_name(name))

    def node(name: str) -> str:
        return str(scope.get_unique_operator_name(name))

    parts = []
    for i, texts in enumerate(operator.raw_operator.known_):
        place, column, part = variable("column"), variable("texts"), variable("places")
        container.add_initializer(place, TensorProto.INT64, [1], [i])
        container.add_node("Gather", [source.full_name, place], column, name=node("Gather"), axis=1)
        container.add_node(
            "LabelEncoder",
            column,
            part,
            name=node("LabelEncoder"),
            op_domain="ai.onnx.ml",
            op_version=2,
            keys_strings=[text.encode() for text in texts] or [b""],
            values_floats=[float(place) for place in range(len(texts))] or [float("nan")],
            default_float=float("nan"),
        )
        parts.append(part)
    container.add_node("Concat", parts, result.full_name, name=node("Concat"), axis=1)


update_registered_converter(TextPlaces, "OunceTextPlaces", _set_shape, _convert)
