"""Tree ensembles as one ONNX node that answers as scikit-learn does, on every float32 input.

One node (`ai.onnx.ml` TreeEnsembleRegressor) holds all trees of a decision tree, random forest,
extra trees, gradient boosting or histogram gradient boosting. Three rules make it exact:

- scikit-learn compares a float32 input with a float64 threshold. The greatest float32 that is not
  above the threshold splits the same inputs;
- a missing value (NaN) goes where scikit-learn sends it (`missing_value_tracks_true`);
- a split by categories asks for each category of the side that missing and unknown values do not
  take. ONNX Runtime merges such a row of questions into one look-up.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from ounce_schemas.errors import ExportError
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from ounce_exporters.export.graphs import IR_VERSION, OPSET, UNCALIBRATED

FEATURES = "features"
"""Name of the graph's input, float32 of shape (n_items, n_features)."""

Link = Literal["identity", "softmax", "sigmoid", "exp"]
"""What makes the answer of the sum over trees."""

_LEAF = -1
_SINGLE = (DecisionTreeClassifier, DecisionTreeRegressor)
_FORESTS = (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
_BOOSTED = (GradientBoostingClassifier, GradientBoostingRegressor)
_HISTOGRAM = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)


@dataclass(frozen=True)
class Tree:
    """One binary tree; arrays have an entry per node, and the root is node 0."""

    feature: NDArray[np.int64]
    """Feature that a node asks for; -1 at a leaf."""
    threshold: NDArray[np.float64]
    """Inputs that are not above it go left."""
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    missing_left: NDArray[np.bool_]
    """Whether a missing value goes left."""
    categories: dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]]
    """By node that splits by categories instead: those that go left, and those that go right."""
    values: NDArray[np.float64]
    """What a leaf adds to the outputs, shape (n_nodes, n_outputs)."""


@dataclass(frozen=True)
class Ensemble:
    """Trees whose leaves are summed, and what makes the answer of that sum."""

    trees: Sequence[Tree]
    base: NDArray[np.float64]
    """Added to the sum, shape (n_outputs,)."""
    link: Link
    n_features: int


def is_tree_ensemble(estimator: Any) -> bool:
    """Whether `read_ensemble` can read a fitted estimator."""
    return isinstance(estimator, (*_SINGLE, *_FORESTS, *_BOOSTED, *_HISTOGRAM))


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
    raise ExportError(f"{type(estimator).__name__} is not an ensemble of trees")


def emit(ensemble: Ensemble) -> onnx.ModelProto:
    """The ensemble as a graph from `features` to `uncalibrated`.

    The output has shape (n_items, n_labels) where the link gives probabilities, else (n_items, 1).
    """
    nodes = [
        helper.make_node(
            "TreeEnsembleRegressor",
            [FEATURES],
            ["sums"],
            domain="ai.onnx.ml",
            n_targets=len(ensemble.base),
            base_values=ensemble.base.astype(np.float32).tolist(),
            **_attributes(ensemble.trees),
        )
    ]
    n_outputs = len(ensemble.base)
    if ensemble.link == "sigmoid":
        nodes += [
            helper.make_node("Neg", ["sums"], ["negative"]),
            helper.make_node("Sigmoid", ["negative"], ["first"]),
            helper.make_node("Sigmoid", ["sums"], ["second"]),
            helper.make_node("Concat", ["first", "second"], [UNCALIBRATED], axis=1),
        ]
        n_outputs = 2
    elif ensemble.link == "softmax":
        nodes.append(helper.make_node("Softmax", ["sums"], [UNCALIBRATED], axis=1))
    else:
        operator = "Exp" if ensemble.link == "exp" else "Identity"
        nodes.append(helper.make_node(operator, ["sums"], [UNCALIBRATED]))
    graph = helper.make_graph(
        nodes,
        "trees",
        [_float_info(FEATURES, ensemble.n_features)],
        [_float_info(UNCALIBRATED, n_outputs)],
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)


