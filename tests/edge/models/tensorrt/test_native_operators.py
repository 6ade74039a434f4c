"""The parser of native TensorRT knows the operators of what TensorRT for RTX builds, and not those
of what that one refuses."""

import onnx.defs
import pytest
from ounce_edge.models.runtimes.tensorrt.building import parse
from ounce_exporters.export.standard import ML
from ounce_exporters.lighter.forms import Form, convert

from tests.exporters.lighter.test_forms import pixels
from tests.support.networks import convolutional, perceptron
from tests.support.tensorrt.native import KNOWN, unknown_operators
from tests.support.tensorrt.rtx import rtx_or_skip

OF_RTX_ALONE = {"CausalConvWithState", "LinearAttention", "Swish"}
OF_NATIVE_ALONE = {"DeformConv"}
"""No model of Ounce has one of them."""


@pytest.mark.parametrize("form", [Form.FP16, Form.INT8_SYMMETRIC])
def test_it_knows_the_operators_of_forms_that_are_built(form: Form) -> None:
    assert unknown_operators(convert(convolutional(), form, pixels())) == set()


def test_it_does_not_know_those_of_dynamic_int8() -> None:
    found = unknown_operators(convert(perceptron(width=512), Form.INT8_DYNAMIC, pixels()))
    assert found == {"DynamicQuantizeLinear", "MatMulInteger"}


def test_it_knows_none_of_classical_models() -> None:
    of_ml = {schema.name for schema in onnx.defs.get_all_schemas() if schema.domain == ML}
    assert len(of_ml) > 15
    assert of_ml & KNOWN == set()


@pytest.mark.rtx
def test_it_knows_what_rtx_knows() -> None:
    tensorrt = rtx_or_skip()
    _builder, _network, parser = parse(tensorrt, perceptron().SerializeToString())
    names = {schema.name for schema in onnx.defs.get_all_schemas()}
    of_rtx = {name for name in names if parser.supports_operator(name)}
    assert of_rtx - KNOWN == OF_RTX_ALONE
    assert KNOWN - of_rtx == OF_NATIVE_ALONE
