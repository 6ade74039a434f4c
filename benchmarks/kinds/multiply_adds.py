"""Multiplications of a graph for one item, counted from its convolutions and matrix products."""

import math

import onnx
from onnx import shape_inference


def count_multiply_adds(model: onnx.ModelProto) -> float:
    """Of `Conv`, `Gemm`, `MatMul` and `GRU`, for a batch of one.

    Args:
        model: a graph whose batch dimension has a name.
    """
    graph = shape_inference.infer_shapes(model).graph
    shapes: dict[str, tuple[int, ...]] = {t.name: tuple(t.dims) for t in graph.initializer}
    for info in (*graph.input, *graph.value_info, *graph.output):
        shapes[info.name] = tuple(d.dim_value or 1 for d in info.type.tensor_type.shape.dim)
    total = 0.0
    for node in graph.node:
        if node.op_type == "Conv":
            total += math.prod(shapes[node.output[0]]) * math.prod(shapes[node.input[1]][1:])
        elif node.op_type in ("Gemm", "MatMul"):
            total += math.prod(shapes[node.output[0]]) * _summed(node, shapes)
        elif node.op_type == "GRU":
            steps = shapes[node.input[0]][0]
            total += steps * sum(math.prod(shapes[name]) for name in node.input[1:3])
    return total


def _summed(node: onnx.NodeProto, shapes: dict[str, tuple[int, ...]]) -> int:
    """Products in one number of a product of matrices, by the right one's rows: the left one's
    shape is not inferred behind operators of `ai.onnx.ml`."""
    is_turned = any(a.name == "transB" and a.i for a in node.attribute)
    return shapes[node.input[1]][-1 if is_turned else -2]
