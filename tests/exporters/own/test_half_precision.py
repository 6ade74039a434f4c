"""Networks in float16 join in float32."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from ounce_exporters.ladder.recipe import Split
from ounce_exporters.own.answers import Session
from ounce_exporters.own.half_precision import with_floats
from ounce_exporters.own.torch_modules import from_torch
from ounce_exporters.own.wrapping import Outputs, wrap
from ounce_schemas.task import TaskSpec, TensorSpec

TASK = TaskSpec(
    name="t",
    kind="classification",
    description="A task.",
    inputs=(TensorSpec(name="input", shape=(3,), datatype="FP32", columns=("a", "b", "c")),),
    labels=("no", "yes"),
)
ROWS = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)


class Casting(torch.nn.Module):
    """Brings its input to float16 itself."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = torch.nn.Linear(3, 2).half()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x.half()).float()


@pytest.mark.parametrize(
    "module", [torch.nn.Linear(3, 2).half(), Casting()], ids=["whole", "inside"]
)
def test_a_module_of_float16_answers(module: torch.nn.Module) -> None:
    weights = [w.detach().float().numpy() for w in module.parameters()]
    foreign = from_torch(module, TASK)
    right = (ROWS @ weights[0].T + weights[1]).argmax(axis=1)
    own, notes = wrap(foreign, TASK, Split({"input": ROWS}, right), Outputs())
    assert own.source == f"{foreign.source}, float16 computed in float32"
    assert "what it holds in float16 is computed in float32, as CPUs do" in notes
    graph, was_half = with_floats(foreign.graph)
    assert was_half == isinstance(module, Casting)
    (found,) = Session(graph).run({"input": ROWS}, len(ROWS)).values()
    np.testing.assert_allclose(found, ROWS @ weights[0].T + weights[1], atol=1e-5)
    assert next(module.parameters()).dtype == torch.float16  # it stays as it was


def test_a_graph_of_float16_is_computed_in_float32(tmp_path: Path) -> None:
    half = np.array([[1, 2], [3, 4], [5, 6]], np.float16)
    inner = helper.make_graph(
        [helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(half[:1, :1]))],
        "inner",
        [],
        [helper.make_tensor_value_info("c", TensorProto.FLOAT16, [1, 1])],
    )
    nodes = [
        helper.make_node("Cast", ["x"], ["h"], to=TensorProto.FLOAT16),
        helper.make_node("If", ["yes"], ["one"], then_branch=inner, else_branch=inner),
        helper.make_node("MatMul", ["h", "w"], ["product"]),
        helper.make_node("Add", ["product", "one"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "half",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT16, ["n", 2])],
        [numpy_helper.from_array(half, "w"), numpy_helper.from_array(np.array(True), "yes")],
    )
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    wide, was_half = with_floats(model)
    assert was_half
    onnx.checker.check_model(wide, full_check=True)
    (found,) = Session(wide).run({"x": ROWS}, len(ROWS)).values()
    np.testing.assert_allclose(found, ROWS @ half.astype(np.float32) + 1, rtol=1e-5)
    assert not with_floats(wide)[1]
