"""Small networks as graphs, with weights that are drawn: nothing is trained, nothing exported."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_exporters.export.graphs import IR_VERSION, OPSET, UNCALIBRATED
from ounce_exporters.ladder.recipe import Inputs

N_PIXELS, N_CLASSES, CHANNELS = 64, 10, 8


def convolutional() -> onnx.ModelProto:
    """Two convolutions of images of 8 by 8, the second around a shortcut, and a linear layer."""
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("Reshape", ["input", "image"], ["images"]),
        helper.make_node("Conv", ["images", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Conv", ["r1", "w2", "b2"], ["c2"], pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["c2", "r1"], ["sum"]),
        helper.make_node("Relu", ["sum"], ["r2"]),
        helper.make_node("Flatten", ["r2"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w3", "b3"], [UNCALIBRATED]),
    ]
    constants: dict[str, Any] = {
        "image": np.array([-1, 1, 8, 8], np.int64),
        "w1": rng.normal(0, 0.1, (CHANNELS, 1, 3, 3)),
        "b1": rng.normal(0, 0.1, CHANNELS),
        "w2": rng.normal(0, 0.1, (CHANNELS, CHANNELS, 3, 3)),
        "b2": rng.normal(0, 0.1, CHANNELS),
        "w3": rng.normal(0, 0.1, (CHANNELS * N_PIXELS, N_CLASSES)),
        "b3": np.zeros(N_CLASSES),
    }
    return _graph(nodes, constants)


def perceptron(seed: int = 0, width: int = 32) -> onnx.ModelProto:
    """One hidden layer."""
    rng = np.random.default_rng(seed)
    nodes = [
        helper.make_node("Gemm", ["input", "w1", "b1"], ["hidden"]),
        helper.make_node("Relu", ["hidden"], ["r1"]),
        helper.make_node("Gemm", ["r1", "w2", "b2"], [UNCALIBRATED]),
    ]
    constants = {
        "w1": rng.normal(0, 0.1, (N_PIXELS, width)),
        "b1": np.zeros(width),
        "w2": rng.normal(0, 0.1, (width, N_CLASSES)),
        "b2": np.zeros(N_CLASSES),
    }
    return _graph(nodes, constants)


class GraphModel:
    """A graph as a fitted model."""

    parameters = 1234

    def __init__(self, graph: onnx.ModelProto) -> None:
        self._graph = graph
        self._loaded = OnnxCpuRuntime().load(Path("graph.onnx"), graph.SerializeToString())

    def predict(self, inputs: Inputs) -> NDArray[np.float32]:
        return self._loaded.run(inputs)

    def to_onnx(self) -> onnx.ModelProto:
        return self._graph


def _graph(nodes: list[onnx.NodeProto], constants: dict[str, Any]) -> onnx.ModelProto:
    def constant(name: str, value: Any) -> onnx.TensorProto:
        whole = value.dtype == np.int64
        return numpy_helper.from_array(value if whole else value.astype(np.float32), name)

    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", N_PIXELS])],
        [helper.make_tensor_value_info(UNCALIBRATED, TensorProto.FLOAT, ["batch", N_CLASSES])],
        [constant(name, value) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", OPSET)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
