"""ONNX Runtime on CPU keeps what a runtime promises, and takes no weights from other files."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from ounce_edge.models.runtimes.base import Runtime
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_schemas.errors import ArtifactError
from ounce_schemas.task import TaskSpec

from tests.contracts.runtimes.contract import SHIFT, RuntimeContract
from tests.support.edge.ladders import DIGITS

OPSETS = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]


def model(task: TaskSpec, nodes: list[onnx.NodeProto], **constants: object) -> onnx.ModelProto:
    types = {"FP32": TensorProto.FLOAT, "BYTES": TensorProto.STRING}
    graph = helper.make_graph(
        nodes,
        task.name,
        [
            helper.make_tensor_value_info(t.name, types[t.datatype], ["n", *t.shape])
            for t in task.inputs
        ],
        [
            helper.make_tensor_value_info(
                task.output.name, TensorProto.FLOAT, ["n", *task.output.shape]
            )
        ],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=OPSETS, ir_version=8)


def classifier() -> onnx.ModelProto:
    out = DIGITS.output.name
    nodes = [
        helper.make_node("MatMul", ["input", "first"], ["chosen"]),
        helper.make_node("Add", ["chosen", "shift"], ["shifted"]),
        helper.make_node("ReduceSum", ["shifted", "axes"], ["total"], keepdims=1),
        helper.make_node("Div", ["shifted", "total"], [out]),
    ]
    first = np.eye(4, 3, dtype=np.float32) / 16
    return model(DIGITS, nodes, first=first, shift=SHIFT, axes=np.array([1], np.int64))


def regression(task: TaskSpec) -> onnx.ModelProto:
    nodes = [
        helper.make_node("Slice", ["input", "starts", "ends", "axes"], ["value"]),
        helper.make_node(
            "LabelEncoder",
            ["categories"],
            ["width"],
            domain="ai.onnx.ml",
            keys_strings=["wide"],
            values_floats=[2.0],
            default_float=1.0,
        ),
        helper.make_node("Sub", ["value", "width"], ["low"]),
        helper.make_node("Add", ["value", "width"], ["high"]),
        helper.make_node("Concat", ["value", "low", "high"], [task.output.name], axis=1),
    ]
    starts, ends = np.array([0], np.int64), np.array([1], np.int64)
    return model(task, nodes, starts=starts, ends=ends, axes=ends)


class TestOnnxCpuRuntime(RuntimeContract):
    """One thread, as a worker has it."""

    def runtime(self) -> Runtime:
        return OnnxCpuRuntime()

    def content(self, task: TaskSpec) -> bytes:
        made = classifier() if task == DIGITS else regression(task)
        return bytes(made.SerializeToString())


@pytest.mark.parametrize("location", ["weights.bin", "./weights.bin", "{folder}/weights.bin"])
def test_weights_in_another_file_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, location: str
) -> None:
    path = tmp_path / "model.onnx"
    onnx.save_model(
        classifier(), path, save_as_external_data=True, location="weights.bin", size_threshold=0
    )
    assert (tmp_path / "weights.bin").stat().st_size
    split = onnx.load(path, load_external_data=False)
    for tensor in split.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location.format(folder=tmp_path)
    monkeypatch.chdir(tmp_path)  # where ONNX Runtime looks for what bytes name
    message = r"model.onnx: keeps weights in other files .* export the model as one file"
    with pytest.raises(ArtifactError, match=message):
        OnnxCpuRuntime().load(path, split.SerializeToString())


def test_a_file_that_is_no_model_is_named_with_the_reason() -> None:
    with pytest.raises(ArtifactError, match=r"model.onnx: not a model ONNX Runtime can run: .+"):
        OnnxCpuRuntime().load(Path("model.onnx"), b"not a model")
