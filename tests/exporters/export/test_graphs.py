"""Joining graphs keeps what they compute, also in the graphs inside them."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper, parser
from ounce_exporters.export.graphs import (
    UNCALIBRATED,
    chain,
    keep_output,
    logarithms,
    rename_input,
    side_by_side,
    with_prefix,
    without_unread,
)
from ounce_schemas.errors import ExportError

HEAD = '<ir_version: 10, opset_import: ["" : 20, "own" : 1]>'
BRANCHED = parser.parse_model(
    f"""{HEAD}
    branched (float[n, 1] x) => (float[n, 1] y) <float[1] two = {{2}}> {{
        all = ReduceSum<keepdims = 0> (x)
        none = Sub (all, all)
        known = Equal (all, none)
        y = If (known) <
            then_branch = small () => (float[n, 1] out) {{ part = Sub (x, two) out = Neg (part) }},
            else_branch = large () => (float[n, 1] out) {{ part = Add (x, two) out = Abs (part) }}
        >
    }}"""
)
"""2 where `x` is 0, `x + 2` where not. Inside, the input and a constant are read from outside."""
CALLED = parser.parse_model(
    f"""{HEAD}
    called (float[n, 1] x) => (float[n, 1] y) {{ y = own.step (x) }}
    <domain: "own", opset_import: ["" : 20]>
    step (given) => (made) {{ made = Add (given, given) }}"""
)
ALSO_CALLED = parser.parse_model(
    f"""{HEAD}
    called (float[n, 1] other) => (float[n, 1] y) {{ y = own.step (other) }}
    <domain: "own", opset_import: ["" : 20]>
    step (given) => (made) {{ made = Mul (given, given) }}"""
)


def answers(model: onnx.ModelProto, *values: float) -> list[float]:
    onnx.checker.check_model(model, full_check=True)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = {
        port.name: np.array([[value]], np.float32)
        for port, value in zip(model.graph.input, values, strict=True)
    }
    found: list[float] = session.run(None, feeds)[0].ravel().tolist()
    return found


def same(name: str) -> onnx.ModelProto:
    return parser.parse_model(
        f"{HEAD} same (float[n, 1] {name}) => (float[n, 1] y) {{ y = Identity ({name}) }}"
    )


@pytest.mark.parametrize(
    "model",
    [
        BRANCHED,
        with_prefix(BRANCHED, "a/"),
        with_prefix(BRANCHED, "a/", keep=BRANCHED.graph.input),
        with_prefix(BRANCHED, "a/", keep=(*BRANCHED.graph.input, *BRANCHED.graph.output)),
        rename_input(BRANCHED, "other"),
        chain(same("x"), BRANCHED),
        chain(BRANCHED, same("other")),
        keep_output(BRANCHED),
    ],
)
def test_what_is_read_from_outside_a_branch_is_found(model: onnx.ModelProto) -> None:
    assert answers(model, 0) == [2]
    assert answers(model, 3) == [5]


def test_branches_that_make_the_output_itself() -> None:
    model = rename_input(keep_output(BRANCHED), "other")
    np.testing.assert_allclose(answers(logarithms(model, 1e-6), 3), [np.log(5)], rtol=1e-6)
    joined = side_by_side(BRANCHED, rename_input(BRANCHED, "other"), UNCALIBRATED, "Add")
    assert answers(joined, 0, 3) == [7]


def test_an_input_that_a_branch_alone_reads_is_kept() -> None:
    model = onnx.ModelProto()
    model.CopyFrom(BRANCHED)
    model.graph.input.append(helper.make_tensor_value_info("known", onnx.TensorProto.BOOL, []))
    model.graph.input.append(helper.make_tensor_value_info("unread", onnx.TensorProto.FLOAT, [1]))
    del model.graph.node[:3]
    assert [port.name for port in without_unread(model).graph.input] == ["x", "known"]


def test_functions_of_two_models_with_one_name_stay_apart() -> None:
    assert answers(chain(CALLED, ALSO_CALLED), 3) == [36]
    assert answers(side_by_side(CALLED, ALSO_CALLED, UNCALIBRATED, "Sub"), 5, 3) == [1]


def test_functions_of_another_operator_set_are_refused() -> None:
    model = onnx.ModelProto()
    model.CopyFrom(CALLED)
    model.functions[0].opset_import[0].version = 14
    with pytest.raises(ExportError, match="functions 'step' are written for other operator sets"):
        chain(same("x"), model)


def test_notes_on_quantization_follow_their_tensors() -> None:
    model = same("x")
    note = model.graph.quantization_annotation.add(tensor_name="y")
    note.quant_parameter_tensor_names.add(key="SCALE_TENSOR", value="scale")
    (found,) = with_prefix(model, "a/").graph.quantization_annotation
    assert (found.tensor_name, found.quant_parameter_tensor_names[0].value) == ("a/y", "a/scale")
