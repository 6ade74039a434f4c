"""Fitted scikit-learn models and torch modules as graphs, beside their own answers."""

from typing import Any

import numpy as np
import onnx
import pandas as pd
from numpy.typing import NDArray
from ounce_schemas.cells import as_text
from ounce_schemas.errors import ExportError
from ounce_schemas.task import TaskSpec, TensorSpec
from ounce_schemas.wording import counted
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.base import BaseEstimator, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted
from torch import nn

from ounce_exporters.export.graphs import chain, normalize
from ounce_exporters.export.tree_reading import is_tree_ensemble, read_ensemble
from ounce_exporters.export.trees import emit
from ounce_exporters.ladder.recipe import Inputs
from ounce_exporters.own.wrapping import Foreign
from ounce_exporters.training import neural
from ounce_exporters.training.classical import few_threads

_OPSET = {"": 18, "ai.onnx.ml": 3}  # the latest that skl2onnx's converters are written for


def from_sklearn(model: BaseEstimator, task: TaskSpec) -> Foreign:
    """A fitted estimator or pipeline.

    It reads a frame with the task's columns, or an array of the task's one input of numbers.

    Raises:
        ExportError: it is not fitted, needs other columns, or can't be converted.
    """
    try:
        check_is_fitted(model)
    except (NotFittedError, TypeError) as e:
        raise ExportError(f"this {type(model).__name__} is not fitted: call its fit first") from e
    columns = getattr(model, "feature_names_in_", None)
    names = None if columns is None else _places(task, list(columns))

    def native(inputs: Inputs) -> NDArray[Any]:
        rows = _rows(model, task, inputs, names)
        with few_threads(len(rows)):
            return _answer(model, rows)

    graph = _convert(model, task, names)
    classes = tuple(as_text(c) for c in model.classes_.tolist()) if is_classifier(model) else ()
    return Foreign(graph, f"own {_describe(model)}", native, "classical", classes)


def from_torch(module: nn.Module, task: TaskSpec) -> Foreign:
    """A trained module that answers the task's one input of numbers with logits, or with a value.

    Raises:
        ExportError: the task has other inputs, or PyTorch can't export it.
    """
    if not task.accepts_raw or task.image is not None:
        what = "texts" if task.image is None else "images"
        raise ExportError(
            f"task {task.name!r} has {what} among its inputs, which a torch module can't read"
        )
    (tensor,) = task.inputs
    module = module.eval()
    try:
        neural.run(module, np.zeros((2, *tensor.shape), np.float32))
    except Exception as e:  # whatever the module itself raises for such an input
        raise ExportError(
            f"{type(module).__name__} fails on an input of shape [n, "
            f"{', '.join(map(str, tensor.shape))}]: {' '.join(str(e).split())[:300]}"
        ) from e
    return Foreign(
        neural.export(module, tensor),
        f"own torch module {type(module).__name__}",
        lambda inputs: neural.run(module, inputs[tensor.name]),
        "neural",
    )


Places = dict[str, tuple[str, int, float] | None]
"""By the model's column: tensor, element, and what was taken off it. None: the task lacks it."""


def _places(task: TaskSpec, columns: list[str]) -> Places:
    known: Places = {}
    for tensor in task.inputs:
        for i, name in enumerate(tensor.columns or ()):
            cell = tensor.cells[i] if tensor.cells else None
            if cell is not None and cell.read == "number" and cell.column != name:
                known[cell.column] = (tensor.name, i, cell.offset or 0.0)
            known[name] = (tensor.name, i, 0.0)
    return {column: known.get(column) for column in columns}


def _numbers(model: Any, task: TaskSpec) -> TensorSpec:
    """The tensor that a model reads which was fitted on an array."""
    width = model.n_features_in_
    for tensor in task.inputs:
        if tensor.datatype == "FP32" and tensor.size == width:
            return tensor
    raise ExportError(
        f"it was fitted on an array of {counted(width, 'column')}, and no input of task "
        f"{task.name!r} has so many numbers: fit it on a frame with the names of the task's columns"
    )


