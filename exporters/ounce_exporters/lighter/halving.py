"""Networks in FP16, which ends at 65,504 and has three decimal digits."""

from collections.abc import Collection

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnxruntime.quantization.onnx_model import ONNXModel
from onnxruntime.transformers.float16 import convert_float_to_float16

_NUMBERS = {
    "value_float": np.float32,
    "value_floats": np.float32,
    "value_int": np.int64,
    "value_ints": np.int64,
}
"""Attributes of a constant that is no tensor."""
_SUMS = (
    "CumSum",
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceMean",
    "ReduceProd",
    "ReduceSum",
    "ReduceSumSquare",
)
"""Their intermediate results may be beyond FP16 where values and answers are not."""
_OF_SCALES = (
    "Add",
    "Clip",
    "Div",
    "Exp",
    "Log",
    "Max",
    "Min",
    "Mul",
    "Pow",
    "Reciprocal",
    "Sqrt",
    "Sub",
)


def halve(model: onnx.ModelProto, layers: Collection[str]) -> onnx.ModelProto:
    """The same network in FP16.

    Args:
        model: of FP32, whose nodes have names; it is changed.
        layers: operators that are worth it. What leads to none of them stays.
    """
    for node in model.graph.node:
        _make_tensor(node)
    whole = [*_ends(model, layers), *_sums(model)]
    half = ONNXModel(convert_float_to_float16(model, keep_io_types=True, node_block_list=whole))
    half.topological_sort()  # casts of inputs come last
    graph = half.model.graph
    halves = {
        node.output[0]: node.input[0]
        for node in graph.node
        if _is_cast(node, onnx.TensorProto.FLOAT16)
    }
    for node in graph.node:  # what is FP32 on both sides does not go through FP16 between
        if _is_cast(node, onnx.TensorProto.FLOAT) and node.input[0] in halves:
            node.input[0] = halves[node.input[0]]
    used = {name for node in graph.node for name in node.input}
    kept = [node for node in graph.node if node.output[0] in used or node.output[0] not in halves]
    del graph.node[:]
    graph.node.extend(kept)
    result: onnx.ModelProto = half.model
    return result


def _make_tensor(node: onnx.NodeProto) -> None:
    """Let a constant be a tensor, also where it is written as a number or a list: only tensors are
    converted."""
    for value in node.attribute if node.op_type == "Constant" else ():
        if value.name in _NUMBERS:
            array = np.array(helper.get_attribute_value(value), _NUMBERS[value.name])
            value.CopyFrom(helper.make_attribute("value", numpy_helper.from_array(array)))


def _sums(model: onnx.ModelProto) -> list[str]:
    """Names of nodes that sum up, of those that make squares for it, and of those that make scales
    of nothing but sums: variances are beyond FP16 where deviations are not."""
    nodes = model.graph.node
    summed, found = set[str](), []
    for node in reversed(nodes):
        is_square = node.op_type == "Pow" or (node.op_type == "Mul" and len(set(node.input)) == 1)
        if node.op_type in _SUMS or (is_square and summed.intersection(node.output)):
            summed.update(node.input)
            found.append(node.name)
    constant = {"", *(tensor.name for tensor in model.graph.initializer)}
    sums = set[str]()
    for node in nodes:
        if constant.issuperset(node.input):
            constant.update(node.output)
        elif node.op_type in _SUMS:
            sums.update(node.output)
        elif node.op_type in _OF_SCALES and (constant | sums).issuperset(node.input):
            sums.update(node.output)
            found.append(node.name)
    return found


def _ends(model: onnx.ModelProto, layers: Collection[str]) -> list[str]:
    """Names of nodes that read raw numbers, make constants for that, or follow the last layers."""
    graph = model.graph
    kinds = (onnx.TensorProto.FLOAT, onnx.TensorProto.STRING)
    raw = {i.name for i in graph.input if i.type.tensor_type.elem_type in kinds}
    constant = {"", *(tensor.name for tensor in graph.initializer)}
    beside = set[str]()  # what is read beside raw numbers
    found = []
    for node in graph.node:
        if constant.issuperset(node.input):
            constant.update(node.output)
        elif node.op_type not in layers and raw.intersection(node.input):
            raw.update(node.output)
            beside.update(node.input)
            found.append(node.name)
    for node in reversed(graph.node):
        if constant.issuperset(node.output) and beside.intersection(node.output):
            beside.update(node.input)
            found.append(node.name)
    on = set[str]()  # what leads to a layer
    for node in reversed(graph.node):
        if node.op_type in layers or on.intersection(node.output):
            on.update(node.input)
        else:
            found.append(node.name)
    return found


def _is_cast(node: onnx.NodeProto, to: int) -> bool:
    return node.op_type == "Cast" and any(a.name == "to" and a.i == to for a in node.attribute)
