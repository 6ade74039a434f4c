"""Reading Open Inference Protocol V2 JSON bodies."""

from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from ounce_schemas.errors import InvalidMessageError, Reason
from ounce_schemas.json_errors import NO_JSON
from ounce_schemas.request import FloatTensor, PixelTensor, Request, TextTensor
from ounce_schemas.task import TaskSpec, TensorSpec
from ounce_schemas.wording import counted

from ounce_edge.wire.formats.json_text import not_json
from ounce_edge.wire.requests.tensor_values import pad_steps, steps_text

_Tensor = FloatTensor | PixelTensor | TextTensor
_DATATYPES = {FloatTensor: "FP32", PixelTensor: "UINT8", TextTensor: "BYTES"}

_decoder = msgspec.json.Decoder(Request)
_any_decoder = msgspec.json.Decoder()
_CHUNK = 32
"""Bodies decoded at a time: so few that their numbers, as Python objects, stay in the cache."""

# Where in the document msgspec found a wrong value: what that makes of the record.
_REASONS = (
    (".parameters", Reason.BAD_TARGET, "send numbers, and explanation as a boolean"),
    (".outputs", Reason.UNKNOWN_OUTPUT, "name outputs that the task has, or leave `outputs` out"),
    (".datatype", Reason.WRONG_DATATYPE, "send the datatype that the task names"),
    (".data", Reason.WRONG_DATATYPE, "send `data` as a flat list of values of the datatype"),
    (".shape", Reason.WRONG_SHAPE, "send `shape` as a list of whole numbers"),
)


def read_body(value: bytes) -> Request:
    """Decode a JSON body.

    Raises:
        InvalidMessageError: not JSON, or not a request.
    """
    try:
        return _decoder.decode(value)
    except msgspec.ValidationError as e:
        error = e
    except NO_JSON as e:
        raise not_json(value, e) from None
    try:
        return _read_nested(value, error)
    # The first wrong value ended the first look: what is behind it may be no JSON at all.
    except NO_JSON as e:
        raise not_json(value, e) from None


def read_tensors(document: Any) -> Request:
    """As `read_body`, of a document that is decoded already.

    Raises:
        InvalidMessageError: not a request.
    """
    try:
        return msgspec.convert(document, Request)
    except msgspec.ValidationError as e:
        raise _reasoned(e) from None


def tensor_data(request: Request, task: TaskSpec) -> list[list[Any]]:
    """The flat data of each of the task's inputs, in the task's order.

    Raises:
        InvalidMessageError: an input is unknown, absent, or not as the task says.
    """
    given = request.inputs
    if len(given) == 1 and len(task.inputs) == 1 and given[0].name == task.inputs[0].name:
        return [_checked(given[0], task.inputs[0])]
    specs = {spec.name: spec for spec in task.inputs}
    by_name: dict[str, _Tensor] = {}
    for tensor in given:
        if tensor.name not in specs or tensor.name in by_name:
            what = "sent twice" if tensor.name in by_name else "not known"
            raise InvalidMessageError(
                Reason.UNKNOWN_INPUT,
                f"input {tensor.name[:40]!r} is {what}; task {task.name} takes {list(specs)}",
            )
        by_name[tensor.name] = tensor
    missing = [name for name in specs if name not in by_name]
    if missing:
        raise InvalidMessageError(
            Reason.MISSING_INPUT, f"input {missing} is missing; task {task.name} needs it"
        )
    return [_checked(by_name[name], spec) for name, spec in specs.items()]


class PlainBodies(NamedTuple):
    """Bodies that were read all at once."""

    array: NDArray[np.float32]
    """Shape (n, size)."""
    ids: Sequence[str | None]
    """Empty: none has one."""


def plain_bodies(values: Sequence[bytes], spec: TensorSpec) -> PlainBodies | None:
    """Plain bodies of a task with one FP32 input.

    Returns:
        None if any body is not plain and right: it names targets or outputs, nests its data, or
        can't be served.
    """
    ids: list[str | None] = []
    arrays = []
    try:
        for start in range(0, len(values), _CHUNK):
            array = _plain_array(values[start : start + _CHUNK], spec, ids)
            if array is None:
                return None
            arrays.append(array)
    except NO_JSON:
        return None
    return PlainBodies(np.concatenate(arrays), ids if any(ids) else ())


