"""The network of a table: preprocessing in scikit-learn, and PyTorch behind it."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from ounce_schemas.task import TaskSpec
from sklearn.compose import ColumnTransformer

from ounce_exporters.export.graphs import chain
from ounce_exporters.ladder.recipe import FittedModel, Inputs, Progress, TaskData
from ounce_exporters.tasks.table.preprocessing import preprocessing
from ounce_exporters.training.classical import as_matrix, balanced_weights, convert
from ounce_exporters.training.neural import count_weights, run
from ounce_exporters.training.standardizing import standardize
from ounce_exporters.training.tabular import (
    Lesson,
    Schedule,
    Shape,
    TableNetwork,
    find_edges,
    fit_network,
)
from ounce_exporters.training.tabular_graph import write_network

TAUGHT = {"dropout": 0.0, "most_steps": 6000, "most_epochs": 300}
"""Of a network with a teacher: its answers have less chance in them than labels, so that there is
more to learn."""
_MOST_EMBEDDED = 2048
"""Intervals of all numbers together at most; wide tables have fewer of each."""


def fit_mlp(
    data: TaskData,
    seed: int,
    progress: Progress,
    *,
    balanced: bool = False,
    options: Mapping[str, Any] | None = None,
) -> FittedModel:
    """Train the network of a table.

    Args:
        data: only `train` is learned from.
        seed: of everything that is random.
        progress: told the share done.
        balanced: classes count alike, however many rows each has.
        options: fields of `Shape` and `Schedule` that are not to have their defaults.
    """
    task, truth, targets = data.spec, data.train.targets, data.train.lesson
    options = {**(options or {}), **({} if data.train.soft is None else TAUGHT)}
    shape, schedule = (_fill(kind, options) for kind in (Shape, Schedule))
    columns = preprocessing(task)
    features = columns.fit_transform(as_matrix(task, data.train.inputs), truth)
    features = np.asarray(features, np.float32)
    classifies = task.classifies
    weights = balanced_weights(truth) if balanced else np.ones(len(truth))
    centre, spread = 0.0, 1.0
    if not classifies:
        values, centre, spread = standardize(targets)
        targets = values.astype(np.float32)
    numbers = _first_numbers(features)
    n_intervals = int(np.clip(_MOST_EMBEDDED // max(numbers, 1), 1, shape.intervals))
    edges = find_edges(features[:, :numbers], n_intervals)
    n_outputs = len(task.labels) if classifies else 1

    def make() -> TableNetwork:
        return TableNetwork(edges, features.shape[1] - numbers, n_outputs, shape)

    lesson = Lesson(features, targets, weights)
    network = fit_network(make, lesson, schedule, seed, progress)
    return PipelineNetwork(task, columns, network, centre, spread)


def _fill(kind: Any, options: Mapping[str, Any]) -> Any:
    return kind(**{f.name: options[f.name] for f in fields(kind) if f.name in options})


def _first_numbers(features: NDArray[np.float32]) -> int:
    """How many columns from the first on hold more than two values."""
    several = np.array([len(np.unique(column)) > 2 for column in features.T])
    return int(np.flatnonzero(several)[-1]) + 1 if several.any() else 0


class PipelineNetwork:
    """Fitted preprocessing in scikit-learn and a network behind it; one graph when exported.

    Args:
        task: its inputs.
        columns: from these to features.
        network: from features to logits, or to a standardized value.
        centre: what was taken off a value.
        spread: what it was divided by.
    """

    def __init__(
        self,
        task: TaskSpec,
        columns: ColumnTransformer,
        network: TableNetwork,
        centre: float,
        spread: float,
    ) -> None:
        self._task = task
        self._columns = columns
        self._network = network
        self._centre = centre
        self._spread = spread

    @property
    def parameters(self) -> int:
        """Learned weights."""
        return count_weights(self._network)

    def predict(self, inputs: Inputs) -> NDArray[np.float32]:
        """Logits of shape (n_items, n_labels), or values of shape (n_items, 1)."""
        features: Any = self._columns.transform(as_matrix(self._task, inputs))
        said = run(self._network, features.astype(np.float32))
        if self._task.classifies:
            return said
        return said * np.float32(self._spread) + np.float32(self._centre)

    def to_onnx(self) -> onnx.ModelProto:
        """Preprocessing and network as one graph with the one output `uncalibrated`.

        Raises:
            ExportError: a part can't be converted.
        """
        return chain(
            convert(self._columns, self._task),
            write_network(self._network, self._centre, self._spread),
        )
