"""Contributions read off a model that is a sum: of weighed features, or of trees."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper
from ounce_schemas.errors import ExportError
from ounce_schemas.explanation import Method
from ounce_schemas.task import TaskSpec

from ounce_exporters.explaining.joining import EXPLAINED, attach_explained
from ounce_exporters.explaining.scores import ScoreMap
from ounce_exporters.explaining.terms import Linear, Terms
from ounce_exporters.explaining.tree_shapley import shapley, suits
from ounce_exporters.explaining.tree_terms import Floats, count_values, halves, paths, weigh
from ounce_exporters.export.trees import Ensemble, Tree, tree_node

MOST_LEAF_VALUES = 500_000
"""Of trees of vectors."""
_ROWS = 5000
_OWN = "explaining/"

Constants = dict[str, NDArray[Any]]


class _Sums(NamedTuple):
    """What finds contributions to all outputs, of which those to the score are made."""

    nodes: list[NodeProto]
    constants: Constants
    base: Floats
    """Of the outputs, shape (n_outputs,)."""
    method: Method


@dataclass(frozen=True)
class _Columns:
    """Whose each feature is, and what the model has learned from."""

    features: Floats
    """Shape (n_rows, n_features)."""
    owners: NDArray[np.intp]
    n_parts: int


def explain_terms(
    graph: onnx.ModelProto,
    task: TaskSpec,
    terms: Terms,
    owners: NDArray[np.intp],
    scores: ScoreMap,
    n_parts: int,
) -> tuple[onnx.ModelProto, Method]:
    """A graph of the answer and its explanation.

    Args:
        graph: of the model: the task's inputs and output.
        task: of the model.
        terms: what it adds up.
        owners: part of each feature.
        scores: what contributions add up to.
        n_parts: of the input.

    Raises:
        ExportError: it is no such sum, or takes too many numbers.
    """
    features = np.asarray(terms.transform(terms.rows[:_ROWS]), np.float64)
    columns = _Columns(features, owners, n_parts)
    result = onnx.ModelProto()
    result.CopyFrom(graph)
    answer = task.output.name
    nodes = [helper.make_node("ArgMax", [answer], [f"{_OWN}label"], axis=1, keepdims=0)]
    constants: Constants = {}
    if not scores.picks:  # one score, whatever the answer
        nodes[0].output[0] = f"{_OWN}any"
        nodes.append(helper.make_node("Mul", [f"{_OWN}any", f"{_OWN}none"], [f"{_OWN}label"]))
        constants[f"{_OWN}none"] = np.array([0], np.int64)
    if isinstance(terms.last, Linear):
        more, own, base, method = _linear(terms, terms.last, columns, scores)
    else:
        more, own, base, method = _trees(terms, terms.last, columns, scores)
    bases = base @ scores.weights + scores.offsets
    constants |= own | {f"{_OWN}bases": bases.astype(np.float32)[:, None]}
    nodes += [
        *more,
        helper.make_node("Gather", [f"{_OWN}bases", f"{_OWN}label"], [f"{_OWN}base"], axis=0),
        helper.make_node(
            "Concat", [answer, f"{_OWN}base", f"{_OWN}contributions"], [EXPLAINED], axis=1
        ),
    ]
    result.graph.node.extend(nodes)
    result.graph.initializer.extend(
        numpy_helper.from_array(value, name) for name, value in constants.items()
    )
    if "ai.onnx.ml" not in {opset.domain for opset in result.opset_import}:
        result.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
    return attach_explained(result, task, n_parts), method


def _linear(terms: Terms, last: Linear, columns: _Columns, scores: ScoreMap) -> _Sums:
    weights = last.weights.astype(np.float64)
    means = columns.features.mean(axis=0)
    into = np.zeros((len(columns.owners), columns.n_parts), np.float32)
    into[np.arange(len(columns.owners)), columns.owners] = 1.0
    constants = {
        f"{_OWN}weights": (weights @ scores.weights).T.astype(np.float32),
        f"{_OWN}means": means.astype(np.float32),
        f"{_OWN}into": into,
    }
    nodes = [
        helper.make_node("Gather", [f"{_OWN}weights", f"{_OWN}label"], [f"{_OWN}own"], axis=0),
        helper.make_node("Sub", [terms.features, f"{_OWN}means"], [f"{_OWN}over"]),
        helper.make_node("Mul", [f"{_OWN}over", f"{_OWN}own"], [f"{_OWN}parts"]),
        helper.make_node("MatMul", [f"{_OWN}parts", f"{_OWN}into"], [f"{_OWN}contributions"]),
    ]
    base = means.astype(np.float32) @ weights + last.bias
    return _Sums(nodes, constants, base, "exact")


def _trees(terms: Terms, last: Ensemble, columns: _Columns, scores: ScoreMap) -> _Sums:
    base = last.base.astype(np.float64)
    owners, n_parts = columns.owners, columns.n_parts
    method: Method
    if terms.is_additive:
        method, share = "exact", halves
    elif all(suits(tree) for tree in last.trees):
        method, share = "tree-shap", shapley
    else:
        method, share = "tree-paths", paths
    n_outputs = len(last.base)
    found, n_values = list[Tree](), 0
    for each in last.trees:  # one by one: too many are found out by the first
        weighed = weigh(each, columns.features)
        base = base + weighed.means[0]
        tree = share(weighed, owners, n_parts)
        if n_outputs == 2:  # what speaks for one of two speaks against the other
            tree = _second_of_two(tree)
        found.append(tree)
        n_values += count_values([tree])
        if n_values > MOST_LEAF_VALUES:
            raise ExportError(f"trees of contributions take over {MOST_LEAF_VALUES:,} numbers")
    return _Sums(*_summed(found, terms.features, scores, n_parts), base, method)


def _second_of_two(tree: Tree) -> Tree:
    return Tree(**{**vars(tree), "values": tree.values[:, 1::2]})


def _summed(
    trees: Sequence[Tree], features: str, scores: ScoreMap, n_parts: int
) -> tuple[list[NodeProto], Constants]:
    """Contributions to the score, of those to the outputs: part by part, of one output where there
    are two."""
    n = scores.n_outputs
    width = trees[0].values.shape[1]
    sums, label = f"{_OWN}sums", f"{_OWN}label"
    nodes, before = _sum_up(trees, features, sums)
    weights = scores.weights.T.astype(np.float32)
    if width == n_parts:  # of one output
        own = weights[:, 1] - weights[:, 0] if n == 2 else weights[:, 0]
        constants: Constants = {f"{_OWN}own": own[:, None]}
        nodes += [
            helper.make_node("Gather", [f"{_OWN}own", label], [f"{_OWN}factor"], axis=0),
            helper.make_node("Mul", [sums, f"{_OWN}factor"], [f"{_OWN}contributions"]),
        ]
        return nodes, before | constants
    constants = {
        f"{_OWN}weights": weights,
        f"{_OWN}shape": np.array([-1, n_parts, n], np.int64),
        f"{_OWN}axis": np.array([1], np.int64),
        f"{_OWN}last": np.array([2], np.int64),
    }
    nodes += [
        helper.make_node("Reshape", [sums, f"{_OWN}shape"], [f"{_OWN}outputs"]),
        helper.make_node("Gather", [f"{_OWN}weights", label], [f"{_OWN}own"], axis=0),
        helper.make_node("Unsqueeze", [f"{_OWN}own", f"{_OWN}axis"], [f"{_OWN}row"]),
        helper.make_node("Mul", [f"{_OWN}outputs", f"{_OWN}row"], [f"{_OWN}products"]),
        helper.make_node(
            "ReduceSum", [f"{_OWN}products", f"{_OWN}last"], [f"{_OWN}contributions"], keepdims=0
        ),
    ]
    return nodes, before | constants


def _sum_up(trees: Sequence[Tree], features: str, sums: str) -> tuple[list[NodeProto], Constants]:
    """The node that adds up trees of vectors.

    ONNX Runtime takes two leaves behind neighbouring questions for texts for the same one where the
    first of their values is equal. So each leaf has a number of its own before its values.
    """
    width = trees[0].values.shape[1]
    if width == 1 or not any(tree.categories for tree in trees):
        return [tree_node(trees, np.zeros(width), features, sums)], {}
    numbered = [
        Tree(
            **{
                **vars(tree),
                "values": np.insert(tree.values, 0, 1.0 + np.arange(len(tree.values)), 1),
            }
        )
        for tree in trees
    ]
    constants = {f"{_OWN}{n}": np.array([i], np.int64) for n, i in
                 (("one", 1), ("end", width + 1), ("columns", 1))}  # fmt: skip
    slice_ = [f"{_OWN}numbered", f"{_OWN}one", f"{_OWN}end", f"{_OWN}columns"]
    return [
        tree_node(numbered, np.zeros(width + 1), features, f"{_OWN}numbered"),
        helper.make_node("Slice", slice_, [sums]),
    ], constants
