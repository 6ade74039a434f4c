"""Values of parsed requests as one array an input."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.errors import InvalidMessageError
from ounce_schemas.task import TensorSpec

from ounce_edge.wire.requests.known_texts import KnownTexts
from ounce_edge.wire.requests.parsing import ParsedRequest
from ounce_edge.wire.requests.request_body import float_rows
from ounce_edge.wire.requests.tensor_values import all_acceptable, value_error


def stack(
    parsed: Sequence[ParsedRequest], specs: Sequence[TensorSpec], known_texts: KnownTexts
) -> tuple[dict[str, NDArray[Any]], dict[int, InvalidMessageError]]:
    """One array per input; and, for rows whose values can't be served, why."""
    n = len(parsed)
    inputs: dict[str, NDArray[Any]] = {}
    errors: dict[int, InvalidMessageError] = {}
    raw = {i: p.data for i, p in enumerate(parsed) if isinstance(p.data, bytes)}
    flat = {i: p.data for i, p in enumerate(parsed) if not isinstance(p.data, bytes)}
    for position, spec in enumerate(specs):
        rows = [data[position] for data in flat.values()]
        if spec.datatype == "BYTES":
            texts = np.empty((n, spec.size), dtype=object)
            for i, row in zip(flat, rows, strict=True):
                texts[i] = known_texts.read(spec.name, row)
            inputs[spec.name] = texts.reshape(n, *spec.shape)
            continue
        array = np.empty((n, spec.size), dtype=np.float32)
        if raw:
            kind = "u1" if spec.datatype == "UINT8" else "<f4"
            joined = np.frombuffer(b"".join(raw.values()), kind)
            array[list(raw)] = joined.reshape(-1, spec.size)
        if flat:
            array[list(flat)] = float_rows(rows, spec.size)
        if not all_acceptable(array, spec):
            for i in range(n):
                error = value_error(array[i], spec)
                if error is not None:
                    errors.setdefault(i, error)
        inputs[spec.name] = _as_sent(array, spec, errors).reshape(n, *spec.shape)
    return inputs, errors


def _as_sent(
    array: NDArray[np.float32], spec: TensorSpec, errors: Mapping[int, InvalidMessageError]
) -> NDArray[Any]:
    """In the tensor's own type; rows that can't be served hold anything."""
    if spec.datatype != "UINT8":
        return array
    array[list(errors)] = 0.0
    return array.astype(np.uint8)
