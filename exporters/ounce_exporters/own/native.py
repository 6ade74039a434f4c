"""Fitted scikit-learn models as graphs, beside their own answers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import sklearn
from numpy.typing import NDArray
from ounce_schemas.cells import as_text
from ounce_schemas.errors import ExportError
from ounce_schemas.task import TaskSpec, TensorSpec
from ounce_schemas.wording import counted
from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from ounce_exporters.ladder.recipe import Inputs
from ounce_exporters.own.answers import Session
from ounce_exporters.own.boosters import names_of
from ounce_exporters.own.composites import is_hard_vote, vote_shares
from ounce_exporters.own.conversion import (
    HISTOGRAMS,
    convert_array,
    convert_columns,
)
from ounce_exporters.own.estimators import cuts_probabilities
from ounce_exporters.own.formulas import computes_in_doubles, with_decimals
from ounce_exporters.own.letter_case import with_common_locale
from ounce_exporters.own.text_gaps import (
    gap_of,
    steps_of,
    with_empty_texts,
    with_known_forms,
)
from ounce_exporters.own.truths import (
    Spelling,
    encoded,
    spellings_of,
    with_truths_as_texts,
)
from ounce_exporters.own.wrapping import Foreign
from ounce_exporters.training.classical import few_threads

_ANSWERS = "predict_proba", "decision_function"


def from_sklearn(model: BaseEstimator, task: TaskSpec) -> Foreign:
    """A fitted estimator or pipeline.

    It reads a frame with the task's columns, or an array of the task's one input of numbers.

    Raises:
        ExportError: it is not fitted, needs other columns, or can't be converted.
    """
    try:
        return _from_fitted(model, task)
    except (AttributeError, ExportError) as e:
        _check_version(e)
        raise


def _check_version(error: BaseException) -> None:
    """Refuse an estimator that lacks what this version of scikit-learn keeps in one."""
    cause = error if isinstance(error, AttributeError) else error.__cause__
    if isinstance(cause, AttributeError) and isinstance(cause.obj, BaseEstimator):
        raise ExportError(
            f"its {type(cause.obj).__name__} has no {cause.name!r}: another scikit-learn than "
            f"{sklearn.__version__} may have saved it; fit it again with this one, or add an ONNX "
            "file that is made with the other"
        ) from error


def _from_fitted(model: BaseEstimator, task: TaskSpec) -> Foreign:
    try:
        check_is_fitted(model)
    except (NotFittedError, TypeError) as e:
        raise ExportError(f"this {type(model).__name__} is not fitted: call its fit first") from e
    if isinstance(model, BaseSearchCV) and not hasattr(model, "best_estimator_"):
        raise ExportError(
            f"this {type(model).__name__} keeps no estimator: fit it with refit=True, or add its "
            "estimator with the best parameters"
        )
    model = getattr(model, "best_estimator_", model)  # of a search
    if not is_classifier(model) and not is_regressor(model):
        raise ExportError(
            f"this {type(_last(model)).__name__} predicts no target: a classifier or a regressor "
            "can join; strange rows and groups have tasks of their own (--kind anomaly, --kind "
            "clusters), whose models `ounce train` makes"
        )
    if is_classifier(model) and _answers_several(model):
        raise ExportError(
            f"this {type(model).__name__} answers several questions at once: a task asks one"
        )
    votes = is_hard_vote(_last(model))
    if is_classifier(model) and not votes and not any(hasattr(model, a) for a in _ANSWERS):
        raise ExportError(
            f"this {type(model).__name__} gives neither probabilities nor scores, but labels alone"
        )
    _check_scores(model)
    places = _places(task)
    columns = names_of(model, {*places, *(task.constants or {})})
    names = None if columns is None else {column: places.get(column) for column in columns}
    truths = spellings_of(task, names or ())
    learned = encoded(model, truths)
    truths = {name: how for name, how in truths.items() if learned.get(name, True)}

    gap = gap_of(model)

    def native(inputs: Inputs) -> NDArray[Any]:
        rows = _rows(model, task, inputs, names, gap, truths)
        try:
            with few_threads(len(rows)):
                return _answer(model, rows)
        except Exception as e:  # whatever the estimator raises for a value that it has not learned
            _check_version(e)
            raise ExportError(
                f"this {type(model).__name__} itself fails on the task's items: "
                f"{' '.join(str(e).split())[:300]}"
            ) from e

    known = with_decimals(with_known_forms(model))
    texts = {tensor.name for tensor in task.inputs if tensor.datatype == "BYTES"}
    if names is None:
        tensor = _numbers(model, task)
        graph = convert_array(known, tensor.name, tensor.size)
    else:
        numbers = truths.keys() - learned.keys()
        of_texts = {n for n, place in names.items() if place and place[0] in texts} - numbers
        constants = task.constants or {}
        of_texts |= {n for n, value in constants.items() if isinstance(value, str)} - numbers
        given = with_truths_as_texts(known, truths) if truths.keys() & learned.keys() else known
        given = given if isinstance(gap, str) else with_empty_texts(given)
        try:
            graph = convert_columns(given, list(names), of_texts)
        except ExportError:
            if not any(isinstance(step, ColumnTransformer) for step in steps_of(model)):
                _check_columns(list(names), task, names)  # all are read
            raise
        _check_columns([port.name for port in graph.graph.input], task, names)
    graph = with_common_locale(graph)
    try:
        Session(graph)
    except ExportError as e:
        raise ExportError(f"skl2onnx makes of this {_describe(model)} what fails: {e}") from e
    classes = tuple(as_text(c) for c in model.classes_.tolist()) if is_classifier(model) else ()
    return Foreign(graph, f"own {_describe(model)}", native, "classical", classes)


def _last(model: Any) -> Any:
    """The last step of a pipeline, or of the one inside it."""
    while isinstance(model, Pipeline):
        model = model.steps[-1][1]
    return model


def _answers_several(model: Any) -> bool:
    """Whether it was fitted on several targets, or on rows with several labels each."""
    binarizer = getattr(_last(model), "_label_binarizer", None)
    several = getattr(binarizer, "y_type_", "").startswith("multilabel")
    return several or not isinstance(getattr(model, "classes_", None), np.ndarray)


def _check_scores(model: BaseEstimator) -> None:
    """Refuse scores of pairs of labels: three labels have three pairs, too."""
    last = _last(model)
    of_pairs = getattr(last, "decision_function_shape", None) == "ovo" and len(last.classes_) > 2
    if of_pairs and not hasattr(last, "predict_proba"):
        raise ExportError(
            f"this {type(last).__name__} gives scores of pairs of labels: set its "
            "decision_function_shape to 'ovr', also after it was fitted"
        )


Places = dict[str, tuple[str, int, float] | None]
"""By the model's column: tensor, element, and what was taken off it. None: the task lacks it."""


