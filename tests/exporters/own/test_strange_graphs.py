"""Graphs as converters write them without being told better."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper, parser
from ounce_edge.models.catalogue import load_ladder
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_exporters.own.joining import from_file
from ounce_exporters.own.labels import place_labels
from ounce_exporters.own.readings import read_outputs
from ounce_schemas.errors import ExportError
from ounce_schemas.task import TaskSpec, TensorSpec

from tests.exporters.own.foreign import linear
from tests.exporters.own.test_files import add

LABELS = ("no", "maybe", "yes")
WEIGHTS = np.array([[-1, 0, 1], [0, 0, 0]], np.float32)


def graph(path: Path, nodes: list[onnx.NodeProto], batch: str | int, opset: int = 17) -> Path:
    """A graph from `x`, of two numbers, to `y`, of three."""
    constants = {
        "c": np.array([20, 50], np.float32),
        "w": WEIGHTS,
        "flat": np.array([1, 2], np.int64),
        "first": np.array([0], np.int64),
        "scale": np.array(1 / 64, np.float32),
        "zero": np.array(0, np.int8),
    }
    made = helper.make_graph(
        [helper.make_node("Sub", ["x", "c"], ["centred"]), *nodes],
        "strange",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 3])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(
        helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), path
    )
    return path


def task(*labels: str) -> TaskSpec:
    tensor = TensorSpec(name="numbers", shape=(2,), datatype="FP32")
    return TaskSpec(
        name="t", kind="classification", description="A task.", inputs=(tensor,), labels=labels
    )


def test_a_logarithm_of_what_may_be_negative_is_refused(models: Path, tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Log", ["x"], ["logs"]),
        helper.make_node("MatMul", ["logs", "w"], ["y"]),
    ]
    says = "model is tried with small numbers of both signs .* not finite; let it take any value"
    with pytest.raises(ExportError, match=says):
        add(graph(tmp_path / "log.onnx", nodes, batch="n"), models, labels=LABELS)


def test_dynamic_quantization_over_a_call_is_refused_with_its_reason(
    models: Path, tmp_path: Path
) -> None:
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["centred"], ["q", "s", "z"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["near"]),
        helper.make_node("MatMul", ["near", "w"], ["y"]),
    ]
    with pytest.raises(ExportError, match="dynamic quantization takes the range of all items"):
        add(graph(tmp_path / "dynamic.onnx", nodes, batch="n"), models, labels=LABELS)


def test_static_quantization_and_an_old_operator_set_join(models: Path, tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Mul", ["centred", "scale"], ["small"]),
        helper.make_node("QuantizeLinear", ["small", "scale", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["near"]),
        helper.make_node("MatMul", ["near", "w"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["y"], axis=1),
    ]
    card, notes = add(graph(tmp_path / "old.onnx", nodes, "n", opset=10), models, labels=LABELS)
    assert card.test_accuracy.value > 0.6
    assert any("is read as probabilities" in note for note in notes)
    assert not load_ladder(models, "rooms", OnnxCpuRuntime()).refused


def scores(path: Path) -> onnx.ModelProto:
    return onnx.load(
        graph(path, [helper.make_node("MatMul", ["centred", "w"], ["y"])], "n", opset=17)
    )


def branch(name: str, operator: str, *inputs: str) -> onnx.GraphProto:
    """Reads what stands outside."""
    return helper.make_graph(
        [helper.make_node(operator, inputs, [name])],
        name,
        [],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)],
    )


def with_branches(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "flag"))
    model.graph.node[-1].output[0] = "plain"
    then, otherwise = branch("then", "Mul", "plain", "scale"), branch("else", "Identity", "plain")
    model.graph.node.append(
        helper.make_node("If", ["flag"], ["y"], then_branch=then, else_branch=otherwise)
    )


def with_long_answers(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, 3]), "axes"))
    model.graph.node[-1].output[0] = "plain"
    model.graph.node.append(helper.make_node("Unsqueeze", ["plain", "axes"], ["y"]))
    model.graph.output[0].CopyFrom(
        helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1, 3, 1])
    )


def with_a_flag_that_nothing_reads(model: onnx.ModelProto) -> None:
    model.graph.input.append(helper.make_tensor_value_info("training", TensorProto.BOOL, []))


def with_batches_of(size: int) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        for port in (*model.graph.input, *model.graph.output):
            port.type.tensor_type.shape.dim[0].dim_value = size

    return change


def without_shapes(model: onnx.ModelProto) -> None:
    for port in (*model.graph.input, *model.graph.output):
        port.type.tensor_type.ClearField("shape")


def of_opset_7(model: onnx.ModelProto) -> None:
    """Before version 4 of the format each constant is an input as well."""
    model.ir_version, model.opset_import[0].version = 3, 7
    for tensor in model.graph.initializer:
        port = helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        model.graph.input.append(port)


def with_a_zipmap_of_opset_1(model: onnx.ModelProto) -> None:
    """As skl2onnx writes it where no operator of the default set is needed."""
    del model.graph.node[:]
    model.graph.node.extend(
        [
            helper.make_node(
                "LinearClassifier", ["x"], ["label", "scores"], domain="ai.onnx.ml",
                classlabels_strings=list(LABELS), post_transform="SOFTMAX",
                coefficients=[-1.0, 0, 0, 0, 1, 0], intercepts=[20.0, 0, -20],
            ),
            helper.make_node(
                "ZipMap", ["scores"], ["y"], domain="ai.onnx.ml",
                classlabels_strings=list(LABELS),
            ),
        ]
    )  # fmt: skip
    model.opset_import[0].version = 1
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 1))
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("label", TensorProto.STRING, ["n"]))
    model.graph.output.append(
        onnx.ValueInfoProto(
            name="y",
            type=helper.make_sequence_type_proto(
                helper.make_map_type_proto(
                    TensorProto.STRING, helper.make_tensor_type_proto(TensorProto.FLOAT, [])
                )
            ),
        )
    )


@pytest.mark.parametrize(
    "change",
    [
        with_branches,
        with_long_answers,
        with_a_flag_that_nothing_reads,
        with_batches_of(0),
        with_batches_of(-1),
        without_shapes,
        of_opset_7,
        with_a_zipmap_of_opset_1,
    ],
)
def test_what_other_exporters_write_joins(
    change: Callable[[onnx.ModelProto], None], models: Path, tmp_path: Path
) -> None:
    model = scores(tmp_path / "plain.onnx")
    change(model)
    onnx.save(model, tmp_path / "changed.onnx")
    card, _ = add(tmp_path / "changed.onnx", models, labels=LABELS)
    assert card.parity.agreement == 1.0
    assert card.test_accuracy.value > 0.6
    assert not load_ladder(models, "rooms", OnnxCpuRuntime()).refused


def test_an_input_that_is_no_tensor_is_told_as_what_it_is(models: Path, tmp_path: Path) -> None:
    text = """<ir_version: 10, opset_import: ["" : 17]>
    listed (seq(float[n, 2]) x) => (float[n, 2] y) { y = ConcatFromSequence<axis = 0> (x) }"""
    onnx.save(parser.parse_model(text), tmp_path / "listed.onnx")
    with pytest.raises(
        ExportError, match=r"input 'x' is a seq\(tensor\(float\)\): numbers or texts"
    ):
        add(tmp_path / "listed.onnx", models)


def test_numbers_from_0_count_labels_that_are_numbers_from_1() -> None:
    assert place_labels(task("1", "2", "3"), ("0", "1", "2")) == (0, 1, 2)
    assert place_labels(task("1", "2", "3"), ("3", "1", "2")) == (1, 2, 0)
    assert place_labels(task("0", "1"), ("1", "0")) == (1, 0)
    assert place_labels(task("-1", "1", "2.5"), ("1.0", "2.50", "-1.0")) == (2, 0, 1)
    with pytest.raises(ExportError, match=r"'0', .* does not know: .* each with --label"):
        place_labels(task("1", "2", "3"), ("0", "1"))


def test_features_beside_the_scores_are_no_answer() -> None:
    rng = np.random.default_rng(0)
    outputs = {
        "features": rng.normal(size=(8, 16)).astype(np.float32),
        "scores": rng.normal(size=(8, 3)).astype(np.float32),
    }
    reading, _ = read_outputs(task(*LABELS), outputs, {}, None, LABELS)
    assert (reading.output, reading.places) == ("scores", (0, 1, 2))


@pytest.mark.parametrize(
    ("version", "told"),
    [
        ("1.16.0", "made with CatBoost 1.16.0"),
        ("Git info:\n    Commit: b1bd2\n    Author: a <a@b.c>", "made with CatBoost"),
        ("", "made with CatBoost"),
    ],
)
def test_a_maker_is_told_in_few_words(version: str, told: str, tmp_path: Path) -> None:
    path = linear(tmp_path / "mine.onnx")
    model = onnx.load(path)
    model.producer_name, model.producer_version = "CatBoost", version
    onnx.save(model, path)
    assert from_file(path).source == f"own model mine.onnx, {told}"
