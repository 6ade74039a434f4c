"""Graphs that were made for a fixed number of items a call."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from ounce_edge.models.catalogue import load_ladder
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_schemas.errors import ExportError

from tests.exporters.own.foreign import linear
from tests.exporters.own.test_files import add
from tests.exporters.own.test_strange_graphs import LABELS, graph


def test_a_fixed_batch_is_opened(models: Path, tmp_path: Path) -> None:
    card, notes = add(linear(tmp_path / "one.onnx", batch=1), models, labels=LABELS)
    assert "it was made for 1 item a call: it gets any number" in notes
    assert card.test_accuracy.value > 0.6
    assert not load_ladder(models, "rooms", OnnxCpuRuntime()).refused


@pytest.mark.parametrize("held", ["by a weight", "by an operator"])
@pytest.mark.parametrize("how", [{}, {"allowzero": 1}], ids=["", "as PyTorch writes it"])
def test_a_batch_that_a_reshape_fixes_is_opened(
    held: str, how: dict[str, int], models: Path, tmp_path: Path
) -> None:
    value = numpy_helper.from_array(np.array([1, 2], np.int64))
    shape = "flat" if held == "by a weight" else "own"
    nodes = [
        helper.make_node("Constant", [], ["own"], value=value),
        helper.make_node("Reshape", ["centred", shape], ["one"], **how),
        helper.make_node("MatMul", ["one", "w"], ["y"]),
    ]
    card, _ = add(graph(tmp_path / "one.onnx", nodes, batch=1), models, labels=LABELS)
    assert card.test_accuracy.value > 0.6


def test_a_shape_of_weights_stays_where_a_batch_is_opened(models: Path, tmp_path: Path) -> None:
    """Also where a Reshape of items has the same one."""
    nodes = [
        helper.make_node("Neg", ["c"], ["less"]),
        helper.make_node("Reshape", ["less", "flat"], ["row"]),
        helper.make_node("Reshape", ["x", "flat"], ["one"]),
        helper.make_node("Add", ["one", "row"], ["moved"]),
        helper.make_node("MatMul", ["moved", "w"], ["y"]),
    ]
    card, _ = add(graph(tmp_path / "one.onnx", nodes, batch=1), models, labels=LABELS)
    assert card.test_accuracy.value > 0.6


@pytest.mark.parametrize(
    "node",
    [
        helper.make_node("Reshape", ["centred"], ["one"]),
        helper.make_node("Constant", [], ["one"]),
    ],
    ids=lambda node: node.op_type,
)
def test_an_operator_that_lacks_its_shape_is_refused_in_one_line(
    node: onnx.NodeProto, models: Path, tmp_path: Path
) -> None:
    nodes = [node, helper.make_node("MatMul", ["centred", "w"], ["y"])]
    with pytest.raises(ExportError, match="one: ONNX Runtime can't run it"):
        add(graph(tmp_path / "one.onnx", nodes, batch=1), models, labels=LABELS)


def test_a_batch_that_is_fixed_inside_is_refused(models: Path, tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Gather", ["centred", "first"], ["one"], axis=0),
        helper.make_node("MatMul", ["one", "w"], ["y"]),
    ]
    with pytest.raises(ExportError, match="made for 1 item a call, and fails with others: export"):
        add(graph(tmp_path / "one.onnx", nodes, batch=1), models, labels=LABELS)
