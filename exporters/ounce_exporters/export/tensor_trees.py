"""Tree ensembles as operations on tensors, for GPUs (Nakandala et al., "A Tensor Compiler for
Unified Machine Learning Prediction Serving", OSDI 2020).

- Shallow trees (GEMM strategy): all questions are asked at once. A product counts for each leaf how
  many on its path were answered its way, and a second one sums the leaves where all were.
- Deep trees (tree traversal strategy): every row steps down all trees at once, a level at a time.

Features are gathered, not multiplied out of a matrix. So comparisons are those of the tree, bit for
bit, and infinite or missing values stay what they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper

from ounce_exporters.export.names import attributes_of

MOST_GEMM_DEPTH = 4
"""Of deeper trees the products are larger than the steps down."""
_NO_LEAF = 1e6
"""Answers that no path has: of leaves that only fill up."""

Constants = dict[str, NDArray[Any]]


class UnknownTreesError(ValueError):
    """A node of trees that says more than is known here."""


@dataclass(frozen=True)
class FlatTrees:
    """All nodes of all trees in a row; a leaf's children are itself."""

    roots: NDArray[np.int64]
    feature: NDArray[np.int64]
    threshold: NDArray[np.float32]
    equal: NDArray[np.bool_]
    """Whether a node asks for equality, and not for at most."""
    missing_true: NDArray[np.bool_]
    """Whether a missing value goes where a true answer does."""
    true: NDArray[np.int64]
    false: NDArray[np.int64]
    values: NDArray[np.float32]
    """What a leaf adds, shape (n_nodes, n_outputs)."""
    base: NDArray[np.float32]
    depth: int


def read_trees(node: NodeProto) -> FlatTrees:
    """Read a `TreeEnsembleRegressor`.

    Raises:
        UnknownTreesError: it is another one than `export.trees` writes.
    """
    given = attributes_of(node)
    if given.get("aggregate_function", b"SUM") != b"SUM" or given.get(
        "post_transform", b"NONE"
    ) not in (b"NONE",):
        raise UnknownTreesError("trees that are not summed, or whose sum is transformed")
    modes = np.array([mode.decode() for mode in given["nodes_modes"]])
    if not np.isin(modes, ["LEAF", "BRANCH_LEQ", "BRANCH_EQ"]).all():
        raise UnknownTreesError(f"comparisons {sorted(set(modes.tolist()))}")
    keys = list(zip(given["nodes_treeids"], given["nodes_nodeids"], strict=True))
    place = {key: i for i, key in enumerate(keys)}
    n, is_leaf = len(keys), modes == "LEAF"

    def children(name: str) -> NDArray[np.int64]:
        there = zip(keys, given[name], is_leaf, strict=True)
        return np.array([place[k] if leaf else place[k[0], to] for k, to, leaf in there], np.int64)

    true, false = children("nodes_truenodeids"), children("nodes_falsenodeids")
    values = np.zeros((n, given["n_targets"]), np.float64)
    weights = (given[f"target_{x}"] for x in ("treeids", "nodeids", "ids", "weights"))
    for tree, leaf, target, weight in zip(*weights, strict=True):
        values[place[tree, leaf], target] += weight
    inner = np.flatnonzero(~is_leaf)
    roots = np.setdiff1d(np.arange(n), np.concatenate([true[inner], false[inner]]))
    base = given.get("base_values") or np.zeros(given["n_targets"])
    missing = given.get("nodes_missing_value_tracks_true") or np.zeros(n)
    return FlatTrees(
        roots=roots,
        feature=np.where(is_leaf, 0, given["nodes_featureids"]).astype(np.int64),
        threshold=np.array(given["nodes_values"], np.float32),
        equal=modes == "BRANCH_EQ",
        missing_true=np.array(missing).astype(bool),
        true=true,
        false=false,
        values=values.astype(np.float32),
        base=np.array(base, np.float32),
        depth=_depth(roots, true, false),
    )


def write_trees(
    trees: FlatTrees, features: str, output: str, prefix: str
) -> tuple[list[NodeProto], Constants]:
    """Nodes that compute the sums of the trees from the features.

    Args:
        trees: what to write.
        features: name of the tensor that is there, float32 of shape (n_items, n_features).
        output: name of the result, shape (n_items, n_outputs).
        prefix: of all other names.

    Returns:
        The nodes, in order, and their constants by name.
    """
    graph = _Graph(prefix)
    strategy = _gemm if trees.depth <= MOST_GEMM_DEPTH else _traversal
    graph.nodes.append(
        helper.make_node(
            "Add", [strategy(graph, trees, features), graph.constant(trees.base)], [output]
        )
    )
    return graph.nodes, graph.constants


