"""Networks and trees for a real GPU, with what they read."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from ounce_exporters.export.graphs import IR_VERSION, OPSET, UNCALIBRATED
from ounce_exporters.export.standard import standardize
from ounce_exporters.export.tree_reading import read_ensemble
from ounce_exporters.export.trees import emit
from ounce_exporters.lighter.forms import Form, convert
from sklearn.ensemble import RandomForestClassifier

from tests.support.networks import N_CLASSES, N_PIXELS, convolutional, perceptron


def pixels(n: int) -> dict[str, NDArray[Any]]:
    return {"input": np.random.default_rng(n).uniform(0, 1, (n, N_PIXELS)).astype(np.float32)}


def with_gaps(n: int) -> dict[str, NDArray[Any]]:
    rows = pixels(n)["input"]
    rows[::2, ::3] = np.nan
    return {"input": rows}


def in_bytes(n: int) -> dict[str, NDArray[Any]]:
    return {"input": np.random.default_rng(n).integers(0, 256, (n, 8, 8, 1), np.uint8)}


def linear(kind: int, shape: tuple[int, ...], nodes: list[onnx.NodeProto]) -> onnx.ModelProto:
    """What `nodes` make of `input`, as `rows`, times weights."""
    rng = np.random.default_rng(0)
    weights = rng.normal(0, 0.1, (N_PIXELS, N_CLASSES)).astype(np.float32)
    constants = {
        "weights": weights,
        "fills": rng.uniform(0, 1, (1, N_PIXELS)).astype(np.float32),
        "flat": np.array([-1, N_PIXELS], np.int64),
    }
    used = {name for node in nodes for name in node.input} | {"weights"}
    graph = helper.make_graph(
        [*nodes, helper.make_node("MatMul", ["rows", "weights"], [UNCALIBRATED])],
        "linear",
        [helper.make_tensor_value_info("input", kind, ["batch", *shape])],
        [helper.make_tensor_value_info(UNCALIBRATED, TensorProto.FLOAT, ["batch", N_CLASSES])],
        [numpy_helper.from_array(c, name) for name, c in constants.items() if name in used],
    )
    opset = helper.make_opsetid("", OPSET)
    return helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)


def filling() -> onnx.ModelProto:
    nodes = [
        helper.make_node("IsNaN", ["input"], ["gaps"]),
        helper.make_node("Where", ["gaps", "fills", "input"], ["rows"]),
    ]
    return linear(TensorProto.FLOAT, (N_PIXELS,), nodes)


def of_bytes() -> onnx.ModelProto:
    nodes = [
        helper.make_node("Cast", ["input"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["numbers", "flat"], ["rows"]),
    ]
    return linear(TensorProto.UINT8, (8, 8, 1), nodes)


def trees() -> onnx.ModelProto:
    rows = pixels(400)["input"]
    forest = RandomForestClassifier(n_estimators=20, random_state=0)
    made = standardize(emit(read_ensemble(forest.fit(rows, rows[:, :3].argmax(axis=1)))))
    for node in made.graph.node:
        node.input[:] = ["input" if name == "features" else name for name in node.input]
    made.graph.input[0].name = "input"
    return made


MODELS: dict[str, tuple[Any, Any, float]] = {
    "perceptron": (perceptron, pixels, 1e-3),
    "convolutional": (convolutional, pixels, 1e-3),
    "fp16": (lambda: convert(convolutional(), Form.FP16, pixels(128)), pixels, 0.05),
    "int8": (lambda: convert(convolutional(), Form.INT8_SYMMETRIC, pixels(128)), pixels, 0.1),
    "trees": (trees, pixels, 1e-3),
    "gaps": (filling, with_gaps, 1e-3),
    "bytes": (of_bytes, in_bytes, 1e-3),
}
"""How each is made, its inputs, and how far answers may be off, as a share of the largest."""
