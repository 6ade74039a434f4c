"""Models, and what fills gaps, that ask the nearest of the rows that they keep."""

from typing import Any

import numpy as np
import onnx
from ounce_schemas.errors import ExportError
from scipy.sparse import issparse
from sklearn.base import is_classifier
from sklearn.neighbors import (
    KNeighborsClassifier,
    KNeighborsRegressor,
    RadiusNeighborsClassifier,
    RadiusNeighborsRegressor,
)

from ounce_exporters.own.operators import FEATURES, Operators

_SAME = 1e-14
"""Share of two rows' squares: a squared distance below is what float32 makes of none."""

_NOWHERE = 1e300
"""Beyond any distance."""


def asks_nearest(model: Any) -> bool:
    """Whether `ask_nearest` knows such a model: one of straight distances and weights by name.

    Raises:
        ExportError: it asks the rows within a radius.
    """
    if isinstance(model, RadiusNeighborsClassifier | RadiusNeighborsRegressor):
        name = type(model).__name__
        raise ExportError(
            f"a {name} has no answer where no row is near: use {name.replace('Radius', 'K')}"
        )
    return (
        isinstance(model, KNeighborsClassifier | KNeighborsRegressor)
        and model.effective_metric_ == "euclidean"
        and model.weights in ("uniform", "distance", None)
        and (not model.outputs_2d_ if is_classifier(model) else model._y.ndim == 1)
    )


def ask_nearest(model: Any) -> onnx.ModelProto:
    """The graph of its probabilities, array of shape (n_items, n_labels), or of its values.

    Args:
        model: fitted, one that `asks_nearest` knows.
    """
    made = Operators()
    kept = model._fit_X.toarray() if issparse(model._fit_X) else np.asarray(model._fit_X)
    kept = kept.astype(np.float64)
    told = np.asarray(model._y, np.float64)[:, None]
    if is_classifier(model):
        told = np.eye(len(model.classes_))[model._y]
    x = made.doubles(FEATURES)
    own = made.add("ReduceSum", made.add("Mul", x, x), np.array([1]), keepdims=1)
    sizes = made.add("Add", own, (kept**2).sum(axis=1)[None])
    products = made.add("MatMul", x, 2.0 * kept.T)
    squares = made.add("Sub", sizes, products)
    none = made.add("LessOrEqual", squares, made.add("Mul", sizes, np.array(_SAME)))
    squares = made.add("Where", none, np.array(0.0), squares)
    away, places = made.two("TopK", squares, np.array([model.n_neighbors]), largest=0)
    answers = made.add("Gather", told, places, axis=0)
    if model.weights != "distance":
        return made.of_features(
            kept.shape[1], made.add("ReduceMean", answers, np.array([1]), keepdims=0)
        )
    # Rows at no distance alone count where there are any.
    hits = made.doubles(made.add("Equal", away, np.array(0.0)))
    hit = made.add("ReduceMax", hits, np.array([1]), keepdims=1)
    shares = made.add("Div", np.array(1.0), made.add("Sqrt", away))
    some = made.add("Greater", hit, np.array(0.0))
    weights = made.add("Where", some, hits, shares)
    total = made.add("ReduceSum", weights, np.array([1]), keepdims=1)
    weights = made.add("Unsqueeze", made.add("Div", weights, total), np.array([2]))
    parts = made.add("Mul", answers, weights)
    return made.of_features(kept.shape[1], made.add("ReduceSum", parts, np.array([1]), keepdims=0))


def fill_by_nearest(step: Any, width: int) -> onnx.ModelProto:
    """The graph of a `KNNImputer`: each gap gets the mean of the nearest rows that have a value.

    Distances are over what both rows have, and a row that shares no column is none of the
    nearest. Where no row shares a column, all rows answer.
    """
    kept = np.asarray(step._fit_X, np.float64)
    known = ~np.isnan(kept)
    if step.weights != "uniform" or step.metric != "nan_euclidean" or not known.any(axis=0).all():
        raise ExportError(
            "a KNNImputer can be converted that weighs its neighbours alike, by its own metric, "
            "and whose columns all have a value"
        )
    made = Operators()
    x = made.doubles(FEATURES)
    gaps = made.add("IsNaN", x)
    there = made.doubles(made.add("Not", gaps))
    values, shown = made.add("Where", gaps, np.array(0.0), x), known.astype(np.float64)
    zeroed = np.where(known, kept, 0.0)
    products = made.add("MatMul", values, 2.0 * zeroed.T)
    sizes = made.add(
        "Add",
        made.add("MatMul", made.add("Mul", values, values), np.ascontiguousarray(shown.T)),
        made.add("MatMul", there, np.ascontiguousarray((zeroed**2).T)),
    )
    shared = made.add("MatMul", there, np.ascontiguousarray(shown.T))
    squares = made.add("Max", made.add("Sub", sizes, products), np.array(0.0))
    mean = made.add("Div", squares, made.add("Max", shared, np.array(1.0)))
    away = made.add("Where", made.add("Equal", shared, np.array(0.0)), np.array(_NOWHERE), mean)
    columns = []
    for place in range(width):
        donors = np.flatnonzero(known[:, place])
        least, nearest = made.two(
            "TopK",
            made.columns(away, donors),
            np.array([min(step.n_neighbors, len(donors))]),
            largest=0,
        )
        told = made.add("Gather", kept[donors, place], nearest, axis=0)
        near = made.doubles(made.add("Less", least, np.array(_NOWHERE)))
        told = made.add("ReduceSum", made.add("Mul", told, near), np.array([1]), keepdims=1)
        count = made.add("ReduceSum", near, np.array([1]), keepdims=1)
        told = made.add("Div", told, made.add("Max", count, np.array(1.0)))
        none = made.add("Equal", count, np.array(0.0))
        told = made.add("Where", none, np.array(kept[donors, place].mean()), told)
        columns.append(
            made.add("Where", made.columns(gaps, [place]), told, made.columns(x, [place]))
        )
    if step.indicator_ is not None:
        columns.append(made.doubles(made.columns(gaps, step.indicator_.features_)))
    return made.of_features(width, made.side_by_side(columns))
