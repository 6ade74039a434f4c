"""The models of a table's ladder. Imputation, scaling and encoding are part of each."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from ounce_schemas.cells import DATE_PARTS
from ounce_schemas.task import TaskSpec, TensorSpec
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from torch import Tensor, nn

from ounce_exporters.export.graphs import chain
from ounce_exporters.recipe import FittedModel, Inputs, Progress, Recipe, TaskData
from ounce_exporters.tasks.table.columns import MOST_ONE_HOT
from ounce_exporters.tasks.table.encoders import DateFeatures, FillGaps, TargetMeans
from ounce_exporters.tasks.table.ordinals import TextPlaces
from ounce_exporters.tasks.table.target import MOST_BOOSTED_CLASSES
from ounce_exporters.training.classical import (
    as_matrix,
    balanced_weights,
    convert,
    fit_classical,
)
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
_MOST_TREES = 3000
"""Of boosting, which grows a tree for each class in every round."""
_BATCH_SIZE = 64
_HIDDEN = 64


def recipes(data: TaskData, *, balanced: bool = False) -> list[Recipe]:
    """Four classical models and one neural; of very many classes, without boosting.

    Args:
        data: the task and its splits.
        balanced: classes count alike, however many rows each has.
    """
    balanced = balanced and _classifies(data.spec)

    def classical(name: str, algorithm: str, make: Callable[[TaskSpec, int], Pipeline]) -> Recipe:
        return Recipe(name, "classical", algorithm, fit_classical(make, balanced=balanced))

    boosted = [classical("gradient-boosting", "histogram gradient boosting", _boosting)]
    return [
        classical("logistic-regression", "logistic regression", _logistic)
        if _classifies(data.spec)
        else classical("ridge", "ridge regression", _ridge),
        classical("decision-tree", "decision tree (CART)", _tree),
        classical("random-forest", "random forest", _forest),
        *(boosted if len(data.spec.labels) <= MOST_BOOSTED_CLASSES else []),
        Recipe(
            "mlp",
            "neural",
            "multilayer perceptron, two hidden layers of 64",
            partial(_fit_mlp, balanced),
        ),
    ]


def preprocessing(task: TaskSpec, *, scale: bool) -> ColumnTransformer:
    """Numbers with gaps filled and marked; texts as one feature each, or by the target's mean.

    Rare and unknown texts have no feature, or the mean of all rows.
    """
    steps: list[tuple[str, Any, list[int]]] = []
    start = 0
    for tensor in task.inputs:
        columns = list(range(start, start + tensor.size))
        start += tensor.size
        if tensor.datatype == "BYTES":
            steps += _encoders(task, tensor, columns)
        else:
            steps += _number_steps(tensor, columns, scale=scale)
    return ColumnTransformer(steps)


def _number_steps(
    tensor: TensorSpec, columns: list[int], *, scale: bool
) -> Iterator[tuple[str, Any, list[int]]]:
    reads = [cell.read for cell in tensor.cells or ()] or ["number"] * tensor.size
    # Trees find their way among hours as they are; lines and networks don't.
    dates = [c for c, read in zip(columns, reads, strict=True) if scale and read in DATE_PARTS]
    plain = [c for c in columns if c not in dates]
    if plain:
        fill = FillGaps()
        yield tensor.name, make_pipeline(fill, StandardScaler()) if scale else fill, plain
    if dates:
        yield f"{tensor.name} of dates", DateFeatures(), dates


def _encoders(
    task: TaskSpec, tensor: TensorSpec, columns: list[int]
) -> Iterator[tuple[str, Any, list[int]]]:
    known = [cell.texts or () for cell in tensor.cells or ()]
    many = [c for c, texts in zip(columns, known, strict=False) if len(texts) > MOST_ONE_HOT]
    few = [c for c in columns if c not in many]
    if few:
        categories: Any = "auto"
        if known:  # the empty text, a gap, is one of its own
            listed = (known[c - columns[0]] for c in few)
            categories = [np.array(["", *texts], dtype=object) for texts in listed]
        encoder = OneHotEncoder(
            categories=categories, handle_unknown="ignore", dtype=np.float32, sparse_output=False
        )
        yield tensor.name, encoder, few
    if many:
        yield f"{tensor.name} by target", TargetMeans(len(task.labels)), many


def _pipeline(task: TaskSpec, estimator: BaseEstimator, *, scale: bool = False) -> Pipeline:
    # Trees need no scale; without it their thresholds are met exactly in float32.
    return Pipeline([("columns", preprocessing(task, scale=scale)), ("model", estimator)])


def _logistic(task: TaskSpec, seed: int) -> Pipeline:
    return _pipeline(task, LogisticRegression(max_iter=1000, random_state=seed), scale=True)


def _ridge(task: TaskSpec, seed: int) -> Pipeline:
    return _pipeline(task, Ridge(random_state=seed), scale=True)


def _tree(task: TaskSpec, seed: int) -> Pipeline:
    kind = DecisionTreeClassifier if _classifies(task) else DecisionTreeRegressor
    depth = max(8, 4 + len(task.labels).bit_length())  # 2 ** 8 leaves are too few for 100 classes
    return _pipeline(task, kind(max_depth=depth, min_samples_leaf=5, random_state=seed))


def _forest(task: TaskSpec, seed: int) -> Pipeline:
    kind = RandomForestClassifier if _classifies(task) else RandomForestRegressor
    # The bound on leaves keeps the file small on large tables.
    forest = kind(n_estimators=100, min_samples_leaf=2, max_leaf_nodes=1000, random_state=seed)
    return _pipeline(task, forest)


def _boosting(task: TaskSpec, seed: int) -> Pipeline:
    """Gaps stay gaps and texts are categories: the trees split by both."""
    steps: list[tuple[str, Any, list[int]]] = []
    is_text: list[bool] = []
    for tensor in task.inputs:
        columns = list(range(len(is_text), len(is_text) + tensor.size))
        texts = tensor.datatype == "BYTES"
        is_text += [texts] * tensor.size
        known = [["", *(cell.texts or ())] for cell in tensor.cells] if tensor.cells else None
        steps.append((tensor.name, TextPlaces(known) if texts else "passthrough", columns))
    trees_a_round = len(task.labels) if len(task.labels) > 2 else 1
    rounds = int(np.clip(_MOST_TREES // trees_a_round, 10, 100))
    kind = HistGradientBoostingClassifier if _classifies(task) else HistGradientBoostingRegressor
    boosting = kind(
        max_iter=rounds, categorical_features=is_text, early_stopping=False, random_state=seed
    )
    return Pipeline([("columns", ColumnTransformer(steps)), ("model", boosting)])


def _classifies(task: TaskSpec) -> bool:
    return task.kind == "classification"


def _fit_mlp(balanced: bool, data: TaskData, seed: int, progress: Progress) -> FittedModel:
    task = data.spec
    columns = preprocessing(task, scale=True)
    features = columns.fit_transform(as_matrix(task, data.train.inputs), data.train.targets).astype(
        np.float32
    )
    targets = data.train.targets
    if balanced:  # rows of rare classes come up more often
        weights = balanced_weights(targets)
        rows = np.random.default_rng(seed).choice(
            len(targets), len(targets), p=weights / weights.sum()
        )
        features, targets = features[rows], targets[rows]
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
