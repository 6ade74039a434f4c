"""What a row costs in a graph, counted and not timed: the same for the same graph, always.

Multiplications, comparisons of trees and elements of other operators are weighed by how long each
takes in ONNX Runtime on one processor core. A card's latencies are measured; this is for
choosing between graphs while tuning.
"""

import math

import onnx
from onnx import ModelProto, NodeProto, shape_inference

_NS_PER_PRODUCT = 0.08
_NS_PER_COMPARISON = 5.0
"""A node of a tree lies anywhere in memory."""
_NS_PER_ELEMENT = 0.5
"""Of what any other operator gives."""
_NS_PER_OPERATOR = 5.0
"""Of calling an operator, as a share of a batch."""

_KERNEL = {"QLinearConv": 3}
"""Which input holds the weights of a convolution, where it is not the second."""
_FREE = ("Constant", "Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Shape")
"""They move nothing."""


def count_cost(model: ModelProto) -> float:
    """Nanoseconds of a row in a batch, about."""
    graph = shape_inference.infer_shapes(model).graph
    shapes: dict[str, tuple[int, ...]] = {t.name: tuple(t.dims) for t in graph.initializer}
    for info in (*graph.input, *graph.value_info, *graph.output):
        # The rows of a batch have a name instead of a number: count one.
        shapes[info.name] = tuple(d.dim_value or 1 for d in info.type.tensor_type.shape.dim)
    return sum(_NS_PER_OPERATOR + _cost(node, shapes) for node in graph.node)


def _cost(node: NodeProto, shapes: dict[str, tuple[int, ...]]) -> float:
    if node.op_type in ("MatMul", "Gemm"):
        inner = shapes.get(node.input[0], (1,))[-1]
        return _NS_PER_PRODUCT * inner * math.prod(shapes.get(node.output[0], (1,)))
    if _is_trees(node):
        return _NS_PER_COMPARISON * _comparisons(node)
    if node.op_type in ("Conv", "ConvInteger", "QLinearConv"):
        kernel = shapes.get(node.input[_KERNEL.get(node.op_type, 1)], (1,))
        return _NS_PER_PRODUCT * math.prod(kernel[1:]) * math.prod(shapes.get(node.output[0], (1,)))
    if node.op_type in ("GRU", "LSTM", "RNN"):
        steps = shapes.get(node.input[0], (1,))[0]
        weights = sum(math.prod(shapes.get(name, (1,))) for name in node.input[1:3])
        return _NS_PER_PRODUCT * steps * weights
    if node.op_type in _FREE:
        return 0.0
    return _NS_PER_ELEMENT * sum(math.prod(shapes.get(name, (1,))) for name in node.output)


def count_leaves(model: ModelProto) -> list[int]:
    """Of each decision tree in a graph."""
    return [n for node in model.graph.node if _is_trees(node) for n in _leaves(node)]


def _is_trees(node: NodeProto) -> bool:
    return str(node.op_type).startswith("TreeEnsemble")


def _comparisons(node: NodeProto) -> float:
    """Of all trees: the mean depth of leaves, as if each were as likely by its depth."""
    return sum(1.0 + math.log2(n) for n in _leaves(node))


def _leaves(node: NodeProto) -> list[int]:
    """Of each tree."""
    (modes, trees) = (_attribute(node, name) for name in ("nodes_modes", "nodes_treeids"))
    leaves: dict[int, int] = {}
    for mode, tree in zip(modes, trees, strict=True):
        leaves[tree] = leaves.get(tree, 0) + (mode == b"LEAF")
    return list(leaves.values())


def _attribute(node: NodeProto, name: str) -> list:  # type: ignore[type-arg]
    found = next(a for a in node.attribute if a.name == name)
    return list(onnx.helper.get_attribute_value(found))
