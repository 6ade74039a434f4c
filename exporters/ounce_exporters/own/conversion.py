"""Fitted scikit-learn estimators and pipelines as graphs."""

import re
import warnings
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pandas as pd
from onnx import helper
from ounce_schemas.errors import ExportError
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.base import BaseEstimator, is_classifier
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.feature_selection import RFE
from sklearn.linear_model import RidgeClassifier, RidgeClassifierCV
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC, LinearSVC, NuSVC

from ounce_exporters.export.graphs import chain, normalize, rename_input, without_unread
from ounce_exporters.export.names import rename
from ounce_exporters.export.tree_reading import is_tree_ensemble, read_ensemble
from ounce_exporters.export.trees import Ensemble, emit
from ounce_exporters.own.boosted_texts import knows_texts, take_apart
from ounce_exporters.own.boosters import is_boosted, write_boosted
from ounce_exporters.own.composites import compose, is_composite, one_hot
from ounce_exporters.own.estimators import (
    cuts_probabilities,
    flat,
    in_known_form,
    names_by_scores,
    pipeline,
)
from ounce_exporters.own.formulas import as_step
from ounce_exporters.own.functions import trace
from ounce_exporters.own.kernels import MODELS
from ounce_exporters.own.labels import without_zipmaps
from ounce_exporters.own.neighbours import ask_nearest, asks_nearest
from ounce_exporters.own.operators import FEATURES, ML_OPSET, STEPS_OPSET, Operators
from ounce_exporters.own.transformed_targets import turned_back
from ounce_exporters.own.transformers import CONVERTERS, SHAPES, TEXTS

_OPSET = {"": STEPS_OPSET, "ai.onnx.ml": ML_OPSET}
HISTOGRAMS = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)
"""Boosting that compares doubles."""
_NO_CONVERTER = re.compile(
    r"Unable to find a shape calculator for type '<class '(\w+)[\w.]*?\.(\w+)'>'"
)
_NO_SCORES = "Option 'raw_scores' not in"
_TEXT_FOR_NUMBER = re.compile(
    r"got an input \S+ with a wrong type <class '[\w.]*StringTensorType'>"
)
_OF_NO_COLUMN = "skl2onnx/"
"""Before the name of what is no input: a column may be called as the output is, `label`."""

Types = Sequence[tuple[str, Any]]
"""Names of the inputs and skl2onnx's types of them."""


def convert_array(model: BaseEstimator, name: str, width: int) -> onnx.ModelProto:
    """A model that was fitted on an array of numbers, as a graph.

    Args:
        model: fitted estimator or pipeline.
        name: of the graph's input.
        width: numbers of an item.

    Raises:
        ExportError: skl2onnx can't convert it.
    """
    return normalize(_answering(model, [(name, FloatTensorType([None, width]))]))


def convert_columns(
    model: BaseEstimator, names: Sequence[str], texts: Collection[str]
) -> onnx.ModelProto:
    """A model that was fitted on a frame, as a graph with an input for each column that it reads.

    Args:
        model: fitted estimator or pipeline.
        names: of the frame's columns.
        texts: those that hold texts.

    Raises:
        ExportError: skl2onnx can't convert it.
    """
    types = [(n, (StringTensorType if n in texts else FloatTensorType)([None, 1])) for n in names]
    parts = [model, *model.get_params(deep=True).values()]
    if texts or any(isinstance(part, ColumnTransformer) for part in parts):
        return normalize(_answering(model, types))
    # Nothing picks columns by name, and most converters take one input.
    joined = _convert(_as_they_are(names), types)
    return normalize(chain(joined, _answering(model, [("features", _features(len(names)))])))


def _answering(model: BaseEstimator, types: Types) -> onnx.ModelProto:
    return _convert(model, types, raw=cuts_probabilities(model))


def _features(width: int) -> Any:
    return FloatTensorType([None, width])


def _convert(model: BaseEstimator, types: Types, raw: bool = False) -> onnx.ModelProto:
    """Trees through the emitter here, what is made of others from its members, and everything
    before them and all else through skl2onnx.

    Args:
        model: fitted estimator or pipeline.
        types: of the inputs.
        raw: whether a classifier answers with its scores, though it has probabilities.
    """
    *before, last = flat([model])
    if isinstance(last, RFE):  # it picks columns, and its model answers
        before, last = [*before, last], last.estimator_
    before = list(map(as_step, before))
    last = in_known_form(last, raw)
    if is_composite(last):
        given = _behind(before, types, last)
        answer = compose(
            last,
            lambda member, how: _member(member, how, given),
            lambda: _features_graph(given),
            lambda final, width: _convert(final, [("features", _features(width))], raw),
            raw,
        )
        return chain(_to_graph(pipeline(before), types), answer) if before else answer
    if isinstance(last, TransformedTargetRegressor):
        inner = _convert(pipeline([*before, last.regressor_]), types)
        return turned_back(inner, last.transformer_)
    if not before and isinstance(last, HISTOGRAMS) and knows_texts(last):
        before, last = take_apart(last)
    if not before and (is_tree_ensemble(last) or is_boosted(last)) and len(types) > 1:
        raise ExportError(f"{type(last).__name__} takes numbers: {TEXTS}")
    if (made := _whole(last, raw)) is not None:
        return chain(_to_graph(pipeline(before), types) if before else _features_graph(types), made)
    if before and is_classifier(last) and not hasattr(last, "predict_proba"):
        # skl2onnx has an option for pipelines of classifiers that it refuses for these.
        first = _to_graph(pipeline(before), types)
        return chain(first, _to_graph(last, [("features", _features(last.n_features_in_))]))
    if not is_tree_ensemble(last):
        return _to_graph(pipeline([*before, last]) if before else last, types, raw)
    ensemble = _for_decimals(last, read_ensemble(last))
    trees = emit(replace(ensemble, link="identity") if raw else ensemble)
    return chain(_to_graph(pipeline(before), types), trees) if before else trees


