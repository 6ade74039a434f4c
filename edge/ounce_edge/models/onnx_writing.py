"""Small ONNX files, written without the package `onnx`: a device need not have it.

Field numbers are those of `onnx.proto`, version 3 of the format:
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

import struct
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Attribute = int | str | Sequence[int] | Sequence[float] | Sequence[str]

_IR_VERSION = 8
_OPSETS = {"": 17, "ai.onnx.ml": 3}
_FLOAT = 1
"""Of `TensorProto.DataType`."""
_INT_TYPE, _STRING_TYPE, _FLOATS_TYPE, _INTS_TYPE, _STRINGS_TYPE = 2, 3, 6, 7, 8
"""Of `AttributeProto.AttributeType`."""


def write_node(
    kind: str,
    inputs: Sequence[str],
    output: str,
    attributes: Mapping[str, Attribute] | None = None,
    domain: str = "",
) -> bytes:
    """A `NodeProto` with one output."""
    return b"".join(
        [
            *(_part(1, name) for name in inputs),
            _part(2, output),
            _part(4, kind),
            *(_part(5, _attribute(name, value)) for name, value in (attributes or {}).items()),
            _part(7, domain),
        ]
    )


def write_model(
    nodes: Sequence[bytes],
    weights: Mapping[str, NDArray[np.float32]],
    item_shape: Sequence[int],
    answer_shape: Sequence[int],
) -> bytes:
    """An ONNX file of a graph from the tensor `x` to the tensor `y`, float32, any number of items.

    Args:
        nodes: in the order that they run, from `write_node`.
        weights: tensors by the names that nodes have for them.
        item_shape: of an item of `x`.
        answer_shape: of an item of `y`.
    """
    graph = b"".join(
        [
            *(_part(1, node) for node in nodes),
            _part(2, "reference"),
            *(_part(5, _tensor(name, array)) for name, array in weights.items()),
            _part(11, _value("x", item_shape)),
            _part(12, _value("y", answer_shape)),
        ]
    )
    opsets = [_part(8, _part(1, domain) + _number(2, n)) for domain, n in _OPSETS.items()]
    return b"".join([_number(1, _IR_VERSION), _part(7, graph), *opsets])


def _attribute(name: str, value: Attribute) -> bytes:
    named = _part(1, name)
    if isinstance(value, int):
        return named + _number(3, value) + _number(20, _INT_TYPE)
    if isinstance(value, str):
        return named + _part(4, value) + _number(20, _STRING_TYPE)
    if isinstance(value[0], str):
        texts = b"".join(_part(9, str(text)) for text in value)
        return named + texts + _number(20, _STRINGS_TYPE)
    if isinstance(value[0], float):
        floats = struct.pack(f"<{len(value)}f", *value)
        return named + _part(7, floats) + _number(20, _FLOATS_TYPE)
    return named + _part(8, b"".join(_varint(int(n)) for n in value)) + _number(20, _INTS_TYPE)


def _tensor(name: str, array: NDArray[np.float32]) -> bytes:
    dims = b"".join(_number(1, n) for n in array.shape)
    return dims + _number(2, _FLOAT) + _part(8, name) + _part(9, array.astype("<f4").tobytes())


def _value(name: str, item_shape: Sequence[int]) -> bytes:
    dims = [_part(2, "n"), *(_number(1, n) for n in item_shape)]
    shape = b"".join(_part(1, dim) for dim in dims)
    return _part(1, name) + _part(2, _part(1, _number(1, _FLOAT) + _part(2, shape)))


def _part(field: int, content: bytes | str) -> bytes:
    """A field of text, bytes or a message."""
    raw = content.encode() if isinstance(content, str) else content
    return _varint(field << 3 | 2) + _varint(len(raw)) + raw


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; `value` is not negative."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
