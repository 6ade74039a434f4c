"""TensorRT for RTX parses and builds, without a GPU: what it takes, and what it refuses and why."""

from collections.abc import Callable, Iterator

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from ounce_edge.models.runtimes.tensorrt import building
from ounce_edge.models.runtimes.tensorrt.batch_profile import BatchProfile
from ounce_edge.models.runtimes.tensorrt.building import build_engine
from ounce_edge.models.runtimes.tensorrt.libraries import TensorRt
from ounce_exporters.tasks.bearing.networks import Cnn1d, DeepCnn1d, Gru, ResidualCnn1d
from ounce_exporters.tasks.bearing.simulation import WINDOW
from ounce_exporters.tasks.digits.networks import Mlp, ResidualCnn, SmallCnn
from ounce_exporters.training.neural import export
from ounce_schemas.errors import ArtifactError
from ounce_schemas.task import TensorSpec
from torch import nn

from tests.support.exporters.operators import gathered_once
from tests.support.tensorrt.native import unknown_operators
from tests.support.tensorrt.rtx import rtx_or_skip

pytestmark = pytest.mark.rtx
PROFILE = BatchProfile(best=8, most=64)
NETWORKS = [
    (Mlp, 64),
    (SmallCnn, 64),
    (ResidualCnn, 64),
    (Cnn1d, WINDOW),
    (DeepCnn1d, WINDOW),
    (Gru, WINDOW),
    (ResidualCnn1d, WINDOW),
]


@pytest.fixture(scope="module", autouse=True)
def operators() -> Iterator[None]:
    """PyTorch's exporter, quicker."""
    with gathered_once():
        yield


@pytest.fixture(scope="module")
def rtx() -> TensorRt:
    return rtx_or_skip()


def model(
    nodes: list[onnx.NodeProto], constants: dict[str, object], shape: tuple[object, ...]
) -> bytes:
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 3)]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    return bytes(made.SerializeToString())


def relu(shape: tuple[object, ...]) -> bytes:
    return model([helper.make_node("Relu", ["input"], ["output"])], {}, shape)


def qdq(zero: np.generic) -> bytes:
    nodes = [
        helper.make_node("QuantizeLinear", ["input", "scale", "zero"], ["whole"]),
        helper.make_node("DequantizeLinear", ["whole", "scale", "zero"], ["output"]),
    ]
    constants = {"scale": np.float32(0.1), "zero": zero}
    return model(nodes, constants, ("batch", 4))


@pytest.mark.parametrize(("make", "size"), NETWORKS)
def test_networks_that_ship_are_built(
    rtx: TensorRt, make: Callable[[], nn.Module], size: int
) -> None:
    tensor = TensorSpec(name="input", datatype="FP32", shape=(size,))
    made = export(make(), tensor)
    assert len(build_engine(rtx, made.SerializeToString(), PROFILE).engine) > 10_000
    assert unknown_operators(made) == set()


def convolutions() -> bytes:
    """Results of a megabyte an item, in between."""
    nodes = [
        helper.make_node("Conv", ["input", "first"], ["wide"], pads=[1, 1, 1, 1]),
        helper.make_node("Sigmoid", ["wide"], ["bent"]),
        helper.make_node("Conv", ["bent", "second"], ["output"], pads=[1, 1, 1, 1]),
    ]
    constants = {
        "first": np.full((16, 3, 3, 3), 0.1, np.float32),
        "second": np.full((3, 16, 3, 3), 0.1, np.float32),
    }
    return model(nodes, constants, ("batch", 3, 128, 128))


