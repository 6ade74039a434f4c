"""Tree ensembles as one ONNX node that answers as scikit-learn does, on every float32 input.

One node (`ai.onnx.ml` TreeEnsembleRegressor) holds all trees of a decision tree, random forest,
extra trees, gradient boosting or histogram gradient boosting. Three rules make it exact:

- scikit-learn compares a float32 input with a float64 threshold. The greatest float32 that is not
  above the threshold splits the same inputs.
- A missing value (NaN) goes where scikit-learn sends it (`missing_value_tracks_true`).
- A split by categories asks for each category of the side that missing and unknown values do not
  take. ONNX Runtime merges such a row of questions into one look-up.
"""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import AttributeProto, TensorProto, helper

from ounce_exporters.export.graphs import IR_VERSION, OPSET, UNCALIBRATED

FEATURES = "features"
"""Name of the graph's input, float32 of shape (n_items, n_features)."""

Link = Literal["identity", "softmax", "sigmoid", "exp"]
"""What makes the answer of the sum over trees."""

LEAF = -1
"""Feature of a node that is a leaf."""
_NODES = {
    "nodes_treeids": "q",
    "nodes_nodeids": "q",
    "nodes_featureids": "q",
    "nodes_modes": "",
    "nodes_values": "d",
    "nodes_truenodeids": "q",
    "nodes_falsenodeids": "q",
    "nodes_missing_value_tracks_true": "q",
}
"""The operator's attributes of a node, as `_rows` gives them: integers, numbers, or text."""
_LEAVES = {"target_treeids": "q", "target_nodeids": "q", "target_ids": "q", "target_weights": "d"}
"""The same of what a leaf adds to an output."""


@dataclass(frozen=True)
class Tree:
    """One binary tree; arrays have an entry per node, and the root is node 0."""

    feature: NDArray[np.int64]
    """Feature that a node asks for; `LEAF` at a leaf."""
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


