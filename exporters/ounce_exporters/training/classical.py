"""Classical models: scikit-learn pipelines. Trees are written by `export.trees`, linear models by
`export.dense`, our own estimators by themselves, and the steps before them by skl2onnx."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from ounce_schemas.errors import ExportError
from ounce_schemas.task import TaskSpec
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from ounce_exporters.explaining.terms import Linear, Terms
from ounce_exporters.export.dense import emit_linear
from ounce_exporters.export.graphs import (
    INSIDE,
    chain,
    keep_output,
    logarithms,
    normalize,
    rename_input,
)
from ounce_exporters.export.tree_reading import is_boosting, is_tree_ensemble, read_ensemble
from ounce_exporters.export.trees import Ensemble, as_logits, count_numbers, emit
from ounce_exporters.ladder.recipe import FittedModel, Inputs, Progress, TaskData
from ounce_exporters.training.estimator import GraphEstimator
from ounce_exporters.training.glass_box import GlassBox
from ounce_exporters.training.linear import LinearSVM, is_linear, read_linear

_TARGET_OPSET = {"": 18, "ai.onnx.ml": 3}  # the latest that skl2onnx's converters are written for
_ROWS_FOR_THREADS = 50_000
LEAST_PROBABILITY = 1e-6
"""Smaller probabilities count as this: trees answer with exact zeros, which have no logarithm."""


def fit_classical(
    make: Callable[[TaskSpec, int], Pipeline], *, balanced: bool = False
) -> Callable[[TaskData, int, Progress], FittedModel]:
    """The `fit` of a recipe: train the pipeline that `make(task, seed)` returns.

    The pipeline's last step is the estimator. It reads what `as_matrix` makes of the inputs.

    Args:
        make: called with the task and the seed.
        balanced: classes count alike, however many rows each has.
    """

    def fit(data: TaskData, seed: int, progress: Progress) -> FittedModel:
        pipeline = make(data.spec, seed)
        targets = data.train.targets
        weights = {}
        if balanced:
            weights[f"{pipeline.steps[-1][0]}__sample_weight"] = balanced_weights(targets)
        estimator = pipeline.steps[-1][1]
        if isinstance(estimator, GraphEstimator):
            estimator.told = progress
        with few_threads(len(targets)):
            pipeline.fit(as_matrix(data.spec, data.train.inputs), targets, **weights)
        progress(1.0)
        return ClassicalModel(data.spec, pipeline)

    return fit


def balanced_weights(targets: NDArray[np.int64]) -> NDArray[np.float64]:
    """Weights of items, of mean 1, with the same sum for each class; array of shape (n_items,)."""
    counts = np.bincount(targets)
    return len(targets) / (np.count_nonzero(counts) * counts[targets].astype(np.float64))


class ClassicalModel:
    """A fitted scikit-learn pipeline whose last step is a classifier or regressor."""

    def __init__(self, task: TaskSpec, pipeline: Pipeline) -> None:
        self._task = task
        self._pipeline = pipeline
        self._features = ""
        """Name of what the last step reads, in a graph that is calibrated."""

    @property
    def parameters(self) -> int:
        """Learned numbers of the last step."""
        return count_parameters(self._pipeline.steps[-1][1])

    def predict(self, inputs: Inputs) -> NDArray[np.float32]:
        """Logits of shape (n_items, n_labels), or values of shape (n_items, 1)."""
        matrix = as_matrix(self._task, inputs)
        with few_threads(len(matrix)):
            if self._gives_logits:
                return self._outputs(matrix)
            probabilities = np.asarray(self._pipeline.predict_proba(matrix), np.float32)
        return np.asarray(np.log(np.maximum(probabilities, np.float32(LEAST_PROBABILITY))))

    def to_onnx(self) -> onnx.ModelProto:
        """The pipeline as a graph with the one output `uncalibrated`.

        Raises:
            ExportError: a step can't be converted.
        """
        graph = self._graph()
        return graph if self._gives_logits else logarithms(graph, LEAST_PROBABILITY)

    def terms(self, learned: Inputs) -> Terms | None:
        """What the last step adds up; see `HasTerms`."""
        *before, (_, estimator) = self._pipeline.steps
        last: Linear | Ensemble | None = None
        is_additive, averages = isinstance(estimator, GlassBox), False
        if isinstance(estimator, GlassBox):
            last = estimator.ensemble
        elif isinstance(estimator, LinearSVM):
            last = Linear(estimator.weights_, estimator.bias_)
        elif is_linear(estimator):
            last = Linear(*read_linear(estimator, classifies=self._classifies))
        elif is_tree_ensemble(estimator):
            trees = read_ensemble(estimator)
            last = as_logits(trees) if self._classifies and is_boosting(estimator) else trees
            averages = self._classifies and not is_boosting(estimator)
        if last is None or (isinstance(last, Ensemble) and last.link != "identity"):
            return None
        self._graph()  # says what the features are called
        return Terms(
            last=last,
            features=self._features,
            transform=Pipeline(before).transform if before else np.asarray,
            rows=as_matrix(self._task, learned),
            gives_probabilities=averages,
            is_additive=is_additive,
        )

    @property
    def _classifies(self) -> bool:
        return self._task.classifies

    @property
    def _estimator(self) -> Any:
        return self._pipeline.steps[-1][1]

    @property
    def _gives_logits(self) -> bool:
        """Whether the graph gives logits or values, and not probabilities."""
        if not self._classifies or isinstance(self._estimator, GraphEstimator):
            return True
        return is_linear(self._estimator) or is_boosting(self._estimator)

    def _outputs(self, matrix: NDArray[Any]) -> NDArray[np.float32]:
        *before, (_, estimator) = self._pipeline.steps
        if not isinstance(estimator, GraphEstimator) and not self._classifies:
            return np.asarray(self._pipeline.predict(matrix).reshape(-1, 1), np.float32)
        features = Pipeline(before).transform(matrix) if before else matrix
        if isinstance(estimator, GraphEstimator):
            return estimator.outputs(features)
        scores = np.asarray(estimator.decision_function(features), np.float64)
        if scores.ndim == 1:
            scores = np.stack([-scores / 2, scores / 2], axis=1)
        return scores.astype(np.float32)

    def _graph(self) -> onnx.ModelProto:
        """The whole pipeline with the output `uncalibrated`."""
        *before, (_, estimator) = self._pipeline.steps
        tail = write_estimator(estimator, classifies=self._classifies)
        if tail is not None:
            if not before:
                self._features = self._task.inputs[0].name
                return rename_input(tail, self._features)
            first = convert(Pipeline(before), self._task)
            self._features = f"{INSIDE}{first.graph.output[0].name}"
            return chain(first, tail)
        # Without zipmap the probabilities are one tensor; as a list of dictionaries they cost
        # eight times the model itself.
        options = {id(self._pipeline): {"zipmap": False}} if self._classifies else None
        return keep_output(
            convert(self._pipeline, self._task, options),
            "probabilities" if self._classifies else None,
        )


def write_estimator(estimator: Any, *, classifies: bool) -> onnx.ModelProto | None:
    """A fitted estimator as a graph from `features` to `uncalibrated`; None leaves it to skl2onnx.

    Averaged trees give probabilities, all others logits; of a quantity all give values.
    """
    if isinstance(estimator, GraphEstimator):
        return estimator.to_graph()
    if is_tree_ensemble(estimator):
        trees = read_ensemble(estimator)
        return emit(as_logits(trees) if classifies and is_boosting(estimator) else trees)
    if is_linear(estimator):
        return emit_linear(*read_linear(estimator, classifies=classifies))
    return None


def few_threads(n_rows: int) -> AbstractContextManager[object]:
    """One thread where rows are few. Several threads wait for each other at every node of a tree.
    On a busy machine that takes a hundred times as long as the work."""
    return threadpool_limits(1) if n_rows < _ROWS_FOR_THREADS else nullcontext()


def as_matrix(task: TaskSpec, inputs: Inputs) -> NDArray[Any]:
    """The inputs side by side in the task's order, array of shape (n_items, all elements).

    float32 where the task has one numeric input, otherwise objects: numbers and text.
    """
    arrays = [inputs[tensor.name].reshape(-1, tensor.size) for tensor in task.inputs]
    if len(arrays) == 1:
        return arrays[0]
    return np.concatenate([array.astype(object) for array in arrays], axis=1)


def convert(
    transformer: Any, task: TaskSpec, options: dict[int, dict[str, Any]] | None = None
) -> onnx.ModelProto:
    """Convert anything that reads `as_matrix`, with the task's inputs by name.

    Raises:
        ExportError: skl2onnx can't convert it.
    """
    kinds = {"FP32": FloatTensorType, "BYTES": StringTensorType}
    types = [(t.name, kinds[t.datatype]([None, t.size])) for t in task.inputs]
    try:
        return normalize(
            convert_sklearn(
                transformer,
                name=task.name,  # otherwise random, and so would be the file's digest
                initial_types=types,
                options=options,
                target_opset=_TARGET_OPSET,
            )
        )
    except Exception as e:  # skl2onnx raises many types, of its own and of onnx
        name = type(transformer).__name__
        reason = " ".join(str(e).split())[:300]
        raise ExportError(f"skl2onnx can't convert this {name}: {reason}") from e


def count_parameters(estimator: Any) -> int:
    """Learned numbers of an estimator: weights, or thresholds and leaf values of trees."""
    if isinstance(estimator, GraphEstimator):
        return estimator.count_numbers()
    if is_tree_ensemble(estimator):
        return count_numbers(read_ensemble(estimator))
    return int(np.size(estimator.coef_) + np.size(estimator.intercept_))