def _whole(model: Any, raw: bool) -> onnx.ModelProto | None:
    """The graph of a model that holds an item against rows that it keeps, or that its own library
    writes; None of another."""
    if is_boosted(model):
        return write_boosted(model, model.n_features_in_, raw)
    if asks_nearest(model):
        return ask_nearest(model)
    formula = MODELS.get(type(model))
    if formula is None:
        return None
    width = model.X_train_.shape[1] if hasattr(model, "X_train_") else model.n_features_in_
    return trace(formula(model), None, width)


def _for_decimals(model: Any, ensemble: Ensemble) -> Ensemble:
    """Thresholds as float32 for numbers that were doubles when the model learned.

    Boosting by histograms compares doubles, and its thresholds may be values of its rows. Both are
    rounded alike here, so that 0.1 stays at or below a threshold of 0.1. Other trees compare what
    is rounded to float32 with doubles.
    """
    if not isinstance(model, HISTOGRAMS):
        return ensemble
    rounded = [
        replace(tree, threshold=tree.threshold.astype(np.float32).astype(np.float64))
        for tree in ensemble.trees
    ]
    return replace(ensemble, trees=rounded)


def _features_graph(types: Types) -> onnx.ModelProto:
    """What an estimator reads, as one array of shape (n_items, n_features)."""
    if len(types) == 1:
        ((name, given),) = types
        return rename_input(Operators().of_features(given.shape[1], FEATURES), name)
    return _convert(_as_they_are([name for name, _ in types]), types)


def _behind(before: Sequence[Any], types: Types, last: Any) -> Types:
    """What the members of an estimator read."""
    return [("features", _features(last.n_features_in_))] if before else types


def _member(member: Any, how: str, types: Types) -> onnx.ModelProto:
    """A member of a composite, as a graph whose one output is a tensor."""
    by_scores = how == "response" or (how == "label" and names_by_scores(member))
    raw = how == "decision_function" or (by_scores and hasattr(member, "decision_function"))
    graph, _ = without_zipmaps(_convert(member, types, raw))
    return one_hot(graph) if how == "label" else graph


def _to_graph(model: Any, types: Types, raw: bool = False) -> onnx.ModelProto:
    """Through skl2onnx, without inputs that no step reads."""
    options = None
    if hasattr(model, "predict_proba"):
        options = {id(model): {"zipmap": False}}
        if raw:
            last = model.steps[-1][1] if isinstance(model, Pipeline) else model
            options[id(last)] = {"zipmap": False, "raw_scores": True}
    elif isinstance(model, LinearSVC | RidgeClassifier | RidgeClassifierCV):
        options = {id(model): {"raw_scores": True}}  # of two labels both, as other classifiers have
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # skl2onnx reads what will be renamed
            graph: onnx.ModelProto = convert_sklearn(
                model,
                name="own",
                initial_types=list(types),
                options=options,
                target_opset=_OPSET,
                custom_conversion_functions=CONVERTERS,
                custom_shape_calculators=SHAPES,
            )
    except ExportError:
        raise
    except Exception as e:  # skl2onnx raises many types, of its own and of onnx
        reason = " ".join(str(e).split())[:300]
        absent = _NO_CONVERTER.search(reason)
        reason = _absent(*absent.groups()) if absent else reason
        reason = "it has none for its scores" if _NO_SCORES in reason else reason
        if _TEXT_FOR_NUMBER.search(reason):
            reason = f"a step takes numbers: {TEXTS}"
        raise ExportError(f"skl2onnx can't convert this {type(model).__name__}: {reason}") from e
    # skl2onnx writes `_` for what is no letter of a name, and numbers what else has the name
    # `label`; the inputs stand in their order.
    given = {port.name: name for port, (name, _) in zip(graph.graph.input, types, strict=True)}
    rename(graph.graph, given, _OF_NO_COLUMN)
    if isinstance(model, SVC | NuSVC) and not hasattr(model, "predict_proba"):
        _turn_scores(graph, len(model.classes_))
    if is_classifier(model) and len(graph.graph.output) > 1:
        del graph.graph.output[0]  # labels: scores answer, and their type is wrong for some makes
    for function in graph.functions:  # skl2onnx declares the least that each needs of the graph's
        for opset in function.opset_import:
            opset.version = max(o.version for o in graph.opset_import if o.domain == opset.domain)
    return without_unread(graph)


def _absent(package: str, name: str) -> str:
    source = "" if package in ("sklearn", "__main__") else f" of {package}"
    return (
        f"it has no converter for {name}{source}: put what it makes into the table as columns, or "
        "add an ONNX file that another tool makes of the whole model"
    )


def _turn_scores(graph: onnx.ModelProto, n_labels: int) -> None:
    """Of two labels, an SVM's scores come out of `SVMClassifier` with the other sign."""
    if n_labels != 2:
        return
    place = next(i for i, node in enumerate(graph.graph.node) if node.op_type == "SVMClassifier")
    node = graph.graph.node[place]
    scores = node.output[1]
    node.output[1] = f"{scores}/turned"
    graph.graph.node.insert(place + 1, helper.make_node("Neg", [node.output[1]], [scores]))


def _as_they_are(columns: Sequence[str]) -> Any:
    transformer = ColumnTransformer([("columns", "passthrough", list(columns))])
    return transformer.fit(pd.DataFrame({column: [0.0, 1.0] for column in columns}))