def emit(ensemble: Ensemble) -> onnx.ModelProto:
    """The ensemble as a graph from `features` to `uncalibrated`.

    The output has shape (n_items, n_labels) where the link gives probabilities, else (n_items, 1).
    """
    n_outputs = 2 if ensemble.link == "sigmoid" else len(ensemble.base)
    graph = helper.make_graph(
        [],
        "trees",
        [_float_info(FEATURES, ensemble.n_features)],
        [_float_info(UNCALIBRATED, n_outputs)],
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
    # Filled in place: each copy of a large forest takes a hundred megabytes.
    _fill(model.graph.node.add(), ensemble.trees, ensemble.base, FEATURES, "sums")
    model.graph.node.extend(_linked(ensemble.link))
    return model


def _linked(link: Link) -> list[onnx.NodeProto]:
    """What makes the answer of the sums."""
    if link == "sigmoid":
        return [
            helper.make_node("Neg", ["sums"], ["negative"]),
            helper.make_node("Sigmoid", ["negative"], ["first"]),
            helper.make_node("Sigmoid", ["sums"], ["second"]),
            helper.make_node("Concat", ["first", "second"], [UNCALIBRATED], axis=1),
        ]
    if link == "softmax":
        return [helper.make_node("Softmax", ["sums"], [UNCALIBRATED], axis=1)]
    return [helper.make_node("Exp" if link == "exp" else "Identity", ["sums"], [UNCALIBRATED])]


def tree_node(
    trees: Sequence[Tree], base: NDArray[np.float64], features: str, sums: str
) -> onnx.NodeProto:
    """The node that sums up trees.

    Args:
        trees: to add up.
        base: added to the sums, shape (n_outputs,).
        features: name of what it reads.
        sums: name of what it writes.
    """
    node = onnx.NodeProto()
    _fill(node, trees, base, features, sums)
    return node


def _fill(
    node: onnx.NodeProto,
    trees: Sequence[Tree],
    base: NDArray[np.float64],
    features: str,
    sums: str,
) -> None:
    """Make an empty node the one that sums up trees."""
    node.op_type, node.domain = "TreeEnsembleRegressor", "ai.onnx.ml"
    node.input.append(features)
    node.output.append(sums)
    columns = _columns(trees)
    columns["base_values"] = array("d", base.astype(np.float32).tolist())
    for name, values in sorted([*columns.items(), ("n_targets", len(base))]):
        attribute = node.attribute.add()
        attribute.name = name
        if isinstance(values, int):
            attribute.type, attribute.i = AttributeProto.INT, values
        elif isinstance(values, list):
            attribute.type = AttributeProto.STRINGS
            attribute.strings.extend(values)
        elif values.typecode == "q":
            attribute.type = AttributeProto.INTS
            attribute.ints.extend(values)
        else:
            attribute.type = AttributeProto.FLOATS
            attribute.floats.extend(values)


def as_logits(ensemble: Ensemble) -> Ensemble:
    """Boosted trees of classes, whose answers are logits: one for each class, also of two."""
    if len(ensemble.base) > 1:
        return replace(ensemble, link="identity")
    trees = [
        replace(tree, values=np.concatenate([-tree.values / 2, tree.values / 2], axis=1))
        for tree in ensemble.trees
    ]
    base = np.concatenate([-ensemble.base / 2, ensemble.base / 2])
    return replace(ensemble, trees=trees, base=base, link="identity")


def count_numbers(ensemble: Ensemble) -> int:
    """Learned numbers: thresholds, categories and leaf values."""
    return sum(
        int((tree.feature != LEAF).sum())
        + sum(len(left) + len(right) for left, right in tree.categories.values())
        + sum(len(_targets(tree.values[leaf])) for leaf in np.flatnonzero(tree.feature == LEAF))
        for tree in ensemble.trees
    )


def not_above(threshold: NDArray[np.float64]) -> NDArray[np.float32]:
    """The greatest float32 values that are not above these."""
    with np.errstate(over="ignore"):
        nearest = threshold.astype(np.float32)
    below = np.nextafter(nearest, np.float32(-np.inf))
    return np.where(nearest.astype(np.float64) > threshold, below, nearest)


def _columns(trees: Sequence[Tree]) -> dict[str, Any]:
    """The node tables of all trees, side by side, as the operator takes them."""
    # Arrays, tree by tree: as Python objects the numbers of a large forest take ten times as much.
    nodes: dict[str, Any] = {name: array(kind) if kind else [] for name, kind in _NODES.items()}
    leaves: dict[str, Any] = {name: array(kind) for name, kind in _LEAVES.items()}
    for number, tree in enumerate(trees):
        for columns, rows in ((nodes, _rows(number, tree)), (leaves, _leaves(number, tree))):
            for column, values in zip(columns.values(), zip(*rows, strict=True), strict=True):
                column.extend(values)
    return nodes | leaves


def _leaves(number: int, tree: Tree) -> Iterator[tuple[Any, ...]]:
    """What a tree's leaves add, in the operator's form."""
    for leaf in np.flatnonzero(tree.feature == LEAF).tolist():
        for output in _targets(tree.values[leaf]):
            yield number, leaf, output, float(tree.values[leaf, output])


def _targets(values: NDArray[np.float64]) -> Sequence[int]:
    """Outputs that a leaf adds to. One that adds nothing names all: ONNX Runtime leaves the base
    out of an output that no leaf names."""
    found: list[int] = np.flatnonzero(values).tolist()
    return found or range(len(values))


def _rows(number: int, tree: Tree) -> Iterator[tuple[Any, ...]]:
    """A tree's nodes in the operator's form; a split by categories is a row of questions."""
    thresholds = not_above(tree.threshold)
    extra = len(tree.feature)
    for node, feature in enumerate(tree.feature.tolist()):
        left, right = int(tree.left[node]), int(tree.right[node])
        missing_left = bool(tree.missing_left[node])
        if feature == LEAF:
            yield number, node, 0, b"LEAF", 0.0, 0, 0, 0
        elif node not in tree.categories:
            at = float(thresholds[node])
            yield number, node, feature, b"BRANCH_LEQ", at, left, right, int(missing_left)
        else:
            goes_left, goes_right = tree.categories[node]
            asked, yes, no = (goes_right, right, left) if missing_left else (goes_left, left, right)
            here = node
            for i, category in enumerate(asked.tolist()):
                is_last = i == len(asked) - 1
                otherwise = no if is_last else extra
                yield number, here, feature, b"BRANCH_EQ", category, yes, otherwise, 0
                if not is_last:
                    here, extra = extra, extra + 1
            if not len(asked):  # everything takes the same side
                yield number, node, feature, b"BRANCH_LEQ", np.inf, no, no, 1


def _float_info(name: str, n: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", n])