def _rows(model: Any, task: TaskSpec, inputs: Inputs, names: Places | None) -> Any:
    if names is None:
        tensor = _numbers(model, task)
        return inputs[tensor.name].reshape(-1, tensor.size)
    n = len(next(iter(inputs.values())))
    columns = {}
    for name, place in names.items():
        if place is None:  # no step reads it
            columns[name] = np.zeros(n)
        else:
            tensor_name, i, offset = place
            values = inputs[tensor_name][:, i]
            columns[name] = values + np.float64(offset) if offset else values
    return pd.DataFrame(columns)


def _answer(model: Any, rows: Any) -> NDArray[Any]:
    """What `wrap` reads as the graph's answer."""
    if not is_classifier(model):
        return np.asarray(model.predict(rows))
    if hasattr(model, "predict_proba"):
        return np.asarray(model.predict_proba(rows))
    scores = np.asarray(model.decision_function(rows))
    return np.stack([-scores, scores], axis=1) if scores.ndim == 1 else scores


def _convert(model: BaseEstimator, task: TaskSpec, names: Places | None) -> onnx.ModelProto:
    """Trees through the emitter here, everything before them and all else through skl2onnx."""
    *before, last = [step for _, step in model.steps] if isinstance(model, Pipeline) else [model]
    if before and is_classifier(last) and not hasattr(last, "predict_proba"):
        # skl2onnx has an option for pipelines of classifiers that it refuses for these.
        features = [("features", FloatTensorType([None, last.n_features_in_]))]
        first = _skl2onnx(Pipeline([(str(i), s) for i, s in enumerate(before)]), task, names)
        return chain(first, normalize(_to_graph(last, features)))
    if not is_tree_ensemble(last):
        return _skl2onnx(model, task, names)
    trees = emit(read_ensemble(last))
    if not before and names is None:
        return trees
    steps = [(str(i), step) for i, step in enumerate(before)]
    if not before:
        steps = [("columns", _as_they_are(list(names or ())))]
    return chain(_skl2onnx(Pipeline(steps), task, names), trees)


def _skl2onnx(model: Any, task: TaskSpec, names: Places | None) -> onnx.ModelProto:
    if names is None:
        tensor = _numbers(model, task)
        types = [(tensor.name, FloatTensorType([None, tensor.size]))]
    else:
        texts = {tensor.name for tensor in task.inputs if tensor.datatype == "BYTES"}
        types = [
            (
                name,
                (StringTensorType if place and place[0] in texts else FloatTensorType)([None, 1]),
            )
            for name, place in names.items()
        ]
    graph = _to_graph(model, types)
    _drop_unused(graph, task, names or {})
    return normalize(graph)


def _to_graph(model: Any, types: list[tuple[str, Any]]) -> onnx.ModelProto:
    options = {id(model): {"zipmap": False}} if hasattr(model, "predict_proba") else None
    try:
        graph: onnx.ModelProto = convert_sklearn(
            model, name="own", initial_types=types, options=options, target_opset=_OPSET
        )
    except Exception as e:  # skl2onnx raises many types, of its own and of onnx
        reason = " ".join(str(e).split())[:300]
        raise ExportError(f"skl2onnx can't convert this {type(model).__name__}: {reason}") from e
    return graph


def _drop_unused(model: onnx.ModelProto, task: TaskSpec, names: Places) -> None:
    """Remove inputs that no step reads, as a pipeline has them that was fitted on a wide frame.

    Raises:
        ExportError: the task lacks a column that is read.
    """
    read = {name for node in model.graph.node for name in node.input}
    absent = [name for name, place in names.items() if place is None and name in read]
    if absent:
        columns = [name for tensor in task.inputs for name in tensor.columns or ()]
        raise ExportError(
            f"it needs the columns {', '.join(map(repr, absent[:5]))}, and task {task.name!r} has "
            f"{', '.join(map(repr, columns[:20]))}"
        )
    used = [declared for declared in model.graph.input if declared.name in read]
    del model.graph.input[:]
    model.graph.input.extend(used)


def _as_they_are(columns: list[str]) -> Any:
    from sklearn.compose import ColumnTransformer

    transformer = ColumnTransformer([("columns", "passthrough", columns)])
    return transformer.fit(pd.DataFrame({column: [0.0, 1.0] for column in columns}))


def _describe(model: BaseEstimator) -> str:
    if not isinstance(model, Pipeline):
        return type(model).__name__
    return "pipeline of " + ", ".join(type(step).__name__ for _, step in model.steps)
