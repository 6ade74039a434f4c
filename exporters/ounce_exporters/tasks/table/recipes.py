"""The models of a table's ladder. Imputation, scaling and encoding are part of each."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from ounce_schemas.task import TaskSpec
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from torch import Tensor, nn

from ounce_exporters.export.graphs import chain
from ounce_exporters.recipe import FittedModel, Inputs, Progress, Recipe, TaskData
from ounce_exporters.training.classical import as_matrix, convert, fit_classical
from ounce_exporters.training.neural import (
    Training,
    count_weights,
    export,
    run,
    train,
)

_STEPS = 4000
_MOST_EPOCHS = 60
"""On a small table more only learns its rows by heart."""
_BATCH_SIZE = 64
_HIDDEN = 64


def recipes(data: TaskData) -> list[Recipe]:
    """Four classical models and one neural."""
    linear = (
        Recipe("logistic-regression", "classical", "logistic regression", fit_classical(_logistic))
        if data.spec.kind == "classification"
        else Recipe("ridge", "classical", "ridge regression", fit_classical(_ridge))
    )
    return [
        linear,
        Recipe("decision-tree", "classical", "decision tree (CART)", fit_classical(_tree)),
        Recipe("random-forest", "classical", "random forest", fit_classical(_forest)),
        Recipe(
            "gradient-boosting", "classical", "gradient boosted trees", fit_classical(_boosting)
        ),
        Recipe("mlp", "neural", "multilayer perceptron, two hidden layers of 64", _fit_mlp),
    ]


def preprocessing(task: TaskSpec, *, scale: bool) -> ColumnTransformer:
    """Median for missing numbers, one feature for each known text; unknown texts have none."""
    steps: list[tuple[str, Any, list[int]]] = []
    start = 0
    for tensor in task.inputs:
        columns = list(range(start, start + tensor.size))
        start += tensor.size
        if tensor.datatype == "BYTES":
            encoder = OneHotEncoder(handle_unknown="ignore", dtype=np.float32, sparse_output=False)
            steps.append((tensor.name, encoder, columns))
        else:
            imputer = SimpleImputer(strategy="median", keep_empty_features=True)
            steps.append(
                (
                    tensor.name,
                    make_pipeline(imputer, StandardScaler()) if scale else imputer,
                    columns,
                )
            )
    return ColumnTransformer(steps)


def _pipeline(task: TaskSpec, estimator: BaseEstimator, *, scale: bool = False) -> Pipeline:
    # Trees need no scale; without it their thresholds are met exactly in float32.
    return Pipeline([("columns", preprocessing(task, scale=scale)), ("model", estimator)])


def _logistic(task: TaskSpec, seed: int) -> Pipeline:
    return _pipeline(task, LogisticRegression(max_iter=1000, random_state=seed), scale=True)


def _ridge(task: TaskSpec, seed: int) -> Pipeline:
    return _pipeline(task, Ridge(random_state=seed), scale=True)


def _tree(task: TaskSpec, seed: int) -> Pipeline:
    kind = DecisionTreeClassifier if _classifies(task) else DecisionTreeRegressor
    return _pipeline(task, kind(max_depth=8, min_samples_leaf=5, random_state=seed))


def _forest(task: TaskSpec, seed: int) -> Pipeline:
    kind = RandomForestClassifier if _classifies(task) else RandomForestRegressor
    # The bound on leaves keeps the file small on large tables.
    forest = kind(n_estimators=100, min_samples_leaf=2, max_leaf_nodes=1000, random_state=seed)
    return _pipeline(task, forest)


def _boosting(task: TaskSpec, seed: int) -> Pipeline:
    kind = GradientBoostingClassifier if _classifies(task) else GradientBoostingRegressor
    return _pipeline(task, kind(n_estimators=100, subsample=0.8, random_state=seed))


def _classifies(task: TaskSpec) -> bool:
    return task.kind == "classification"


def _fit_mlp(data: TaskData, seed: int, progress: Progress) -> FittedModel:
    task = data.spec
    columns = preprocessing(task, scale=True)
    features = columns.fit_transform(as_matrix(task, data.train.inputs)).astype(np.float32)
    targets = data.train.targets
    centre, spread = 0.0, 1.0
    if not _classifies(task):
        centre, spread = float(targets.mean()), float(targets.std()) or 1.0
        targets = ((targets - centre) / spread).astype(np.float32)
    n_outputs = len(task.labels) if _classifies(task) else 1

    def make() -> nn.Module:
        return nn.Sequential(
            nn.Linear(features.shape[1], _HIDDEN),
            nn.ReLU(),
            nn.Linear(_HIDDEN, _HIDDEN),
            nn.ReLU(),
            nn.Dropout(0.1),
            nn.Linear(_HIDDEN, n_outputs),
        )

    epochs = int(np.clip(_STEPS * _BATCH_SIZE / len(features), 5, _MOST_EPOCHS))
    training = Training(
        epochs, learning_rate=3e-3, batch_size=_BATCH_SIZE, weight_decay=0.1, label_smoothing=0.0
    )
    network = train(make, features, targets, training, seed, progress)
    if not _classifies(task):
        network = Rescaled(network, centre, spread)
    return TableNetwork(task, columns, network.eval(), features.shape[1])


class Rescaled(nn.Module):
    """A network whose standardized output is brought back to the target's unit."""

    def __init__(self, network: nn.Module, centre: float, spread: float) -> None:
        super().__init__()
        self.network = network
        self.centre = centre
        self.spread = spread

    def forward(self, x: Tensor) -> Tensor:
        """Values of shape (n_items, 1)."""
        values: Tensor = self.network(x) * self.spread + self.centre
        return values


class TableNetwork:
    """Fitted preprocessing in scikit-learn and a network behind it; one graph when exported."""

    def __init__(
        self, task: TaskSpec, columns: ColumnTransformer, network: nn.Module, n_features: int
    ) -> None:
        self._task = task
        self._columns = columns
        self._network = network
        self._n_features = n_features

    @property
    def parameters(self) -> int:
        """Learned weights."""
        return count_weights(self._network)

    def predict(self, inputs: Inputs) -> NDArray[np.float32]:
        """Logits of shape (n_items, n_labels), or values of shape (n_items, 1)."""
        features = self._columns.transform(as_matrix(self._task, inputs))
        return run(self._network, features.astype(np.float32))

    def to_onnx(self) -> onnx.ModelProto:
        """Preprocessing and network as one graph with the one output `uncalibrated`.

        Raises:
            ExportError: a part can't be converted.
        """
        return chain(
            convert(self._columns, self._task),
            export(self._network, "features", (self._n_features,)),
        )
