"""Columns of one value: a task leaves them out, and a model made elsewhere may read them."""

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ounce_exporters.own.truths import spelling_of_constant

_BEFORE = "constants/"


def with_constants(model: onnx.ModelProto, constants: Mapping[str, float | str]) -> onnx.ModelProto:
    """A graph without the inputs that are such columns: each item has their value.

    Args:
        model: stays as it is.
        constants: value by column.
    """
    graph = model.graph
    bound = [port for port in graph.input if _fits(port, constants)]
    others = [port for port in graph.input if port not in bound]
    if not bound or not others:
        return model
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    shape, first, one = (_BEFORE + part for part in ("shape", "first", "one"))
    values = [numpy_helper.from_array(np.array([n]), name) for name, n in ((first, 0), (one, 1))]
    nodes = [
        helper.make_node("Shape", [others[0].name], [shape]),
        helper.make_node("Gather", [shape, first], [_BEFORE + "items"], axis=0),
        helper.make_node("Concat", [_BEFORE + "items", one], [_BEFORE + "size"], axis=0),
    ]
    for port in bound:
        value = _BEFORE + port.name
        dtype = helper.tensor_dtype_to_np_dtype(port.type.tensor_type.elem_type)
        array = np.array([[_value(port, constants[port.name])]]).astype(dtype)
        values.append(numpy_helper.from_array(array, value))
        nodes.append(helper.make_node("Expand", [value, _BEFORE + "size"], [port.name]))
    kept = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *kept])
    graph.initializer.extend(values)
    del graph.input[:]
    graph.input.extend(others)
    return result


def _fits(port: onnx.ValueInfoProto, constants: Mapping[str, float | str]) -> bool:
    """Whether an input is such a column: texts or numbers as it is, one an item. Whole numbers
    have no fractions."""
    value = constants.get(port.name)
    kind = port.type.tensor_type
    sizes = [dimension.dim_value for dimension in kind.shape.dim]
    if value is None or len(sizes) != 2 or sizes[1] != 1:
        return False
    value = _value(port, value)
    if isinstance(value, str) or kind.elem_type == TensorProto.STRING:
        return isinstance(value, str) and kind.elem_type == TensorProto.STRING
    dtype = helper.tensor_dtype_to_np_dtype(kind.elem_type)
    return dtype.kind == "f" or bool(np.array(value).astype(dtype) == value)


def _value(port: onnx.ValueInfoProto, value: float | str) -> float | str:
    """True is 1 and False is 0 where the input takes numbers."""
    how = spelling_of_constant(value)
    if how is None or port.type.tensor_type.elem_type == TensorProto.STRING:
        return value
    return float(value == how.true)
