"""Steps that make features of a table's columns, each with its conversion to ONNX.

scikit-learn's own steps lack what is needed here: gaps as a signal beside the filled value, and
means of the target for many classes, computed without looking at a row's own target.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import FloatTensorType
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.model_selection import KFold

_LEAST_GAPS = 0.01
"""Share of gaps from which a gap is a feature of its own."""
_FOLDS = 5
_PRIOR_ROWS = 5.0
"""A text's mean target counts as if so many rows with the mean of all rows were added."""


class FillGaps(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Numbers, with their median for a gap. Behind them stands 1 for a gap and 0 for none, of each
    column that has gaps in training.

    Array of shape (n_rows, n_columns + n_columns_with_gaps), float32.

    Args:
        mark: False leaves the columns of gaps out.
    """

    def __init__(self, *, mark: bool = True) -> None:
        self.mark = mark

    def fit(self, X: NDArray[Any], y: object = None) -> "FillGaps":
        """Learn medians, and which columns have gaps."""
        values = np.asarray(X, np.float64)
        gaps = np.isnan(values)
        filled = np.where(gaps.all(axis=0), 0.0, values)
        self.medians_ = np.nanmedian(filled, axis=0).astype(np.float32)
        self.with_gaps_ = np.flatnonzero((gaps.mean(axis=0) >= _LEAST_GAPS) & self.mark)
        self.n_features_in_ = values.shape[1]
        return self

    def transform(self, X: NDArray[Any]) -> NDArray[np.float32]:
        """Filled columns, then gaps."""
        values = np.asarray(X, np.float32)
        gaps = np.isnan(values)
        filled = np.where(gaps, self.medians_, values)
        return np.concatenate([filled, gaps[:, self.with_gaps_].astype(np.float32)], axis=1)

    def get_feature_names_out(self, names: Sequence[str] | None = None) -> NDArray[np.object_]:
        """Names by place."""
        return np.array([f"x{i}" for i in range(self.width)], dtype=object)

    @property
    def width(self) -> int:
        """Number of features."""
        return int(self.n_features_in_ + len(self.with_gaps_))


class DateFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Hours, weekdays and months as one feature for each value that stood in training: 1 or 0.

    For models that draw lines: hour 23 is beside hour 0. A gap has no feature.
    """

    def fit(self, X: NDArray[Any], y: object = None) -> "DateFeatures":
        """Learn which values there are."""
        values = [np.unique(column[~np.isnan(column)]) for column in np.asarray(X, np.float32).T]
        self.columns_ = np.repeat(np.arange(len(values)), [len(v) for v in values])
        self.values_ = np.concatenate(values).astype(np.float32)
        self.n_features_in_ = len(values)
        return self

    def transform(self, X: NDArray[Any]) -> NDArray[np.float32]:
        """Array of shape (n_rows, n_values of all columns)."""
        values = np.asarray(X, np.float32)[:, self.columns_]
        return np.asarray(values == self.values_, np.float32)

    def get_feature_names_out(self, names: Sequence[str] | None = None) -> NDArray[np.object_]:
        """Names by place."""
        return np.array([f"x{i}" for i in range(self.width)], dtype=object)

    @property
    def width(self) -> int:
        """Number of features."""
        return len(self.values_)


class TargetMeans(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Texts as the mean target of their rows: of a class its share, of a quantity its mean.

    Rare texts are drawn to the mean of all rows; unknown ones have it. `fit_transform` encodes
    every row by means that its own fold of rows has no part in.

    Args:
        classes: number of classes; 0 for a quantity.
    """

    def __init__(self, classes: int = 0) -> None:
        self.classes = classes

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> "TargetMeans":
        """Learn the means of every column's texts."""
        outcomes = self._outcomes(y)
        self.prior_ = outcomes.mean(axis=0)
        self.texts_ = [np.unique(np.asarray(column, object).astype(str)) for column in X.T]
        self.tables_ = [
            _means(column, texts, outcomes, self.prior_)
            for column, texts in zip(X.T, self.texts_, strict=True)
        ]
        self.n_features_in_ = X.shape[1]
        return self

    def fit_transform(self, X: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float32]:
        """Learn, and encode each row without its own fold's targets."""
        result = np.empty((len(X), 0), np.float32)
        for train, held_out in KFold(_FOLDS, shuffle=True, random_state=0).split(X):
            part = TargetMeans(self.classes).fit(X[train], y[train]).transform(X[held_out])
            if result.shape[1] == 0:
                result = np.empty((len(X), part.shape[1]), np.float32)
            result[held_out] = part
        self.fit(X, y)
        return result

    def transform(self, X: NDArray[Any]) -> NDArray[np.float32]:
        """Means of the rows' texts; array of shape (n_rows, n_columns x outcomes)."""
        parts = []
        for column, texts, table in zip(X.T, self.texts_, self.tables_, strict=True):
            places = {text: i for i, text in enumerate(texts)}
            parts.append(table[[places.get(text, len(texts)) for text in column]])
        return np.concatenate(parts, axis=1)

    def get_feature_names_out(self, names: Sequence[str] | None = None) -> NDArray[np.object_]:
        """Names by place."""
        return np.array([f"x{i}" for i in range(self.width)], dtype=object)

    @property
    def width(self) -> int:
        """Number of features."""
        return int(sum(table.shape[1] for table in self.tables_))

    def _outcomes(self, y: NDArray[Any]) -> NDArray[np.float64]:
        if not self.classes:
            return np.asarray(y, np.float64).reshape(-1, 1)
        shares = np.eye(self.classes)[np.asarray(y, np.int64)]
        return shares[:, 1:] if self.classes == 2 else shares


def _means(
    column: NDArray[Any],
    texts: NDArray[Any],
    outcomes: NDArray[np.float64],
    prior: NDArray[np.float64],
) -> NDArray[np.float32]:
    """One row for each text, and the last one for unknown ones."""
    places = np.searchsorted(texts, np.asarray(column, object).astype(str))
    n = np.bincount(places, minlength=len(texts) + 1)[:, None]
    sums = np.zeros((len(texts) + 1, outcomes.shape[1]))
    np.add.at(sums, places, outcomes)
    return ((sums + _PRIOR_ROWS * prior) / (n + _PRIOR_ROWS)).astype(np.float32)


def set_shape(operator: Any) -> None:
    """Tell skl2onnx how wide a step's answer is."""
    rows = operator.inputs[0].get_first_dimension()
    operator.outputs[0].type = FloatTensorType([rows, operator.raw_operator.width])


def _convert_fill_gaps(scope: Any, operator: Any, container: Any) -> None:
    step: FillGaps = operator.raw_operator
    (source,), (result,) = operator.inputs, operator.outputs
    name = Namer(scope)
    some = len(step.with_gaps_) > 0
    filled = name.variable("filled") if some else result.full_name
    container.add_node(
        "Imputer",
        source.full_name,
        filled,
        name=name.node("Imputer"),
        op_domain="ai.onnx.ml",
        imputed_value_floats=step.medians_.tolist(),
        replaced_value_float=float("nan"),
    )
    if not some:
        return
    places, chosen = name.variable("places"), name.variable("of")
    gaps, signals = name.variable("gaps"), name.variable("signals")
    container.add_initializer(places, TensorProto.INT64, [len(step.with_gaps_)], step.with_gaps_)
    container.add_node(
        "Gather", [source.full_name, places], chosen, name=name.node("Gather"), axis=1
    )
    container.add_node("IsNaN", chosen, gaps, name=name.node("IsNaN"))
    container.add_node("Cast", gaps, signals, name=name.node("Cast"), to=TensorProto.FLOAT)
    container.add_node(
        "Concat", [filled, signals], result.full_name, name=name.node("Concat"), axis=1
    )


def _convert_date_features(scope: Any, operator: Any, container: Any) -> None:
    step: DateFeatures = operator.raw_operator
    (source,), (result,) = operator.inputs, operator.outputs
    name = Namer(scope)
    places, values = name.variable("places"), name.variable("values")
    chosen, same = name.variable("of"), name.variable("same")
    container.add_initializer(places, TensorProto.INT64, [step.width], step.columns_)
    container.add_initializer(values, TensorProto.FLOAT, [step.width], step.values_)
    container.add_node(
        "Gather", [source.full_name, places], chosen, name=name.node("Gather"), axis=1
    )
    container.add_node("Equal", [chosen, values], same, name=name.node("Equal"))
    container.add_node("Cast", same, result.full_name, name=name.node("Cast"), to=TensorProto.FLOAT)


def _convert_target_means(scope: Any, operator: Any, container: Any) -> None:
    step: TargetMeans = operator.raw_operator
    (source,), (result,) = operator.inputs, operator.outputs
    name = Namer(scope)
    parts = []
    for i, (texts, means) in enumerate(zip(step.texts_, step.tables_, strict=True)):
        place, column = name.variable("column"), name.variable("texts")
        index, table, part = name.variable("index"), name.variable("means"), name.variable("part")
        container.add_initializer(place, TensorProto.INT64, [], [i])
        container.add_initializer(table, TensorProto.FLOAT, list(means.shape), means.ravel())
        container.add_node(
            "Gather", [source.full_name, place], column, name=name.node("Gather"), axis=1
        )
        container.add_node(
            "LabelEncoder",
            column,
            index,
            name=name.node("LabelEncoder"),
            op_domain="ai.onnx.ml",
            op_version=2,
            keys_strings=[str(text).encode() for text in texts],
            values_int64s=list(range(len(texts))),
            default_int64=len(texts),
        )
        container.add_node("Gather", [table, index], part, name=name.node("Gather"), axis=0)
        parts.append(part)
    container.add_node("Concat", parts, result.full_name, name=name.node("Concat"), axis=1)


class Namer:
    """Names that no other part of the graph has."""

    def __init__(self, scope: Any) -> None:
        self._scope = scope

    def variable(self, name: str) -> str:
        """A name for a value."""
        return str(self._scope.get_unique_variable_name(name))

    def node(self, name: str) -> str:
        """A name for a node."""
        return str(self._scope.get_unique_operator_name(name))


update_registered_converter(FillGaps, "OunceFillGaps", set_shape, _convert_fill_gaps)
update_registered_converter(DateFeatures, "OunceDateFeatures", set_shape, _convert_date_features)
update_registered_converter(TargetMeans, "OunceTargetMeans", set_shape, _convert_target_means)
