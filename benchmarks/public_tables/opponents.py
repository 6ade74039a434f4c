"""What people train on a table without Ounce: two scikit-learn models at their defaults."""

from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray
from ounce_exporters.ladder.recipe import Inputs, TaskData
from ounce_schemas.task import TaskSpec
from skl2onnx import convert_sklearn
from skl2onnx.common import tree_ensemble
from skl2onnx.common.data_types import FloatTensorType
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.metrics import r2_score
from sklearn.preprocessing import OrdinalEncoder
from threadpoolctl import threadpool_limits

_MOST_CATEGORIES = 255
"""Of a column that scikit-learn's histogram boosting takes for a category."""


@dataclass(frozen=True)
class Opponents:
    """What they reach on the test rows, and one of them as a graph."""

    boosting: float
    forest: float
    boosting_onnx: bytes
    """The boosting through skl2onnx, without its encoder of texts."""
    test_features: NDArray[np.float32]
    """What that graph reads; array of shape (n_test, n_columns)."""


def fit_opponents(data: TaskData, seed: int) -> Opponents:
    """Train both on every row that Ounce may learn from, and score them on the same test rows.

    They read the columns as Ounce has read them. Texts get numbers; boosting knows which columns
    these are.
    """
    learn, truth = _everything(data)
    encoder = _Encoder(data.spec, learn)
    features, test = encoder.encode(learn), encoder.encode(data.test.inputs)
    classifies = data.spec.kind == "classification"
    boosting_kind = HistGradientBoostingClassifier if classifies else HistGradientBoostingRegressor
    forest_kind = RandomForestClassifier if classifies else RandomForestRegressor
    boosting = boosting_kind(categorical_features=encoder.categories, random_state=seed)
    with threadpool_limits(1):
        boosting.fit(features, truth)
        plain = boosting_kind(random_state=seed).fit(features, truth)
    forest = forest_kind(random_state=seed).fit(features, truth)
    return Opponents(
        score(data.spec, boosting.predict(test), data.test.targets),
        score(data.spec, forest.predict(test), data.test.targets),
        _graph(plain, features.shape[1], classifies=classifies),
        test,
    )


def score(task: TaskSpec, answers: NDArray[Any], truth: NDArray[Any]) -> float:
    """Accuracy, or the share of the variance that is explained (R2), of answers to the truth.

    Args:
        task: of classes or of a quantity.
        answers: label indices or values, array of shape (n_items,).
        truth: the same of the test rows.
    """
    if task.kind == "classification":
        return float((answers == truth).mean())
    return float(r2_score(truth, answers))


def _everything(data: TaskData) -> tuple[Inputs, NDArray[Any]]:
    """All rows that Ounce may learn from: with folds, the training rows hold the others."""
    if data.folds is not None:
        return data.train.inputs, data.train.targets
    inputs = {
        name: np.concatenate([array, data.validation.inputs[name]])
        for name, array in data.train.inputs.items()
    }
    return inputs, np.concatenate([data.train.targets, data.validation.targets])


class _Encoder:
    """Columns side by side as numbers; a gap is NaN, and so is an unknown text."""

    def __init__(self, task: TaskSpec, inputs: Inputs) -> None:
        self._task = task
        self._encoders = {
            tensor.name: OrdinalEncoder(
                handle_unknown="use_encoded_value", unknown_value=np.nan
            ).fit(inputs[tensor.name])
            for tensor in task.inputs
            if tensor.datatype == "BYTES"
        }
        self.categories: list[bool] = []
        for tensor in task.inputs:
            if tensor.datatype == "BYTES":
                known = self._encoders[tensor.name].categories_
                self.categories += [len(texts) <= _MOST_CATEGORIES for texts in known]
            else:
                self.categories += [False] * tensor.size

    def encode(self, inputs: Inputs) -> NDArray[np.float32]:
        parts = [
            self._encoders[tensor.name].transform(inputs[tensor.name])
            if tensor.datatype == "BYTES"
            else inputs[tensor.name]
            for tensor in self._task.inputs
        ]
        return np.concatenate(parts, axis=1).astype(np.float32)


def _graph(model: Any, n_columns: int, *, classifies: bool) -> bytes:
    """Through skl2onnx, which hands onnx a bool where that wants 0 or 1 (1.20.0 with onnx 1.23)."""

    def add_node(*args: Any, nodes_missing_value_tracks_true: object = 0, **kwargs: Any) -> None:
        tracks = int(bool(nodes_missing_value_tracks_true))
        original(*args, nodes_missing_value_tracks_true=tracks, **kwargs)

    original = tree_ensemble.add_node
    types = [("input", FloatTensorType([None, n_columns]))]
    options = {id(model): {"zipmap": False}} if classifies else None
    with patch.object(tree_ensemble, "add_node", add_node):
        graph = convert_sklearn(model, initial_types=types, options=options)
    content: bytes = graph.SerializeToString()
    return content
