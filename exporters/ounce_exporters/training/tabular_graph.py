"""A table's network as a graph, written node by node.

PyTorch's exporter needs seconds for it, most of a small ladder's time.
"""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, helper
from torch import Tensor

from ounce_exporters.export.dense import make_model
from ounce_exporters.export.graphs import UNCALIBRATED
from ounce_exporters.export.trees import FEATURES
from ounce_exporters.training.tabular import FAR, LEAST_PROBABILITY, TableNetwork


def write_network(
    network: TableNetwork, centre: float = 0.0, spread: float = 1.0
) -> onnx.ModelProto:
    """The same answers as the network's; a value times `spread` plus `centre`.

    Args:
        network: trained.
        centre: what standardizing took off a value.
        spread: what it divided by.
    """
    scales, biases = ([_array(p) for p in part] for part in (network.scales, network.biases))
    n_numbers = network.n_numbers
    n_features = network.first.in_features - network.lows.numel()
    constants = {
        "lows": _array(network.lows),
        "inverse_widths": _array(network.inverse_widths),
        "zero": np.float32(0),
        "one": np.float32(1),
        "far": np.float32(FAR),
        "minus_far": np.float32(-FAR),
        "first": _array(network.first.weight).T,
        "first_scale": scales[0],
        "first_bias": biases[0],
        "second": _array(network.second.weight).T,
        "second_scale": scales[1],
        "second_bias": biases[1],
        "last": _array(network.last),
        "last_bias": _array(network.last_bias),
        "start": np.array([0]),
        "end_of_numbers": np.array([n_numbers]),
        "end": np.array([n_features]),
        "axis_1": np.array([1]),
        "axis_2": np.array([2]),
    }
    nodes = [
        *_embed(),
        _node("MatMul", "embedded", "first", to="together"),
        _node("Unsqueeze", "together", "axis_1", to="for_each"),
        *_layer("for_each", "first"),
        _node("MatMul", "first_hidden", "second", to="products"),
        *_layer("products", "second"),
        helper.make_node("Transpose", ["second_hidden"], ["by_member"], perm=[1, 0, 2]),
        _node("MatMul", "by_member", "last", to="sums"),
        _node("Add", "sums", "last_bias", to="said"),
    ]
    if network.n_outputs == 1:
        constants |= {"spread": np.float32(spread), "centre": np.float32(centre)}
        nodes += [
            helper.make_node("ReduceMean", ["said", "start"], ["mean"], keepdims=0),
            _node("Mul", "mean", "spread", to="wide"),
            _node("Add", "wide", "centre", to=UNCALIBRATED),
        ]
    else:
        constants["least"] = np.float32(LEAST_PROBABILITY)
        nodes += [
            helper.make_node("Softmax", ["said"], ["probabilities"], axis=2),
            helper.make_node("ReduceMean", ["probabilities", "start"], ["mean"], keepdims=0),
            _node("Max", "mean", "least", to="positive"),
            _node("Log", "positive", to=UNCALIBRATED),
        ]
    return make_model("table-network", nodes, constants, (n_features, network.n_outputs))


def _embed() -> list[NodeProto]:
    """Numbers as their way through the intervals, then as they are, and the other features."""
    return [
        _node("Slice", FEATURES, "start", "end_of_numbers", "axis_1", to="numbers"),
        _node("Slice", FEATURES, "end_of_numbers", "end", "axis_1", to="others"),
        _node("Unsqueeze", "numbers", "axis_2", to="columns"),
        _node("Sub", "columns", "lows", to="above"),
        _node("Mul", "above", "inverse_widths", to="through"),
        _node("Clip", "through", "zero", "one", to="shares"),
        helper.make_node("Flatten", ["shares"], ["flat"], axis=1),
        _node("Clip", "numbers", "minus_far", "far", to="near"),
        helper.make_node("Concat", ["flat", "near", "others"], ["embedded"], axis=1),
    ]


def _layer(products: str, name: str) -> list[NodeProto]:
    return [
        _node("Mul", products, f"{name}_scale", to=f"{name}_scaled"),
        _node("Add", f"{name}_scaled", f"{name}_bias", to=f"{name}_sums"),
        _node("Relu", f"{name}_sums", to=f"{name}_hidden"),
    ]


def _node(kind: str, *inputs: str, to: str) -> NodeProto:
    return helper.make_node(kind, list(inputs), [to])


def _array(tensor: Tensor) -> NDArray[np.float32]:
    return np.asarray(tensor.detach().numpy(), np.float32)