def count_numbers(ensemble: Ensemble) -> int:
    """Learned numbers: thresholds, categories and leaf values."""
    return sum(
        int((tree.feature != _LEAF).sum())
        + sum(len(left) + len(right) for left, right in tree.categories.values())
        + sum(len(_targets(tree.values[leaf])) for leaf in np.flatnonzero(tree.feature == _LEAF))
        for tree in ensemble.trees
    )


def not_above(threshold: NDArray[np.float64]) -> NDArray[np.float32]:
    """The greatest float32 values that are not above these."""
    with np.errstate(over="ignore"):
        nearest = threshold.astype(np.float32)
    below = np.nextafter(nearest, np.float32(-np.inf))
    return np.where(nearest.astype(np.float64) > threshold, below, nearest)


def _averaged(estimators: Sequence[Any], n_features: int) -> Ensemble:
    trees = [_read(e.tree_, e.tree_.value[:, 0, :] / len(estimators)) for e in estimators]
    return Ensemble(trees, np.zeros(trees[0].values.shape[1]), "identity", n_features)


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
        trees = [_scaled(tree, 2.0) for tree in trees]
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
        feature=np.where(is_leaf, _LEAF, tree.feature).astype(np.int64),
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
        feature=np.where(is_leaf, _LEAF, places[nodes["feature_idx"]]).astype(np.int64),
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


def _scaled(tree: Tree, factor: float) -> Tree:
    return replace(tree, values=tree.values * factor)


def _attributes(trees: Sequence[Tree]) -> dict[str, Any]:
    """The node tables of all trees, side by side, as the operator takes them."""
    rows = [row for number, tree in enumerate(trees) for row in _rows(number, tree)]
    names = (
        "nodes_treeids",
        "nodes_nodeids",
        "nodes_featureids",
        "nodes_modes",
        "nodes_values",
        "nodes_truenodeids",
        "nodes_falsenodeids",
        "nodes_missing_value_tracks_true",
    )
    columns: dict[str, list[Any]] = dict(
        zip(names, map(list, zip(*rows, strict=True)), strict=True)
    )
    leaves = [
        (number, leaf, output, float(tree.values[leaf, output]))
        for number, tree in enumerate(trees)
        for leaf in np.flatnonzero(tree.feature == _LEAF).tolist()
        for output in _targets(tree.values[leaf])
    ]
    targets = ("target_treeids", "target_nodeids", "target_ids", "target_weights")
    columns.update(zip(targets, map(list, zip(*leaves, strict=True)), strict=True))
    return columns


def _targets(values: NDArray[np.float64]) -> Sequence[int]:
    """Outputs that a leaf adds to; one that adds nothing at all still names the first."""
    found: list[int] = np.flatnonzero(values).tolist()
    return found or [0]


def _rows(number: int, tree: Tree) -> Iterator[tuple[Any, ...]]:
    """A tree's nodes in the operator's form; a split by categories is a row of questions."""
    thresholds = not_above(tree.threshold)
    extra = len(tree.feature)
    for node, feature in enumerate(tree.feature.tolist()):
        left, right = int(tree.left[node]), int(tree.right[node])
        missing_left = bool(tree.missing_left[node])
        if feature == _LEAF:
            yield number, node, 0, "LEAF", 0.0, 0, 0, 0
        elif node not in tree.categories:
            at = float(thresholds[node])
            yield number, node, feature, "BRANCH_LEQ", at, left, right, int(missing_left)
        else:
            goes_left, goes_right = tree.categories[node]
            asked, yes, no = (goes_right, right, left) if missing_left else (goes_left, left, right)
            here = node
            for i, category in enumerate(asked.tolist()):
                is_last = i == len(asked) - 1
                otherwise = no if is_last else extra
                yield number, here, feature, "BRANCH_EQ", category, yes, otherwise, 0
                if not is_last:
                    here, extra = extra, extra + 1
            if not len(asked):  # everything takes the same side
                yield number, node, feature, "BRANCH_LEQ", np.inf, no, no, 1


def _float_info(name: str, n: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", n])