def _plain_array(
    values: Sequence[bytes], spec: TensorSpec, ids: list[str | None]
) -> NDArray[np.float32] | None:
    requests = [_decoder.decode(value) for value in values]
    tensors = [tensor for request in requests for tensor in request.inputs]
    item = spec.shape
    ids += [r.id for r in requests]
    if (
        any([r.parameters or r.outputs for r in requests])  # noqa: C419  faster
        or {len(r.inputs) for r in requests} != {1}
        or {type(t) for t in tensors} != {FloatTensor}
        or {t.name for t in tensors} != {spec.name}
        or {len(t.data) for t in tensors} != {spec.size}
        or not {tuple(t.shape) for t in tensors} <= {item, (1, *item)}
    ):
        return None
    return float_rows([t.data for t in tensors], spec.size)


def float_rows(rows: Sequence[Sequence[Any]], size: int) -> NDArray[np.float32]:
    """Flat lists of `size` numbers as an array of shape (n, size); null becomes NaN."""
    with np.errstate(over="ignore"):  # a number over float32's range becomes infinite
        try:
            array = np.fromiter(chain.from_iterable(rows), np.float32, len(rows) * size)
        except TypeError:  # a null
            array = np.array([x for row in rows for x in row], dtype=np.float32)
    return array.reshape(len(rows), size)


def _checked(tensor: _Tensor, spec: TensorSpec) -> list[Any]:
    datatype = _DATATYPES[type(tensor)]
    if datatype != spec.datatype:
        raise InvalidMessageError(
            Reason.WRONG_DATATYPE,
            f"input {spec.name!r} has datatype {datatype}; send {spec.datatype}",
        )
    item = list(spec.shape)
    if spec.channels is not None and len(tensor.data) < spec.size:
        *_, steps, channels = [0, 0, *tensor.shape]
        if steps > 0 and channels == item[1] and steps * channels == len(tensor.data):
            return pad_steps(tensor.data, spec)
    if tensor.shape != [1, *item] and tensor.shape != item:
        raise InvalidMessageError(
            Reason.WRONG_SHAPE,
            f"input {spec.name!r} has shape {tensor.shape[:8]}; send {[1, *item]}, or [N, ...] for "
            f"N rows{steps_text(spec)}",
        )
    if len(tensor.data) != spec.size:
        raise InvalidMessageError(
            Reason.WRONG_LENGTH,
            f"input {spec.name!r} has {counted(len(tensor.data), 'value')}; its shape needs "
            f"{spec.size}",
        )
    return tensor.data


def _read_nested(value: bytes, error: msgspec.ValidationError) -> Request:
    """The protocol also allows `data` nested by its shape: flatten it and look again."""
    document = _any_decoder.decode(value)
    if isinstance(document, dict) and isinstance(document.get("inputs"), list):
        nested = [
            tensor
            for tensor in document["inputs"]
            if isinstance(tensor, dict)
            and isinstance(tensor.get("data"), list)
            and any(isinstance(part, list) for part in tensor["data"])
        ]
        if nested:
            for tensor in nested:
                tensor["data"] = flat_data(tensor["data"])
            try:
                return msgspec.convert(document, Request)
            except msgspec.ValidationError as e:
                error = e
    raise _reasoned(error) from None


def _reasoned(error: msgspec.ValidationError) -> InvalidMessageError:
    text = str(error)
    for where, reason, advice in _REASONS:
        if where in text:
            return InvalidMessageError(reason, f"{text}; {advice}")
    return InvalidMessageError(
        Reason.MALFORMED_JSON, f"body is not an Open Inference Protocol V2 request: {text}"
    )


def flat_data(data: list[Any]) -> list[Any]:
    """Flatten nested lists without recursion, so that depth costs nothing."""
    result: list[Any] = []
    stack = [iter(data)]
    while stack:
        for part in stack[-1]:
            if isinstance(part, list):
                stack.append(iter(part))
                break
            result.append(part)
        else:
            stack.pop()
    return result
