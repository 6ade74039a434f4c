"""Tables and lists of tensors, texts and numbers as JSON, with the tensors apart."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor


def pack(value: Any, tensors: dict[str, Tensor]) -> Any:
    """What JSON holds of a value; its tensors are put into `tensors`.

    Raises:
        TypeError: it holds something else.
    """
    if isinstance(value, Tensor):
        name = str(len(tensors))
        tensors[name] = value.detach().clone().contiguous()
        return {"tensor": name}
    if isinstance(value, Mapping):  # its keys may be numbers, which JSON has not
        return {"table": [[key, pack(inner, tensors)] for key, inner in value.items()]}
    if isinstance(value, list | tuple):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {kind: [pack(inner, tensors) for inner in value]}
    if value is None or isinstance(value, str | bool | int | float):
        return {"value": value}
    raise TypeError(f"a checkpoint can't hold a {type(value).__name__}")


def unpack(packed: Any, tensors: Mapping[str, Tensor]) -> Any:
    """What was packed."""
    ((kind, value),) = packed.items()
    if kind == "tensor":
        return tensors[value]
    if kind == "table":
        return {key: unpack(inner, tensors) for key, inner in value}
    if kind == "list":
        return [unpack(inner, tensors) for inner in value]
    if kind == "tuple":
        return tuple(unpack(inner, tensors) for inner in value)
    return value
