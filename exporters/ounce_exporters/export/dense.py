"""Graphs of models that multiply and add: linear ones, and those on distances to prototypes.

Each reads `features`, float32 of shape (n_items, n_features), and writes `uncalibrated`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from ounce_exporters.export.graphs import IR_VERSION, OPSET, UNCALIBRATED
from ounce_exporters.export.trees import FEATURES

Floats = NDArray[np.float32]


def emit_linear(weights: Floats, bias: Floats) -> onnx.ModelProto:
    """`features @ weights + bias`.

    Args:
        weights: array of shape (n_features, n_outputs).
        bias: array of shape (n_outputs,).
    """
    nodes = [helper.make_node("Gemm", [FEATURES, "weights", "bias"], [UNCALIBRATED])]
    return make_model("linear", nodes, {"weights": weights, "bias": bias}, weights.shape)


def emit_kernel(centres: Floats, gamma: float, dual: Floats, bias: Floats) -> onnx.ModelProto:
    """`exp(-gamma * d2) @ dual + bias`, d2 the squared distances to the centres.

    Args:
        centres: array of shape (n_centres, n_features).
        gamma: of the kernel.
        dual: array of shape (n_centres, n_outputs).
        bias: array of shape (n_outputs,).
    """
    weights, offsets = exponent_terms(centres, gamma)
    nodes = [
        helper.make_node("Mul", [FEATURES, FEATURES], ["squares"]),
        helper.make_node("MatMul", ["squares", "minus_gamma"], ["lengths"]),
        helper.make_node("Gemm", [FEATURES, "centres", "offsets"], ["products"]),
        helper.make_node("Add", ["products", "lengths"], ["exponents"]),
        helper.make_node("Exp", ["exponents"], ["kernel"]),
        helper.make_node("Gemm", ["kernel", "dual", "bias"], [UNCALIBRATED]),
    ]
    n_features = centres.shape[1]
    constants = {
        "minus_gamma": np.full((n_features, 1), -gamma, np.float32),
        "centres": weights,
        "offsets": offsets,
        "dual": dual,
        "bias": bias,
    }
    return make_model("kernel", nodes, constants, (n_features, dual.shape[1]))


def emit_distance(mean: Floats, weights: Floats) -> onnx.ModelProto:
    """Length of `(features - mean) @ weights`, shape (n_items, 1).

    Args:
        mean: array of shape (n_features,).
        weights: array of shape (n_features, n_directions).
    """
    nodes = [
        helper.make_node("Sub", [FEATURES, "mean"], ["centred"]),
        helper.make_node("MatMul", ["centred", "weights"], ["spread"]),
        helper.make_node("ReduceL2", ["spread", "axes"], [UNCALIBRATED], keepdims=1),
    ]
    constants = {"mean": mean, "weights": weights, "axes": np.array([1])}
    return make_model("distance", nodes, constants, (len(mean), 1))


def exponent_terms(centres: Floats, gamma: float) -> tuple[Floats, Floats]:
    """What makes `-gamma * d2` of features x: `x @ first + second - gamma * |x|^2`."""
    exact = centres.astype(np.float64)
    weights = (2 * gamma * exact.T).astype(np.float32)
    offsets = (-gamma * np.square(exact).sum(axis=1)).astype(np.float32)
    return weights, offsets


def make_model(
    name: str, nodes: Sequence[NodeProto], constants: Mapping[str, Any], shape: tuple[int, ...]
) -> onnx.ModelProto:
    """A graph from `features` to `uncalibrated`.

    Args:
        name: of the graph.
        nodes: in their order.
        constants: by name: whole numbers, such as axes, as int64, all others as float32.
        shape: numbers of features and of outputs.
    """
    n_features, n_outputs = shape
    given = helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, ["batch", n_features])
    arrays = {key: _constant(value) for key, value in constants.items()}
    return build(name, nodes, [given], (UNCALIBRATED, n_outputs), arrays)


def build(
    name: str,
    nodes: Sequence[NodeProto],
    given: Sequence[onnx.ValueInfoProto],
    output: tuple[str, int],
    constants: Mapping[str, NDArray[Any]],
) -> onnx.ModelProto:
    """A graph with one output.

    Args:
        name: of the graph.
        nodes: in their order.
        given: its inputs.
        output: its name, and how many float32 it has of each item.
        constants: by name.
    """
    made = helper.make_tensor_value_info(output[0], TensorProto.FLOAT, ["batch", output[1]])
    arrays = [numpy_helper.from_array(value, key) for key, value in constants.items()]
    graph = helper.make_graph(nodes, name, given, [made], arrays)
    opsets = [helper.make_opsetid("", OPSET)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)


def _constant(value: Any) -> NDArray[Any]:
    whole = np.issubdtype(np.asarray(value).dtype, np.integer)
    return np.ascontiguousarray(value, np.int64) if whole else np.array(value, np.float32)
