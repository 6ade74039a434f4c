"""Open Inference Protocol bodies beyond the plain ones: NumPy's own datatypes, a tensor a column,
several items, and tensors as binary data behind the JSON."""

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
from ounce_schemas.cells import as_text
from ounce_schemas.errors import InvalidMessageError, Reason
from ounce_schemas.request import Request, RequestParameters
from ounce_schemas.task import TaskSpec, TensorSpec
from ounce_schemas.wording import counted

from ounce_edge.wire.formats.columns import ColumnReader
from ounce_edge.wire.formats.content import (
    Content,
    ItemData,
    as_float,
    as_id,
    check_n_rows,
    n_values,
    read_each,
)
from ounce_edge.wire.formats.json_text import strict_loads
from ounce_edge.wire.requests.request_body import flat_data
from ounce_edge.wire.requests.tensor_values import steps_text

DATATYPES = {
    "BOOL": "?", "UINT8": "u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8", "INT8": "i1",
    "INT16": "<i2", "INT32": "<i4", "INT64": "<i8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip
"""Of numbers, and how NumPy names them. Each is converted to the task's, the nearest where it is
not exact."""
BINARY_SIZE = "binary_data_size"
_OF_TENSORS = frozenset({"shape", "datatype", "data"})


class _Tensor(NamedTuple):
    name: str
    datatype: str
    shape: tuple[int, ...]
    data: list[Any]
    """Flat."""


class WideReader:
    """Reads them for one task.

    Args:
        task: the task.
        columns: reads the rows that tensors of columns make.
        max_rows: that one message may hold.
    """

    def __init__(self, task: TaskSpec, columns: ColumnReader, max_rows: int) -> None:
        self._max_rows = max_rows
        self._specs = {spec.name: spec for spec in task.inputs}
        self._columns = columns

    def read(self, document: Mapping[str, Any], error: InvalidMessageError) -> Content:
        """What a document with a list of tensors holds.

        Args:
            document: the whole body.
            error: why it is no plain one; raised where nothing here explains it.

        Raises:
            InvalidMessageError: it can't be served.
        """
        tensors = [_tensor(part, error) for part in document["inputs"]]
        names = [tensor.name for tensor in tensors]
        if not names or len(set(names)) < len(names):
            raise error
        if not set(names) & self._specs.keys() and self._columns.layout(names).is_known:
            items = self._columns_items(tensors)
        else:
            items = self._input_items(tensors, error)
        try:
            parameters = msgspec.convert(document.get("parameters") or {}, RequestParameters)
            rest = msgspec.convert({"inputs": [], "outputs": document.get("outputs")}, Request)
        except msgspec.ValidationError:
            raise error from None
        return Content(
            items,
            as_id(document.get("id")),
            [output.name for output in rest.outputs or ()] or None,
            parameters.max_latency_ms,
            parameters.min_accuracy,
            parameters.answer,
            parameters.explanation,
        )

    def _columns_items(self, tensors: Sequence[_Tensor]) -> list[ItemData]:
        sizes = {len(tensor.data) for tensor in tensors}
        if len(sizes) > 1:
            raise InvalidMessageError(
                Reason.WRONG_LENGTH, f"columns have {sorted(sizes)} values; send equally many each"
            )
        check_n_rows(sizes.pop(), self._max_rows)
        names = [tensor.name for tensor in tensors]
        rows = zip(*(tensor.data for tensor in tensors), strict=True)
        return read_each(lambda row: self._columns.read(dict(zip(names, row, strict=True))), rows)

    def _input_items(self, tensors: Sequence[_Tensor], error: InvalidMessageError) -> list[Any]:
        by_name = {tensor.name: tensor for tensor in tensors}
        if by_name.keys() != self._specs.keys():
            raise error
        counts = [_n_items(by_name[name], spec) for name, spec in self._specs.items()]
        check_n_rows(max([1 if n is None else n for n in counts]), self._max_rows)
        inputs = [_items(by_name[name], spec, error) for name, spec in self._specs.items()]
        if len(set(counts)) > 1:
            raise InvalidMessageError(
                Reason.WRONG_SHAPE, f"inputs hold {counts} rows; send equally many each"
            )
        return [list(item) for item in zip(*inputs, strict=True)]


def _tensor(part: Any, error: InvalidMessageError) -> _Tensor:
    if not isinstance(part, dict):
        raise error
    name, datatype, shape = part.get("name"), part.get("datatype"), part.get("shape")
    data = part.get("data")
    if not isinstance(name, str) or not isinstance(data, list) or not isinstance(shape, list):
        raise error
    if not isinstance(datatype, str) or (datatype not in DATATYPES and datatype != "BYTES"):
        raise InvalidMessageError(
            Reason.WRONG_DATATYPE,
            f"input {name[:40]!r} has datatype {str(datatype)[:40]!r}; send one of "
            f"{', '.join([*DATATYPES, 'BYTES'])}",
        )
    n = n_values(shape)
    if n is None:
        raise error
    flat = flat_data(data)
    wrong = next((v for v in flat if not _is_of(v, datatype)), None)
    if wrong is not None:
        raise (
            error
            if datatype in ("FP32", "BYTES")
            else InvalidMessageError(
                Reason.WRONG_DATATYPE,
                f"input {name[:40]!r} holds {str(wrong)[:40]!r}, which is no {datatype}",
            )
        )
    if len(flat) != n:
        raise InvalidMessageError(
            Reason.WRONG_LENGTH,
            f"input {name[:40]!r} has {counted(len(flat), 'value')}; its shape {shape[:8]} needs "
            f"{n}",
        )
    return _Tensor(name, datatype, tuple(shape), flat)


def _is_of(value: Any, datatype: str) -> bool:
    if datatype == "BYTES":
        return isinstance(value, str)
    if datatype == "BOOL":
        return isinstance(value, bool) or value in (0, 1, None)
    if isinstance(value, float) and "INT" in datatype:
        return value.is_integer()  # many write whole numbers as 3.0
    return isinstance(value, int | float | None) and not isinstance(value, bool)


def _items(tensor: _Tensor, spec: TensorSpec, error: InvalidMessageError) -> list[list[Any]]:
    """The flat data of each item."""
    is_text = spec.datatype == "BYTES"
    if tensor.datatype == "BYTES" and not is_text:
        raise error
    n = _n_items(tensor, spec)
    if n is None:
        raise InvalidMessageError(
            Reason.WRONG_SHAPE,
            f"input {spec.name!r} has shape {list(tensor.shape[:8])}; send {[1, *spec.shape]}, or "
            f"[N, ...] for N rows{steps_text(spec)}",
        )
    data = [as_text(v) if is_text else None if v is None else as_float(v) for v in tensor.data]
    return [data[i * spec.size : (i + 1) * spec.size] for i in range(n)]


def _n_items(tensor: _Tensor, spec: TensorSpec) -> int | None:
    """None where its shape is not the task's."""
    if tensor.shape == spec.shape:
        return 1
    return tensor.shape[0] if tensor.shape[1:] == spec.shape and tensor.shape else None


def split_binary(value: bytes, json_size: int | None) -> dict[str, Any] | None:
    """The document of a body whose tensors stand behind the JSON, with their data in it.

    Args:
        value: the body.
        json_size: bytes of the JSON, where a header says so.

    Returns:
        None where the body is none of these.

    Raises:
        InvalidMessageError: a tensor is shorter or longer than it says.
    """
    try:
        if json_size is None:  # a character of Latin-1 is a byte
            _, json_size = json.JSONDecoder().raw_decode(value.decode("latin-1"))
        document = strict_loads(value[:json_size])
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or not isinstance(document.get("inputs"), list):
        return None
    start = json_size
    for tensor in document["inputs"]:
        parameters = tensor.get("parameters") if isinstance(tensor, dict) else None
        size = parameters.get(BINARY_SIZE) if isinstance(parameters, dict) else None
        if type(size) is not int:
            continue
        piece = value[start : start + size]
        start += size
        tensor["data"] = _binary_data(tensor, piece, size)
    if start != len(value):
        raise InvalidMessageError(
            Reason.WRONG_LENGTH,
            f"the binary tensors end at byte {start} of {len(value)}; `{BINARY_SIZE}` of each must "
            "add up to what is behind the JSON",
        )
    return document


def _binary_data(tensor: dict[str, Any], piece: bytes, size: int) -> list[Any]:
    name, datatype = str(tensor.get("name"))[:40], tensor.get("datatype")
    try:
        if len(piece) != size:
            raise ValueError(f"{len(piece)} of {counted(size, 'byte')} are there")
        if datatype == "BYTES":
            return _texts(piece)
        numbers: list[Any] = np.frombuffer(piece, DATATYPES[str(datatype)]).tolist()
        return numbers
    except (ValueError, KeyError, struct.error) as e:
        raise InvalidMessageError(
            Reason.WRONG_LENGTH, f"binary data of input {name!r} ({datatype}) can't be read: {e}"
        ) from None


def _texts(piece: bytes) -> list[str]:
    texts, at = [], 0
    while at < len(piece):
        (size,) = struct.unpack_from("<I", piece, at)
        if at + 4 + size > len(piece):
            raise ValueError("a text is cut off")
        texts.append(piece[at + 4 : at + 4 + size].decode())
        at += 4 + size
    return texts


def has_tensors(document: Mapping[str, Any]) -> bool:
    """Whether a document holds tensors, as V2 writes them."""
    inputs = document.get("inputs")
    return isinstance(inputs, list) and all(
        isinstance(part, dict) and "name" in part and len(part.keys() & _OF_TENSORS) > 1
        for part in inputs
    )
