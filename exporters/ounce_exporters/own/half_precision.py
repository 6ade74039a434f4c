"""Graphs that compute in float16, brought to float32: on a CPU ONNX Runtime computes so anyway, and
rounds between operators as it sees fit."""

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from ounce_exporters.export.names import inner_graphs
from ounce_exporters.own.onnx_file import tensors_of

_KINDS = ("to", "dtype")
"""Attributes that name a type of numbers."""


def with_floats(model: onnx.ModelProto) -> tuple[onnx.ModelProto, bool]:
    """The model in float32 where it is in float16, and whether it was anywhere.

    Its weights stay as they are. What was beyond the range of float16 on the way no longer is.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    found = [_widen(tensor) for tensor in tensors_of(result.graph)]
    found += _retype(result.graph)
    return (result, True) if any(found) else (model, False)


def _widen(tensor: TensorProto) -> bool:
    if tensor.data_type != TensorProto.FLOAT16:
        return False
    values = numpy_helper.to_array(tensor).astype(np.float32)
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return True


def _retype(graph: onnx.GraphProto) -> list[bool]:
    found = []
    for port in (*graph.input, *graph.output, *graph.value_info):
        kind = port.type.tensor_type if port.type.HasField("tensor_type") else None
        if kind is not None and kind.elem_type == TensorProto.FLOAT16:
            kind.elem_type = TensorProto.FLOAT
            found.append(True)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.name in _KINDS and attribute.i == TensorProto.FLOAT16:
                attribute.i = TensorProto.FLOAT
                found.append(True)
        for inner in inner_graphs(node):
            found += _retype(inner)
    return found
