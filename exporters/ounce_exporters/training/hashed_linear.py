"""A linear model of hashed byte n-grams, and of whatever columns stand beside the texts."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper
from ounce_schemas.task import TaskSpec
from scipy import sparse
from sklearn.linear_model import LogisticRegression, Ridge

from ounce_exporters.export.dense import build, emit_linear
from ounce_exporters.export.graphs import (
    UNCALIBRATED,
    chain,
    declare,
    side_by_side,
)
from ounce_exporters.ladder.recipe import Inputs, Progress, TaskData
from ounce_exporters.tasks.table.preprocessing import preprocessing
from ounce_exporters.training.byte_ngrams import (
    BUCKETS,
    N_FEATURES,
    encode,
    hash_ngrams,
    hashing_nodes,
    rest_of,
    root_lengths,
    text_tensor,
)
from ounce_exporters.training.classical import as_matrix, convert

_PENALTY = 60.0
"""One over the penalty of squared weights, for features of about unit length."""
_LEAST_ROWS = 2
"""An n-gram of fewer texts has no weight."""
_SCALE = 5.0
_ROWS = 512


def fit_hashed_linear(
    data: TaskData, seed: int, progress: Progress, *, balanced: bool = False
) -> "HashedLinear":
    """Train on `data.train`: logistic regression of classes, ridge regression of a quantity.

    Args:
        data: the task and its splits.
        seed: of the solver.
        progress: told the share done.
        balanced: classes count alike, however many rows each has.
    """
    task, train = data.spec, data.train
    rest = rest_of(task)
    features, weights, used = weigh_ngrams(encode(task, train.inputs))
    columns = preprocessing(rest) if rest.inputs else None
    if columns is not None:
        beside = columns.fit_transform(as_matrix(rest, train.inputs), train.targets)
        beside = sparse.csr_matrix(np.asarray(beside, np.float32))
        features = sparse.hstack([features, beside], format="csr")
    progress(0.3)
    model: Any = Ridge(1.0 / _PENALTY)
    if task.classifies:
        model = LogisticRegression(
            C=_PENALTY,
            class_weight="balanced" if balanced else None,
            solver="liblinear" if len(task.labels) == 2 else "lbfgs",
            max_iter=300,
            random_state=seed,
        )
    model.fit(features, train.targets)
    progress(1.0)
    found, bias = np.atleast_2d(model.coef_).T, np.atleast_1d(model.intercept_)
    if len(task.labels) == 2:
        found, bias = np.hstack([-found / 2, found / 2]), np.array([-bias[0] / 2, bias[0] / 2])
    table = np.zeros((N_FEATURES, len(bias)), np.float32)
    table[used] = found[: len(used)] * weights[:, None]
    beside_weights = found[len(used) :].astype(np.float32)
    return HashedLinear(task, columns, table, beside_weights, bias.astype(np.float32))


class HashedLinear:
    """Implements `FittedModel`.

    Args:
        task: its text input and the others.
        columns: fitted preprocessing of the other inputs; None where there are none.
        table: weights of n-grams, shape (N_FEATURES, n_outputs).
        beside: of the other columns' features, shape (n_features, n_outputs).
        bias: shape (n_outputs,).
    """

    def __init__(
        self,
        task: TaskSpec,
        columns: Any,
        table: NDArray[np.float32],
        beside: NDArray[np.float32],
        bias: NDArray[np.float32],
    ) -> None:
        self._task, self._columns = task, columns
        self._table, self._beside, self._bias = table, beside, bias

    @property
    def parameters(self) -> int:
        """Weights that are not zero."""
        return int(np.count_nonzero(self._table) + self._beside.size + self._bias.size)

    def predict(self, inputs: Inputs) -> NDArray[np.float32]:
        """Logits of shape (n_items, n_labels), or values of shape (n_items, 1)."""
        encoded = encode(self._task, inputs)
        # In float32 NumPy would add one weight after the other: thousands round to 1e-4.
        parts = [
            self._table[hash_ngrams(part)].sum(axis=1, dtype=np.float64) / root_lengths(part)
            for start in range(0, len(encoded), _ROWS)
            for part in [encoded[start : start + _ROWS]]
        ]
        result = np.concatenate(parts) + self._bias
        if self._columns is not None:
            matrix = as_matrix(rest_of(self._task), inputs)
            result = result + np.asarray(self._columns.transform(matrix), np.float32) @ self._beside
        return np.asarray(result, np.float32)

    def to_onnx(self) -> onnx.ModelProto:
        """Both parts as one graph with the one output `uncalibrated`.

        Raises:
            ExportError: the other columns' preprocessing can't be converted.
        """
        graph = self._text_graph()
        if self._columns is None:
            return graph
        steps = convert(self._columns, rest_of(self._task))
        beside = chain(steps, emit_linear(self._beside, np.zeros_like(self._bias)))
        return side_by_side(graph, beside, UNCALIBRATED, "Add")

    def _text_graph(self) -> onnx.ModelProto:
        tensor, n_outputs = text_tensor(self._task), len(self._bias)
        nodes, constants = hashing_nodes(tensor)
        table = self._table
        if n_outputs == 2:  # the second is minus the first: one gather does
            table = table[:, 1]
            constants["signs"] = np.array([[-1.0, 1.0]], np.float32)
        nodes += [
            helper.make_node("Gather", ["table", "features"], ["weights"]),
            helper.make_node(
                "ReduceSum", ["weights", "axis"], ["sums"], keepdims=int(n_outputs == 2)
            ),
            helper.make_node("Div", ["sums", "lengths"], ["scaled"]),
        ]
        last = "scaled"
        if n_outputs == 2:
            last = "both"
            nodes.append(helper.make_node("Mul", ["scaled", "signs"], [last]))
        nodes.append(helper.make_node("Add", [last, "bias"], [UNCALIBRATED]))
        constants |= {"table": np.ascontiguousarray(table), "bias": self._bias}
        output = UNCALIBRATED, n_outputs
        return build("hashed-linear", nodes, [declare(tensor)], output, constants)


def weigh_ngrams(
    encoded: NDArray[np.uint8],
) -> tuple[Any, NDArray[np.float64], NDArray[np.intp]]:
    """Counts of the n-grams that texts share, over each text's root length; the weight of each,
    rare ones weighing more (K. Sparck Jones, "A Statistical Interpretation of Term Specificity",
    1972); and their hashes."""
    n, width = len(encoded), len(hash_ngrams(encoded[:1])[0])
    features = [hash_ngrams(encoded[i : i + _ROWS]).ravel() for i in range(0, n, _ROWS)]
    counts = sparse.csr_matrix(
        (np.ones(n * width, np.float32), np.concatenate(features), np.arange(n + 1) * width),
        shape=(n, N_FEATURES),
    )
    counts.sum_duplicates()
    in_rows = np.bincount(counts.indices, minlength=N_FEATURES)
    in_rows[::BUCKETS] = 0
    used = np.flatnonzero(in_rows >= _LEAST_ROWS)
    weights = (np.log((1 + n) / (1 + in_rows[used])) + 1.0) / _SCALE
    scaled = sparse.diags(1.0 / root_lengths(encoded)[:, 0]) @ counts[:, used]
    return (scaled @ sparse.diags(weights)).tocsr(), weights, used
