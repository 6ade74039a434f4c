"""Tensors of an engine, as a model declares them: texts go in as their bytes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ounce_edge.models.runtimes.base import TensorSignature
from ounce_edge.models.runtimes.text_bytes import encode_texts

_TEXT_DIMENSIONS = 2
"""Of an item, uint8: texts, and their bytes one after the other. Images have three."""
_DATATYPES = {"float32": "FP32", "uint8": "UINT8"}
_DTYPES: dict[str, Any] = {"FP32": np.float32, "UINT8": np.uint8, "BYTES": np.object_}


def signature_of(shape: tuple[int, ...], dtype: "np.dtype[Any]") -> TensorSignature:
    """What a model declares where its engine has a tensor of such items."""
    if dtype == np.uint8 and len(shape) == _TEXT_DIMENSIONS:
        return TensorSignature("BYTES", (None, *shape[:-1]))
    return TensorSignature(_DATATYPES.get(str(dtype), str(dtype)), (None, *shape))


def as_read(
    name: str, signature: TensorSignature, array: NDArray[Any] | None, shape: tuple[int, ...]
) -> NDArray[Any]:
    """An input as the engine reads it.

    Args:
        name: of the input.
        signature: that it has to have.
        array: that was given for it.
        shape: of the engine's tensor.

    Raises:
        ValueError: it is absent, or has another type or shape.
    """
    wanted = _DTYPES.get(signature.datatype)
    if array is None or array.dtype != wanted or array.shape[1:] != signature.shape[1:]:
        found = "absent" if array is None else f"{array.dtype}{list(array.shape)}"
        raise ValueError(
            f"input {name!r} is {found}, not {signature.datatype}{list(signature.shape)}"
        )
    return encode_texts(array, shape[-1]) if signature.datatype == "BYTES" else array
