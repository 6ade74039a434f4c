"""The trees of fitted scikit-learn estimators, as tables of nodes."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.errors import ExportError
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from ounce_exporters.export.trees import LEAF, Ensemble, Link, Tree

_SINGLE = (DecisionTreeClassifier, DecisionTreeRegressor)
_FORESTS = (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
_BOOSTED = (GradientBoostingClassifier, GradientBoostingRegressor)
_HISTOGRAM = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)


def is_tree_ensemble(estimator: Any) -> bool:
    """Whether `read_ensemble` can read a fitted estimator."""
    return isinstance(estimator, (*_SINGLE, *_FORESTS, *_BOOSTED, *_HISTOGRAM, IsolationForest))


def is_boosting(estimator: Any) -> bool:
    """Whether its sums are logits, which `decision_function` gives."""
    return isinstance(estimator, HistGradientBoostingClassifier)


def read_ensemble(estimator: Any) -> Ensemble:
    """The trees of a fitted scikit-learn estimator.

    Raises:
        ExportError: the estimator is of another kind, or has several targets.
    """
    if getattr(estimator, "n_outputs_", 1) != 1:
        raise ExportError(f"{type(estimator).__name__} has several targets; fit one model each")
    if isinstance(estimator, _SINGLE):
        return _averaged([estimator], estimator.n_features_in_)
    if isinstance(estimator, _FORESTS):
        return _averaged(estimator.estimators_, estimator.n_features_in_)
    if isinstance(estimator, _BOOSTED):
        return _boosted(estimator)
    if isinstance(estimator, _HISTOGRAM):
        return _histogram_boosted(estimator)
    if isinstance(estimator, IsolationForest):
        return _isolation(estimator)
    raise ExportError(f"{type(estimator).__name__} is not an ensemble of trees")


def _averaged(estimators: Sequence[Any], n_features: int) -> Ensemble:
    trees = [_read(e.tree_, e.tree_.value[:, 0, :] / len(estimators)) for e in estimators]
    return Ensemble(trees, np.zeros(trees[0].values.shape[1]), "identity", n_features)


def _isolation(estimator: IsolationForest) -> Ensemble:
    """Its answer is 2^(-path / c(rows of a tree)), the negative of `score_samples`; a leaf's path
    is its depth and c(rows of the leaf) (F. T. Liu, K. M. Ting and Z.-H. Zhou, "Isolation Forest",
    ICDM 2008)."""
    members, columns = estimator.estimators_, estimator.estimators_features_
    whole = float(_mean_path(np.array([estimator.max_samples_]))[0])
    factor = -np.log(2.0) / (len(members) * whole) if whole > 0 else -np.log(2.0)
    trees = []
    for member, of in zip(members, columns, strict=True):
        tree = member.tree_
        path = _depths(tree) + _mean_path(tree.n_node_samples)
        if whole == 0:  # of one row each: scikit-learn gives 1/2
            path = np.full(len(path), 1.0 / len(members))
        read = _read(tree, np.where(tree.children_left < 0, factor * path, 0.0)[:, None])
        places = np.where(read.feature == LEAF, LEAF, np.asarray(of)[read.feature])
        trees.append(replace(read, feature=places.astype(np.int64)))
    return Ensemble(trees, np.zeros(1), "exp", estimator.n_features_in_)


def _depths(tree: Any) -> NDArray[np.float64]:
    depths = np.zeros(tree.node_count)
    for node in range(tree.node_count):  # children have greater numbers
        if tree.children_left[node] >= 0:
            depths[[tree.children_left[node], tree.children_right[node]]] = depths[node] + 1
    return depths


def _mean_path(n: NDArray[Any]) -> NDArray[np.float64]:
    """c(n): mean path of a search that fails in a random tree of n rows."""
    rows = np.maximum(n.astype(np.float64), 2.0)
    paths = 2.0 * (np.log(np.maximum(rows - 1.0, 1.0)) + np.euler_gamma) - 2.0 * (rows - 1.0) / rows
    return np.where(n <= 1, 0.0, np.where(n == 2, 1.0, paths))


def _boosted(estimator: Any) -> Ensemble:
    n_outputs = estimator.estimators_.shape[1]
    trees = [
        _read(
            member.tree_,
            _in_column(estimator.learning_rate * member.tree_.value[:, 0, 0], k, n_outputs),
        )
        for stage in estimator.estimators_
        for k, member in enumerate(stage)
    ]
    # What the ensemble starts from does not depend on the input.
    nothing = np.zeros((1, estimator.n_features_in_), np.float32)
    base = np.ravel(estimator._raw_predict_init(nothing)).astype(np.float64)
    classifies = isinstance(estimator, GradientBoostingClassifier)
    if classifies and estimator.loss == "exponential":
        # Its probabilities are those of twice the sum.
        trees = [replace(tree, values=2.0 * tree.values) for tree in trees]
        base = 2.0 * base
    link: Link = "identity" if not classifies else "sigmoid" if n_outputs == 1 else "softmax"
    return Ensemble(trees, base, link, estimator.n_features_in_)


def _histogram_boosted(estimator: Any) -> Ensemble:
    stages = estimator._predictors
    n_outputs = len(stages[0])
    place, categories = _places_and_categories(estimator)
    trees = [
        _read_histogram(member, k, n_outputs, place, categories)
        for stage in stages
        for k, member in enumerate(stage)
    ]
    base = np.ravel(estimator._baseline_prediction).astype(np.float64)
    if isinstance(estimator, HistGradientBoostingClassifier):
        link: Link = "sigmoid" if n_outputs == 1 else "softmax"
    else:
        link = "exp" if estimator.loss in ("poisson", "gamma") else "identity"
    return Ensemble(trees, base, link, estimator.n_features_in_)


def _places_and_categories(
    estimator: Any,
) -> tuple[NDArray[np.int64], dict[int, NDArray[np.float64]]]:
    """Where scikit-learn's inner features come from, and the values of those that are categories.

    Inside, categorical features come first, and their values are numbered.
    """
    is_categorical = estimator.is_categorical_
    places = np.arange(estimator.n_features_in_)
    if is_categorical is None or not is_categorical.any():
        return places, {}
    places = np.concatenate([places[is_categorical], places[~is_categorical]])
    encoder = estimator._preprocessor.named_transformers_["encoder"]
    try:
        values = [np.asarray(of_one, np.float64) for of_one in encoder.categories_]
    except (TypeError, ValueError) as e:
        raise ExportError(
            f"{type(estimator).__name__} was fitted on categories that are texts; "
            "give it their numbers"
        ) from e
    return places, dict(enumerate(values))


def _read(tree: Any, values: NDArray[np.float64]) -> Tree:
    is_leaf = tree.children_left < 0
    return Tree(
        feature=np.where(is_leaf, LEAF, tree.feature).astype(np.int64),
        threshold=np.where(is_leaf, 0.0, tree.threshold),
        left=tree.children_left.astype(np.int64),
        right=tree.children_right.astype(np.int64),
        missing_left=tree.missing_go_to_left.astype(bool),
        categories={},
        values=values,
    )


def _read_histogram(
    member: Any,
    k: int,
    n_outputs: int,
    places: NDArray[np.int64],
    values_of: dict[int, NDArray[np.float64]],
) -> Tree:
    nodes = member.nodes
    is_leaf = nodes["is_leaf"].astype(bool)
    categories = {}
    for node in np.flatnonzero(nodes["is_categorical"].astype(bool) & ~is_leaf).tolist():
        known = values_of[int(nodes["feature_idx"][node])]
        known = known[~np.isnan(known)]  # a missing value is no category
        goes_left = _members(member.raw_left_cat_bitsets[nodes["bitset_idx"][node]], len(known))
        categories[node] = (known[goes_left], known[~goes_left])
    return Tree(
        feature=np.where(is_leaf, LEAF, places[nodes["feature_idx"]]).astype(np.int64),
        threshold=np.where(is_leaf, 0.0, nodes["num_threshold"]),
        left=nodes["left"].astype(np.int64),
        right=nodes["right"].astype(np.int64),
        missing_left=nodes["missing_go_to_left"].astype(bool),
        categories=categories,
        values=_in_column(nodes["value"], k, n_outputs),
    )


def _members(bits: NDArray[np.uint32], n: int) -> NDArray[np.bool_]:
    """Which of the numbers 0 to n - 1 are in a set of bits, shape (n,)."""
    numbers = np.arange(n)
    found: NDArray[np.bool_] = (bits[numbers // 32] >> (numbers % 32).astype(np.uint32)) & 1 == 1
    return found


def _in_column(values: NDArray[np.float64], k: int, n_outputs: int) -> NDArray[np.float64]:
    """Values of one output, shape (n, n_outputs), zero in all others."""
    wide = np.zeros((len(values), n_outputs))
    wide[:, k] = values
    return wide
