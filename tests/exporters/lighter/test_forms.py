"""Networks in fewer bits answer nearly as before, and are made of what they say."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_edge.models.runtimes.tensorrt.batch_profile import BatchProfile
from ounce_edge.models.runtimes.tensorrt.building import build_engine
from ounce_exporters.export.graphs import UNCALIBRATED, rename_input
from ounce_exporters.lighter.forms import Form, NotWorthwhileError, convert
from ounce_exporters.training.byte_networks import Beside, ByteCNN, ByteModel
from ounce_exporters.training.tabular import Shape, TableNetwork, find_edges
from ounce_exporters.training.tabular_graph import write_network
from ounce_schemas.task import TensorSpec

from tests.support.edge.ladders import DIGITS
from tests.support.networks import N_PIXELS, convolutional, perceptron
from tests.support.tensorrt.rtx import rtx_or_skip

CASES = [
    (convolutional, Form.FP16),
    (convolutional, Form.INT8),
    (convolutional, Form.INT8_SYMMETRIC),
    (perceptron, Form.FP16),
    (perceptron, Form.INT8_DYNAMIC),
]


def pixels(least: float = 0.0, n: int = 128) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(1)
    return {"input": rng.uniform(least, 1, (n, N_PIXELS)).astype(np.float32)}


def answers(model: onnx.ModelProto, inputs: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
    return OnnxCpuRuntime().load(Path("m.onnx"), model.SerializeToString()).run(inputs)


def zero_points(model: onnx.ModelProto) -> dict[str, NDArray[Any]]:
    """Of quantized tensors that are no weights, by the name of what is quantized."""
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    return {
        node.input[0]: constants[node.input[2]]
        for node in model.graph.node
        if node.op_type == "QuantizeLinear"
    }


def whole_weights(model: onnx.ModelProto) -> list[NDArray[Any]]:
    tensors = [numpy_helper.to_array(t) for t in model.graph.initializer]
    return [t for t in tensors if t.dtype == np.int8 and t.ndim > 1]


@pytest.mark.parametrize(("make", "form"), CASES)
def test_answers_are_nearly_those_of_the_original(make: Any, form: Form) -> None:
    inputs, original = pixels(), make()
    before = original.SerializeToString(deterministic=True)
    model = convert(original, form, inputs)
    onnx.checker.check_model(model, full_check=True)
    wanted, found = answers(original, inputs), answers(model, inputs)
    assert found.dtype == np.float32
    assert 0 < np.abs(found - wanted).max() < 0.05 * np.abs(wanted).max()
    assert original.SerializeToString(deterministic=True) == before


@pytest.mark.parametrize("form", [Form.INT8, Form.INT8_SYMMETRIC])
def test_a_network_that_reads_texts_takes_them_as_bytes_also_to_find_ranges(form: Form) -> None:
    tensor = TensorSpec(name="message", datatype="BYTES", shape=(1,), text_bytes=48)
    task = DIGITS.model_copy(update={"inputs": (tensor,)})
    torch.manual_seed(0)
    network = ByteModel(ByteCNN(3, Beside(48, 0)).eval(), task, None, 48)
    texts = np.array([["the pump leaks"], ["no power"], [""], ["café"]] * 16, object)
    model = convert(network.to_onnx(), form, {"message": texts})
    wanted, found = network.predict({"message": texts}), answers(model, {"message": texts})
    assert 0 < np.abs(found - wanted).max() < 0.05 * np.abs(wanted).max()


@pytest.mark.parametrize(("make", "form"), CASES)
def test_the_same_network_gives_the_same_file(make: Any, form: Form) -> None:
    files = [
        convert(make(), form, pixels()).SerializeToString(deterministic=True) for _ in range(2)
    ]
    assert files[0] == files[1]


def test_fp16_keeps_inputs_and_outputs_in_fp32() -> None:
    model = convert(convolutional(), Form.FP16, pixels())
    ends = [*model.graph.input, *model.graph.output]
    assert {t.type.tensor_type.elem_type for t in ends} == {TensorProto.FLOAT}
    numbers = {t.data_type for t in model.graph.initializer} - {TensorProto.INT64}
    assert numbers == {TensorProto.FLOAT16}


FAR_OFF = 1e5


def of_large_numbers() -> onnx.ModelProto:
    """A network whose inputs and answers are about `FAR_OFF`, beyond FP16."""
    model = rename_input(perceptron(), "near")
    graph = model.graph
    graph.input[0].name = "input"
    graph.node[-1].output[0] = "said"
    graph.node.insert(0, helper.make_node("Sub", ["input", "far"], ["near"]))
    graph.node.append(helper.make_node("Add", ["said", "far"], [UNCALIBRATED]))
    graph.initializer.append(numpy_helper.from_array(np.float32(FAR_OFF), "far"))
    return model


def test_fp16_reads_and_gives_numbers_that_are_beyond_it() -> None:
    inputs = {"input": pixels()["input"] + np.float32(FAR_OFF)}
    original = of_large_numbers()
    wanted, found = answers(original, inputs), answers(convert(original, Form.FP16, inputs), inputs)
    assert 0 < np.abs(found - wanted).max() < 0.01 * (wanted.max() - wanted.min())


@pytest.mark.parametrize(("unit", "steps"), [(1e6, 1), (1e-9, 1), (1e6, 2)])
def test_fp16_keeps_constants_that_bring_numbers_to_one_scale(unit: float, steps: int) -> None:
    original = rename_input(perceptron(), "near")
    graph = original.graph
    graph.input[0].name = "input"
    made = "unit"
    value = numpy_helper.from_array(np.float32(unit))
    nodes = [helper.make_node("Constant", [], [made], value=value)]
    if steps == 2:  # a constant that is made of others
        nodes += [helper.make_node("Mul", ["unit", "one"], ["made"])]
        graph.initializer.append(numpy_helper.from_array(np.float32(1.0), "one"))
        made = "made"
    for node in reversed([*nodes, helper.make_node("Div", ["input", made], ["near"])]):
        graph.node.insert(0, node)
    inputs = {"input": pixels()["input"] * np.float32(unit)}
    wanted, found = answers(original, inputs), answers(convert(original, Form.FP16, inputs), inputs)
    assert 0 < np.abs(found - wanted).max() < 0.01 * (wanted.max() - wanted.min())


def test_a_networks_own_names_are_not_those_of_scales() -> None:
    torch.manual_seed(0)
    inputs = {"features": np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)}
    edges = find_edges(inputs["features"], 5)
    network = TableNetwork(edges, 0, 1, Shape(members=3, width=32)).eval()
    original = write_network(network)
    wanted = answers(original, inputs)
    found = answers(convert(original, Form.INT8_DYNAMIC, inputs), inputs)
    assert 0 < np.abs(found - wanted).max() < 0.2 * (wanted.max() - wanted.min())


@pytest.mark.parametrize("form", [Form.INT8, Form.INT8_SYMMETRIC])
def test_weights_have_seven_bits_by_channel(form: Form) -> None:
    weights = whole_weights(convert(convolutional(), form, pixels()))
    assert len(weights) == 2
    assert all(np.abs(w.astype(int)).max() == 64 for w in weights)


def test_convolutions_of_int8_read_unsigned_values_from_zero_on() -> None:
    model = convert(convolutional(), Form.INT8, pixels())
    points = zero_points(model)
    assert {p.dtype for p in points.values()} == {np.dtype(np.uint8)}
    assert not points["images"].any()
    assert not points["r1"].any()


def test_a_convolution_that_reads_negative_values_stays_as_it_is() -> None:
    model = convert(convolutional(), Form.INT8, pixels(least=-1))
    assert zero_points(model).keys() == {"r1", "c2"}
    assert len(whole_weights(model)) == 1


def test_symmetric_int8_has_no_zero_point() -> None:
    points = zero_points(convert(convolutional(), Form.INT8_SYMMETRIC, pixels(least=-1)))
    assert points.keys() == {"images", "c1", "r1", "c2"}
    assert {p.dtype for p in points.values()} == {np.dtype(np.int8)}
    assert not any(p.any() for p in points.values())


@pytest.mark.rtx
@pytest.mark.parametrize("form", [Form.FP16, Form.INT8_SYMMETRIC])
def test_tensorrt_builds_the_forms_for_gpus(form: Form) -> None:
    content = convert(convolutional(), form, pixels()).SerializeToString()
    assert build_engine(rtx_or_skip(), content, BatchProfile(best=8, most=64))


@pytest.mark.parametrize(
    ("make", "form", "why"),
    [
        (perceptron, Form.INT8, "it has no convolution"),
        (perceptron, Form.INT8_SYMMETRIC, "it has no convolution"),
        (convolutional, Form.INT8_DYNAMIC, "it has convolutions, or no products"),
    ],
)
def test_a_form_that_does_not_suit_is_refused(make: Any, form: Form, why: str) -> None:
    with pytest.raises(NotWorthwhileError, match=f"^{why}$"):
        convert(make(), form, pixels())