def _places(task: TaskSpec) -> Places:
    known: Places = {}
    for tensor in task.inputs:
        for i, name in enumerate(tensor.columns or ()):
            cell = tensor.cells[i] if tensor.cells else None
            if cell is not None and cell.read == "number" and cell.column != name:
                known[cell.column] = (tensor.name, i, cell.offset or 0.0)
            known[name] = (tensor.name, i, 0.0)
    return known


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


def _rows(
    model: Any,
    task: TaskSpec,
    inputs: Inputs,
    names: Places | None,
    gap: Any,
    truths: Mapping[str, Spelling],
) -> Any:
    if names is None:
        tensor = _numbers(model, task)
        return _as_given(inputs[tensor.name].reshape(-1, tensor.size), list(steps_of(model)))
    n = len(next(iter(inputs.values())))
    steps = list(steps_of(model))
    columns: dict[str, Any] = {}
    for name, place in names.items():
        if place is None:  # it has one value, or no step reads it
            value = (task.constants or {}).get(name, 0.0)
            values = np.full(n, value, object if isinstance(value, str) else np.float64)
            columns[name] = _booleans(values, truths[name], gap) if name in truths else values
        else:
            tensor_name, i, offset = place
            values = inputs[tensor_name][:, i]
            if name in truths:
                columns[name] = _booleans(values, truths[name], gap)
            elif values.dtype == object:  # left to itself, pandas makes NaN of None
                columns[name] = pd.Series(np.where(values == "", gap, values), dtype=object)
            else:
                columns[name] = values + np.float64(offset) if offset else _as_given(values, steps)
    return pd.DataFrame(columns)


def _booleans(texts: NDArray[Any], how: Spelling, gap: Any) -> Any:
    """True and False as a frame has them: booleans, or objects where others are among them."""
    numbers = how.numbers(texts)
    if not np.isnan(numbers).any():
        return numbers == 1
    others = np.where(texts == "", gap if not isinstance(gap, str) else np.nan, texts)
    return pd.Series(np.where(np.isnan(numbers), others, numbers == 1), dtype=object)


def _as_given(values: NDArray[Any], steps: Sequence[BaseEstimator]) -> NDArray[Any]:
    """Numbers as a table's file has them: the shortest decimal that is rounded to a float32.

    Boosting by histograms may have learned a threshold of 0.1, or of what 0.1 is as float32. The
    lesser of both is at or below either.
    """
    decimals = np.asarray(values, np.float32).astype(np.str_).astype(np.float64)
    compares = any(isinstance(step, HISTOGRAMS) for step in steps)
    if compares and not any(map(computes_in_doubles, steps)):
        return np.minimum(decimals, values.astype(np.float64))
    return decimals


def _answer(model: Any, rows: Any) -> NDArray[Any]:
    """What `wrap` reads as the graph's answer."""
    if not is_classifier(model):
        return np.asarray(model.predict(rows))
    if hasattr(model, "predict_proba") and not cuts_probabilities(model):
        return np.asarray(model.predict_proba(rows))
    if is_hard_vote(voters := _last(model)):
        return vote_shares(voters, model.transform(rows))
    scores = np.asarray(model.decision_function(rows))
    return np.stack([-scores, scores], axis=1) if scores.ndim == 1 else scores


def _check_columns(read: list[str], task: TaskSpec, names: Places) -> None:
    """Refuse a model that reads a column which the task lacks."""
    constants = task.constants or {}
    absent = [name for name in read if names[name] is None and name not in constants]
    if absent:
        columns = [name for tensor in task.inputs for name in tensor.columns or ()]
        raise ExportError(
            f"it needs the columns {', '.join(map(repr, absent[:5]))}, and task {task.name!r} has "
            f"{', '.join(map(repr, columns[:20]))}: fit it on these alone (columns that number the "
            "rows are left out of a task)"
        )


def _describe(model: BaseEstimator) -> str:
    if not isinstance(model, Pipeline):
        return type(model).__name__
    return "pipeline of " + ", ".join(type(step).__name__ for _, step in model.steps)
