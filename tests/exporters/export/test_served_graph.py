"""The graph that training and advice alike make of a model."""

from pathlib import Path

import numpy as np
import onnx
from onnx import helper
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_exporters.export.calibration import Temperature
from ounce_exporters.export.graphs import UNCALIBRATED
from ounce_exporters.export.served_graph import served_graph
from ounce_exporters.export.standard import ML
from ounce_schemas.task import TaskSpec, TensorSpec

TASK = TaskSpec(
    name="t",
    kind="classification",
    description="t",
    inputs=(TensorSpec(name="input", datatype="FP32", shape=(2,)),),
    labels=("a", "b"),
)


def scaled() -> onnx.ModelProto:
    """Logits that a scaler of the domain ai.onnx.ml makes of two columns."""
    infos = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", 2])
        for name in ("input", UNCALIBRATED)
    ]
    node = helper.make_node(
        "Scaler", ["input"], [UNCALIBRATED], domain=ML, offset=[1.0, 0.0], scale=[2.0, 0.5]
    )
    graph = helper.make_graph([node], "scaled", infos[:1], infos[1:])
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid(ML, 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def test_what_stands_before_a_network_keeps_it_off_no_gpu() -> None:
    graphs = [served_graph(scaled(), Temperature(2.0), TASK, f) for f in ("neural", "classical")]
    domains = [{node.domain for node in graph.graph.node} for graph in graphs]
    assert domains == [{""}, {"", ML}]
    rows = {"input": np.array([[0.5, 3.0], [-1.0, 0.25]], np.float32)}
    loaded = [OnnxCpuRuntime(threads=1).load(Path("m"), g.SerializeToString()) for g in graphs]
    network, other = (model.run(rows) for model in loaded)
    np.testing.assert_array_equal(network, other)
