"""Which shapes of an engine's tensors are taken. CUDA and TensorRT are fakes."""

import re
from collections.abc import Mapping

import onnx
import pytest
from onnx import TensorProto, helper
from ounce_edge.models.runtimes.tensorrt.engine import EngineModel
from ounce_schemas.errors import ArtifactError

from tests.support.tensorrt.bench import Bench

Shapes = Mapping[str, list[str | int]]


def load(bench: Bench, node: onnx.NodeProto, shapes: Shapes) -> EngineModel:
    """The engine of one operator from `input` to `output`."""
    infos = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in shapes.items()
    ]
    graph = helper.make_graph([node], "one", infos[:1], infos[1:])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bench.load(1000, made.SerializeToString())


def test_a_tensor_of_open_dimensions_is_refused() -> None:
    bench, shape = Bench(), ["batch", 2, "width"]
    node = helper.make_node("Identity", ["input"], ["output"])
    with pytest.raises(ArtifactError, match=r"'input' has open dimensions: \[2, -1\]"):
        load(bench, node, {"input": shape, "output": shape})
    assert bench.gpu.blocks == {}


@pytest.mark.parametrize(
    ("node", "shape", "found"),
    [
        (
            helper.make_node("Flatten", ["input"], ["output"], axis=2),
            ["others", 4],
            "[-1, 4] for 1 item; [1, 4]",
        ),
        (
            helper.make_node("ReduceMean", ["input"], ["output"], axes=[0]),
            [1, 3, 4],
            "[1, 3, 4] for 2 items; [2, 3, 4]",
        ),
    ],
)
def test_an_output_that_has_not_a_row_for_each_item_is_refused(
    node: onnx.NodeProto, shape: list[str | int], found: str
) -> None:
    """The memory of an output has room for no more. TensorRT would write beyond its end."""
    bench = Bench()
    with pytest.raises(ArtifactError, match=re.escape(f"'output' has shape {found} is needed")):
        load(bench, node, {"input": ["batch", 3, 4], "output": shape})
    assert bench.gpu.blocks == {}