class _Graph:
    """Gathers nodes and constants, and gives names."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.nodes: list[NodeProto] = []
        self.constants: Constants = {}

    def constant(self, value: Any) -> str:
        name = f"{self._prefix}/constant_{len(self.constants)}"
        self.constants[name] = np.ascontiguousarray(value)
        return name

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{self._prefix}/{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name


def _answer(
    graph: _Graph, trees: FlatTrees, values: str, threshold: str, kinds: Sequence[str]
) -> str:
    """Whether questions are answered with true; `kinds` names their `equal` and `missing_true`."""
    found = graph.add("LessOrEqual", values, threshold)
    if trees.equal.any():
        same = graph.add("And", kinds[0], graph.add("Equal", values, threshold))
        found = graph.add("Or", same, graph.add("And", graph.add("Not", kinds[0]), found))
    if trees.missing_true.any():
        found = graph.add("Or", found, graph.add("And", graph.add("IsNaN", values), kinds[1]))
    return found


def _traversal(graph: _Graph, trees: FlatTrees, features: str) -> str:
    roots = trees.roots
    table = {
        name: graph.constant(getattr(trees, name))
        for name in ("feature", "threshold", "equal", "missing_true", "true", "false", "values")
    }
    # The first questions are the same for all rows.
    asked = graph.add("Gather", features, graph.constant(trees.feature[roots]), axis=1)
    kinds = [graph.constant(kind[roots]) for kind in (trees.equal, trees.missing_true)]
    is_true = _answer(graph, trees, asked, graph.constant(trees.threshold[roots]), kinds)
    ways = [graph.constant(way[roots]) for way in (trees.true, trees.false)]
    place = graph.add("Where", is_true, *ways)
    for _ in range(1, trees.depth):
        at = {name: graph.add("Gather", table[name], place, axis=0) for name in _LEVEL[:2]}
        kinds = [
            graph.add("Gather", table[name], place, axis=0) if getattr(trees, name).any() else ""
            for name in ("equal", "missing_true")
        ]
        asked = graph.add("GatherElements", features, at["feature"], axis=1)
        is_true = _answer(graph, trees, asked, at["threshold"], kinds)
        ways = [graph.add("Gather", table[name], place, axis=0) for name in _LEVEL[2:]]
        place = graph.add("Where", is_true, *ways)
    leaves = graph.add("Gather", table["values"], place, axis=0)
    return graph.add("ReduceSum", leaves, graph.constant(np.array([1])), keepdims=0)


_LEVEL = ("feature", "threshold", "true", "false")


def _gemm(graph: _Graph, trees: FlatTrees, features: str) -> str:
    paths = [_paths(trees, root) for root in trees.roots.tolist()]
    n_trees = len(paths)
    n_inner = max(1, *(len(inner) for inner, _ in paths))
    n_leaves = max(len(leaves) for _, leaves in paths)
    asked = np.tile(trees.roots[:, None], (1, n_inner))
    counts = np.zeros((n_trees, n_inner, n_leaves), np.float32)
    wanted = np.full((n_trees, 1, n_leaves), _NO_LEAF, np.float32)
    values = np.zeros((n_trees, n_leaves, trees.values.shape[1]), np.float32)
    for t, (inner, leaves) in enumerate(paths):
        asked[t, : len(inner)] = inner
        for k, (leaf, path) in enumerate(leaves):
            values[t, k] = trees.values[leaf]
            wanted[t, 0, k] = sum(path.values())
            for node, is_true in path.items():
                counts[t, inner.index(node), k] = 1.0 if is_true else -1.0
    flat = asked.ravel()
    gathered = graph.add("Gather", features, graph.constant(trees.feature[flat]), axis=1)
    kinds = [graph.constant(kind[flat]) for kind in (trees.equal, trees.missing_true)]
    answers = _answer(graph, trees, gathered, graph.constant(trees.threshold[flat]), kinds)
    numbers = graph.add("Cast", answers, to=TensorProto.FLOAT)
    shape = graph.constant(np.array([-1, n_trees, n_inner]))
    by_tree = graph.add("Transpose", graph.add("Reshape", numbers, shape), perm=[1, 0, 2])
    counted = graph.add("MatMul", by_tree, graph.constant(counts))
    reached = graph.add("Equal", counted, graph.constant(wanted))
    chosen = graph.add("Cast", reached, to=TensorProto.FLOAT)
    sums = graph.add("MatMul", chosen, graph.constant(values))
    return graph.add("ReduceSum", sums, graph.constant(np.array([0])), keepdims=0)


def _paths(trees: FlatTrees, root: int) -> tuple[list[int], list[tuple[int, dict[int, bool]]]]:
    """Inner nodes of a tree, and its leaves, each with the answers that lead to it."""
    inner: list[int] = []
    leaves: list[tuple[int, dict[int, bool]]] = []
    waiting: list[tuple[int, dict[int, bool]]] = [(root, {})]
    while waiting:
        node, path = waiting.pop()
        if trees.true[node] == node:
            leaves.append((node, path))
            continue
        inner.append(node)
        waiting.append((int(trees.false[node]), {**path, node: False}))
        waiting.append((int(trees.true[node]), {**path, node: True}))
    return inner, leaves


def _depth(roots: NDArray[Any], true: NDArray[Any], false: NDArray[Any]) -> int:
    """Steps from a root to the farthest leaf, at least 1."""
    level, depth = roots, 0
    while len(level := level[true[level] != level]):
        level, depth = np.concatenate([true[level], false[level]]), depth + 1
    return max(depth, 1)
