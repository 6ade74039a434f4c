"""What an engine reads, on fakes of CUDA and TensorRT."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from ounce_edge.models.runtimes.tensorrt.cuda import Cuda
from ounce_edge.models.runtimes.tensorrt.engine import EngineModel
from ounce_edge.models.runtimes.tensorrt.libraries import Flavour, TensorRt

from tests.support.networks import N_PIXELS, perceptron
from tests.support.tensorrt.fake_gpu import FakeGpu
from tests.support.tensorrt.fake_tensorrt import FakeTensorRt


def load(content: bytes) -> EngineModel:
    gpu = FakeGpu()
    tensorrt = TensorRt(Flavour.NATIVE, "10.3.0", FakeTensorRt(gpu))
    return EngineModel(tensorrt, Cuda(gpu), content)


def test_texts_go_in_as_bytes() -> None:
    nodes = [
        helper.make_node("Cast", ["text"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["numbers"], ["output"], keepdims=0, axes=[1]),
    ]
    graph = helper.make_graph(
        nodes,
        "texts",
        [helper.make_tensor_value_info("text", TensorProto.UINT8, ["batch", 1, 6])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", 6])],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(made)
    model = load(made.SerializeToString())
    assert model.inputs["text"].datatype == "BYTES"
    assert model.inputs["text"].shape == (None, 1)
    answers = model.run({"text": np.array([["ab"], ["c"], [""]], object)})
    np.testing.assert_array_equal(answers[:, :2], [[97, 98], [99, 0], [0, 0]])


def test_images_go_in_as_they_are() -> None:
    nodes = [
        helper.make_node("Cast", ["image"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["numbers"], ["output"]),
    ]
    graph = helper.make_graph(
        nodes,
        "images",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", 2, 2, 3])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", 12])],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    model = load(made.SerializeToString())
    assert model.inputs["image"].datatype == "UINT8"
    images = np.arange(36, dtype=np.uint8).reshape(3, 2, 2, 3)
    np.testing.assert_array_equal(model.run({"image": images}), images.reshape(3, 12))


def test_inputs_of_different_lengths_are_refused() -> None:
    model = load(perceptron().SerializeToString())
    with pytest.raises(
        ValueError, match=r"input 'input' is float64\[2, 64\], not FP32\[None, 64\]"
    ):
        model.run({"input": np.zeros((2, N_PIXELS))})