@pytest.mark.parametrize(("limit_kb", "most"), [(1 << 20, 64), (16 << 10, 1), (50, None)])
def test_where_memory_is_short_engines_take_fewer_items(
    rtx: TensorRt, monkeypatch: pytest.MonkeyPatch, limit_kb: int, most: int | None
) -> None:
    monkeypatch.setattr(building, "WORKSPACE_BYTES", limit_kb << 10)
    if most is not None:
        assert build_engine(rtx, convolutions(), PROFILE).most == most
        return
    with pytest.raises(ArtifactError, match=r"^tensorrt-rtx .* can't build it: .*workspace limit"):
        build_engine(rtx, convolutions(), PROFILE)


def test_building_tells_its_progress(rtx: TensorRt) -> None:
    seen: list[tuple[str, float]] = []
    build_engine(rtx, relu(("batch", 4)), PROFILE, lambda phase, share: seen.append((phase, share)))
    assert len({phase for phase, _ in seen}) > 1
    assert all(0 <= share <= 1 for _, share in seen)
    assert seen[-1][1] == 1.0


def test_an_operator_that_is_not_known_is_named(rtx: TensorRt) -> None:
    scaler = helper.make_node(
        "Scaler", ["input"], ["output"], domain="ai.onnx.ml", offset=[0.0], scale=[1.0]
    )
    content = model([scaler], {}, ("batch", 4))
    why = r"^tensorrt-rtx .* can't parse it: operator Scaler: TensorRT does not know it$"
    with pytest.raises(ArtifactError, match=why):
        build_engine(rtx, content, PROFILE)


def test_texts_are_told_as_what_tensorrt_does_not_take(rtx: TensorRt) -> None:
    graph = helper.make_graph(
        [helper.make_node("Identity", ["input"], ["output"])],
        "texts",
        [helper.make_tensor_value_info("input", TensorProto.STRING, ("batch", 4))],
        [helper.make_tensor_value_info("output", TensorProto.STRING, ("batch", 4))],
    )
    opsets = [helper.make_opsetid("", 20)]
    content = helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()
    why = "can't parse it: TensorRT takes no input of such a type, as texts are"
    with pytest.raises(ArtifactError, match=why):
        build_engine(rtx, content, PROFILE)


def test_an_operator_that_is_never_taken_is_told_as_such(rtx: TensorRt) -> None:
    names = ["whole", "scale", "zero"]
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["input"], names),
        helper.make_node("DequantizeLinear", names, ["output"]),
    ]
    why = r"can't parse it: operator DynamicQuantizeLinear: TensorRT does not take it$"
    with pytest.raises(ArtifactError, match=why):
        build_engine(rtx, model(nodes, {}, ("batch", 4)), PROFILE)


def test_symmetric_int8_is_built(rtx: TensorRt) -> None:
    assert build_engine(rtx, qdq(np.int8(0)), PROFILE)


@pytest.mark.parametrize("zero", [np.uint8(128), np.int8(3)])
def test_int8_with_a_zero_point_is_refused(rtx: TensorRt, zero: np.generic) -> None:
    why = "operator QuantizeLinear: TensorRT takes no zero points; take the form int8-symmetric$"
    with pytest.raises(ArtifactError, match=why):
        build_engine(rtx, qdq(zero), PROFILE)


@pytest.mark.parametrize("shape", [(4, 4), ("batch", "width"), (1, 4)])
def test_another_dimension_than_the_batch_can_not_be_open(
    rtx: TensorRt, shape: tuple[object, ...]
) -> None:
    with pytest.raises(ArtifactError, match="an open batch dimension in front, and no other"):
        build_engine(rtx, relu(shape), PROFILE)


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x00" * 1000])
def test_what_is_no_model_is_refused(rtx: TensorRt, content: bytes) -> None:
    with pytest.raises(ArtifactError, match=r"can't (parse|build) it: \w"):
        build_engine(rtx, content, PROFILE)


def test_a_truncated_file_is_refused(rtx: TensorRt) -> None:
    content = relu(("batch", 4))
    with pytest.raises(ArtifactError, match=r"can't parse it: .*Failed to parse the ONNX model"):
        build_engine(rtx, content[: len(content) // 2], PROFILE)
