"""Graphs in FP16 answer as in FP32, however other exporters write them: real networks of them, and
drawn chains of what they use. ONNX Runtime keeps chains of operators in FP32 on the CPU; ONNX's own
reference rounds each result to FP16, as a GPU does."""

import io
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from ounce_edge.models.runtimes.tensorrt.batch_profile import BatchProfile
from ounce_edge.models.runtimes.tensorrt.building import build_engine
from ounce_exporters.export.graphs import IR_VERSION, OPSET, UNCALIBRATED
from ounce_exporters.lighter.forms import Form, convert
from ounce_exporters.training.neural import export
from ounce_schemas.task import TensorSpec

from tests.support.tensorrt.rtx import rtx_or_skip

WIDTH, N_CLASSES = 8, 3


class Graph:
    """Grows node by node; `last` is what the next one reads, of shape (n, WIDTH)."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, NDArray[Any]] = {}
        self.last = "input"

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        self.nodes.append(
            helper.make_node(kind, list(inputs), [name := self._name()], **attributes)
        )
        return name

    def constant(self, value: Any, dtype: Any = np.float32) -> str:
        self.constants[name := self._name()] = np.array(value, dtype)
        return name

    def layer(self, width: int = WIDTH) -> None:
        weights = self.constant(self.rng.normal(0, WIDTH**-0.5, (WIDTH, width)))
        self.last = self.add("MatMul", self.last, weights)

    def model(self) -> onnx.ModelProto:
        self.layer(N_CLASSES)
        self.nodes[-1].output[:] = [UNCALIBRATED]
        graph = helper.make_graph(
            self.nodes,
            "drawn",
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", WIDTH])],
            [helper.make_tensor_value_info(UNCALIBRATED, TensorProto.FLOAT, ["batch", N_CLASSES])],
            [numpy_helper.from_array(array, name) for name, array in self.constants.items()],
        )
        opset = helper.make_opsetid("", OPSET)
        return helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)

    def _name(self) -> str:
        return f"t{len(self.nodes)}_{len(self.constants)}"


def scale_by(graph: Graph, **value: Any) -> None:
    """By a constant that is written as an attribute."""
    graph.last = graph.add("Mul", graph.last, graph.add("Constant", **value))


def keep_positive(graph: Graph) -> None:
    """As exporters write it: by a comparison, whose answer becomes a number."""
    is_positive = graph.add("Greater", graph.last, graph.constant(0))
    graph.last = graph.add("Mul", graph.last, graph.add("Cast", is_positive, to=TensorProto.FLOAT))


def cast_like(graph: Graph) -> None:
    is_positive = graph.add("Greater", graph.last, graph.constant(0))
    graph.last = graph.add("Add", graph.last, graph.add("CastLike", is_positive, graph.last))


def clip(graph: Graph) -> None:
    """From above to as much as nothing, as tf2onnx writes it."""
    graph.last = graph.add("Clip", graph.last, graph.constant(-2), graph.constant(3.4e38))


def mask(graph: Graph) -> None:
    is_positive = graph.add("Greater", graph.last, graph.constant(0))
    masked = graph.add("Where", is_positive, graph.last, graph.constant(-1e9))
    graph.last = graph.add("Softmax", masked, axis=1)


def normalize_layer(graph: Graph) -> None:
    scale, shift = graph.constant(np.ones(WIDTH)), graph.constant(np.zeros(WIDTH))
    graph.last = graph.add("LayerNormalization", graph.last, scale, shift, epsilon=1e-5)


def normalize_in_parts(graph: Graph, factor: float, square: str) -> None:
    """Deviations are within FP16, and their squares are not."""
    large = graph.add("Mul", graph.last, graph.constant(factor))
    axes = graph.constant([1], np.int64)
    off = graph.add("Sub", large, graph.add("ReduceMean", large, axes))
    inputs = (off, graph.constant(2)) if square == "Pow" else (off, off)
    variance = graph.add("ReduceMean", graph.add(square, *inputs), axes)
    root = graph.add("Sqrt", graph.add("Add", variance, graph.constant(1e-6)))
    graph.last = graph.add("Div", off, root)


def divide_by_mean(graph: Graph) -> None:
    """Of so many values that their sum is beyond FP16."""
    large = graph.add("Abs", graph.add("Mul", graph.last, graph.constant(1000)))
    many = graph.add("Tile", large, graph.constant([1, 256], np.int64))
    total = graph.add("ReduceSum", many, graph.constant([1], np.int64))
    mean = graph.add("Div", total, graph.constant(256.0 * WIDTH))
    graph.last = graph.add("Div", large, graph.add("Add", mean, graph.constant(1)))


def resize(graph: Graph) -> None:
    """To twice the size, and back by means."""
    shape = graph.constant([-1, 1, 2, WIDTH // 2], np.int64)
    image = graph.add("Reshape", graph.last, shape)
    scales = graph.constant([1, 1, 2, 2])
    large = graph.add("Resize", image, "", scales, mode="nearest")
    small = graph.add("AveragePool", large, kernel_shape=[2, 2], strides=[2, 2])
    graph.last = graph.add("Reshape", small, graph.constant([-1, WIDTH], np.int64))


def reshape_by_shape(graph: Graph) -> None:
    """The number of values is made of the shape, as exporters do where a batch is open."""
    shape = graph.add("Shape", graph.last)
    n = graph.add("ReduceProd", shape, keepdims=1)
    flat = graph.add("Reshape", graph.last, n)
    graph.last = graph.add("Reshape", flat, shape)


def fill(graph: Graph) -> None:
    value = numpy_helper.from_array(np.array([0.25], np.float32))
    filled = graph.add("ConstantOfShape", graph.add("Shape", graph.last), value=value)
    graph.last = graph.add("Add", graph.last, filled)


STEPS: dict[str, Callable[[Graph], None]] = {
    "value_float": partial(scale_by, value_float=0.5),
    "value_floats": partial(scale_by, value_floats=[0.5] * WIDTH),
    "value": partial(scale_by, value=numpy_helper.from_array(np.array(0.5, np.float32))),
    "cast": keep_positive,
    "cast-like": cast_like,
    "clip": clip,
    "mask": mask,
    "layer-normalization": normalize_layer,
    "variance": partial(normalize_in_parts, factor=500.0, square="Mul"),
    "variance-by-power": partial(normalize_in_parts, factor=500.0, square="Pow"),
    "small-variance": partial(normalize_in_parts, factor=0.01, square="Mul"),
    "large-sum": divide_by_mean,
    "resize": resize,
    "shape": reshape_by_shape,
    "fill": fill,
    "layer": Graph.layer,
}


def rows(seed: int) -> dict[str, NDArray[np.float32]]:
    return {"input": np.random.default_rng(seed).normal(0, 1, (16, WIDTH)).astype(np.float32)}


def run(model: onnx.ModelProto, inputs: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    [answers] = session.run(None, inputs)
    return np.asarray(answers, np.float32)


def rounded(model: onnx.ModelProto, inputs: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        [answers] = ReferenceEvaluator(model).run(None, inputs)
    return np.asarray(answers, np.float32)


def drawn(steps: list[str], seed: int) -> onnx.ModelProto:
    graph = Graph(seed)
    graph.layer()
    for step in steps:
        STEPS[step](graph)
    return graph.model()


def check(model: onnx.ModelProto, inputs: dict[str, NDArray[Any]], share: float) -> None:
    wanted = run(model, inputs)
    half = convert(model, Form.FP16, inputs)
    assert TensorProto.FLOAT16 in {tensor.data_type for tensor in half.graph.initializer}
    limit = share * max(float(np.abs(wanted).max()), 0.1)
    for answer in (run, rounded):
        np.testing.assert_allclose(answer(half, inputs), wanted, rtol=0, atol=limit)


@pytest.mark.parametrize("step", STEPS)
def test_each_step_answers_as_in_fp32(step: str) -> None:
    check(drawn([step], 0), rows(0), 0.02)


@settings(max_examples=40)
@given(st.lists(st.sampled_from(sorted(STEPS)), min_size=2, max_size=5), st.integers(0, 1000))
def test_drawn_chains_answer_as_in_fp32(steps: list[str], seed: int) -> None:
    """A comparison may fall otherwise for one value among many: medians are compared."""
    model, inputs = drawn(steps, seed), rows(seed)
    wanted, half = run(model, inputs), convert(model, Form.FP16, inputs)
    limit = 0.02 * max(float(np.abs(wanted).max()), 0.1)
    for answer in (run, rounded):
        off = np.abs(answer(half, inputs) - wanted)
        assert np.isfinite(off).all(), steps
        assert np.median(off) <= limit, steps


class Network(torch.nn.Module):
    """Normalizes, attends and averages."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = torch.nn.Linear(WIDTH, 16)
        self.norm = torch.nn.LayerNorm(16)
        self.last = torch.nn.Linear(16, N_CLASSES)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        hidden = torch.nn.functional.gelu(self.norm(self.first(rows) * 10.0))
        weights = torch.softmax(hidden.masked_fill(hidden < 0, -1e9), dim=1)
        hidden = hidden * weights.clamp(min=1e-3)
        hidden = hidden / (hidden.pow(2).mean(dim=1, keepdim=True) + 1e-6).sqrt()
        answers: torch.Tensor = self.last(hidden)
        return answers


def by_dynamo(network: torch.nn.Module) -> onnx.ModelProto:
    return export(network, TensorSpec(name="input", datatype="FP32", shape=(WIDTH,)))


def by_torchscript(network: torch.nn.Module) -> onnx.ModelProto:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # as other people's files were made
        torch.onnx.export(
            network.eval(),
            (torch.zeros(2, WIDTH),),
            file,
            dynamo=False,
            opset_version=OPSET,
            input_names=["input"],
            output_names=[UNCALIBRATED],
            dynamic_axes={"input": {0: "batch"}},
        )
    return onnx.load_from_string(file.getvalue())


@pytest.mark.parametrize("exported", [by_dynamo, by_torchscript])
def test_networks_of_both_of_pytorchs_ways_answer_as_in_fp32(exported: Any) -> None:
    check(exported(Network()), rows(0), 0.02)


@pytest.mark.rtx
@pytest.mark.parametrize("step", STEPS)
def test_tensorrt_builds_each_step(step: str) -> None:
    half = convert(drawn([step], 0), Form.FP16, rows(0))
    build_engine(rtx_or_skip(), half.SerializeToString(), BatchProfile(2, 4))
