"""Graphs of networks in fewer bits, and of classical models in operators for GPUs.

Weights of INT8 forms have 7 bits: with 8, processors without VNNI cut off large sums of two
products, and answers depend on the processor (ONNX Runtime, "Quantize ONNX Models").
"""

import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from ounce_edge.models.runtimes.text_bytes import encode_texts
from ounce_schemas.errors import OunceError

from ounce_exporters.export.graphs import normalize
from ounce_exporters.export.standard import ML, NoStandardFormError, standardize
from ounce_exporters.ladder.recipe import Inputs
from ounce_exporters.lighter.halving import halve

CALIBRATION_ITEMS = 512
"""Training items whose values set the ranges of INT8."""
_BATCH = 64
_PRODUCTS = ("MatMul", "Gemm")
_LAYERS = (*_PRODUCTS, "Conv", "GRU", "LSTM")
_ERRORS, _WARNINGS = 3, 2


class Form(StrEnum):
    """What a model is converted to. Inputs and outputs stay FP32."""

    FP16 = "fp16"
    """From the first product or convolution to the last all is FP16, but for sums. What brings
    numbers to one scale before, and what makes answers of the rest, stays, too: FP16 ends at
    65,504."""
    INT8 = "int8"
    """Convolutions that read no negative value: unsigned INT8 with zero points of ONNX Runtime's
    liking, which its kernels for x86 are quickest with."""
    INT8_SYMMETRIC = "int8-symmetric"
    """Convolutions: signed INT8 with zero points of 0. ONNX Runtime and TensorRT take it."""
    INT8_DYNAMIC = "int8-dynamic"
    """Products of matrices, of networks without convolutions: ranges are found in each call."""
    TENSORS = "tensors"
    """Scalers, trees and lists of texts in operators that GPUs know; as many bits as before."""

    @property
    def has_fewer_bits(self) -> bool:
        """Whether it is for networks alone, and answers nearly as before."""
        return self is not Form.TENSORS


WORDS = {
    Form.FP16: "in FP16",
    Form.INT8: "with convolutions in INT8",
    Form.INT8_SYMMETRIC: "with convolutions in symmetric INT8",
    Form.INT8_DYNAMIC: "with products in dynamic INT8",
    Form.TENSORS: "in tensor operators",
}


class NotWorthwhileError(OunceError):
    """A lighter form that gains nothing; the message says why."""


class UnsuitedError(NotWorthwhileError):
    """There is nothing in a graph to convert."""


def convert(model: onnx.ModelProto, form: Form, sample: Inputs) -> onnx.ModelProto:
    """The same model in another form.

    Args:
        model: a graph of FP32; a network has one input.
        form: what to make of it.
        sample: training items, which set the ranges of INT8.

    Raises:
        UnsuitedError: there is nothing in the graph to convert.
        NotWorthwhileError: an operator has no standard form.
    """
    if form is Form.TENSORS:
        return _standard(model)
    named = _named(model)
    kinds = {node.op_type for node in named.graph.node}
    with _quiet():
        if form is Form.FP16:
            return _for_gpus(normalize(halve(named, _LAYERS)))
        if form is Form.INT8_DYNAMIC:
            if "Conv" in kinds or not kinds & set(_PRODUCTS):
                raise UnsuitedError("it has convolutions, or no products")
            return normalize(_dynamic(named))
        if "Conv" not in kinds:
            raise UnsuitedError("it has no convolution")
        if form is Form.INT8_SYMMETRIC:
            return _for_gpus(normalize(_static(named, sample, QuantType.QInt8)))
        return normalize(_unsigned(named, sample))


def _for_gpus(model: onnx.ModelProto) -> onnx.ModelProto:
    try:
        return standardize(model)
    except NoStandardFormError:
        return model


def _standard(model: onnx.ModelProto) -> onnx.ModelProto:
    if all(node.domain != ML for node in model.graph.node):
        raise UnsuitedError("it has only operators that GPUs know")
    try:
        return standardize(model)
    except NoStandardFormError as e:
        raise NotWorthwhileError(str(e)) from e


def _unsigned(model: onnx.ModelProto, sample: Inputs) -> onnx.ModelProto:
    """Convolutions that read negative values stay as they are: a zero point costs time in them."""
    first = _static(model, sample, QuantType.QUInt8)
    signed = _convolutions_with_zero_points(first)
    n = sum(node.op_type == "Conv" for node in model.graph.node)
    if len(signed) == n:
        raise UnsuitedError("every convolution reads negative values")
    return _static(model, sample, QuantType.QUInt8, signed) if signed else first


def _convolutions_with_zero_points(model: onnx.ModelProto) -> list[str]:
    """Names of convolutions whose quantized input has a zero point other than 0."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    sources = {node.output[0]: node for node in model.graph.node}
    found = []
    for node in model.graph.node:
        if node.op_type == "Conv":
            zero_point = constants[sources[node.input[0]].input[2]]
            if numpy_helper.to_array(zero_point).any():
                found.append(node.name)
    return found


def _static(
    model: onnx.ModelProto, sample: Inputs, kind: QuantType, left_out: Sequence[str] = ()
) -> onnx.ModelProto:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        quantize_static(
            _named(model),  # a copy: quantizing moves the weights of what it is given to a file
            path,
            _Sample(_as_read(model, sample)),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            per_channel=True,
            reduce_range=True,
            activation_type=kind,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=list(left_out),
            extra_options={
                "ActivationSymmetric": kind is QuantType.QInt8,
                "WeightSymmetric": True,
                "QuantizeBias": False,  # TensorRT takes no INT32
            },
        )
        return onnx.load(path)


def _dynamic(model: onnx.ModelProto) -> onnx.ModelProto:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        quantize_dynamic(
            _named(model),
            path,
            op_types_to_quantize=list(_PRODUCTS),
            reduce_range=True,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(path)


def _as_read(model: onnx.ModelProto, sample: Inputs) -> Inputs:
    """A few items as the graph reads them: texts that it takes as bytes are bytes."""
    some = {name: array[:CALIBRATION_ITEMS] for name, array in sample.items()}
    for given in model.graph.input:
        tensor, array = given.type.tensor_type, some[given.name]
        if tensor.elem_type == onnx.TensorProto.UINT8 and array.dtype == object:
            some[given.name] = encode_texts(array, tensor.shape.dim[-1].dim_value)
    return some


class _Sample(CalibrationDataReader):  # type: ignore[misc]
    """Hands out items in batches."""

    def __init__(self, sample: Inputs) -> None:
        n = len(next(iter(sample.values())))
        self._batches: Iterator[dict[str, NDArray[Any]]] = iter(
            [
                {
                    name: np.ascontiguousarray(a[i : min(i + _BATCH, n)])
                    for name, a in sample.items()
                }
                for i in range(0, n, _BATCH)
            ]
        )

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """The next batch; None at the end."""
        return next(self._batches, None)


def _named(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy in which every node has a name of its own, and no constant the name that quantizing
    gives to the scale of another."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    names = {}
    for i, constant in enumerate(result.graph.initializer):
        names[constant.name] = f"constant_{i}"
        constant.name = names[constant.name]
    for i, node in enumerate(result.graph.node):
        node.name = f"{node.op_type}_{i}"
        node.input[:] = [names.get(name, name) for name in node.input]
    return result


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide advice to preprocess, and what sessions say of initializers."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    ort.set_default_logger_severity(_ERRORS)
    try:
        yield
    finally:
        ort.set_default_logger_severity(_WARNINGS)
        root.setLevel(level)
