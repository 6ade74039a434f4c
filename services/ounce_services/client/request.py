"""From what a program has to the record of a request."""

import json
from typing import Any, NamedTuple

import numpy as np
from ounce_schemas.request import (
    HEADER_ANSWER,
    HEADER_EXPLANATION,
    HEADER_ID,
    HEADER_MAX_LATENCY_MS,
    HEADER_MIN_ACCURACY,
    HEADER_SOURCE,
    REQUEST_EVENT_TYPE,
)

SOURCE = "/ounce/client"


class Targets(NamedTuple):
    """What is asked of an answer; None: as the policy has it."""

    max_latency_ms: float | None = None
    min_accuracy: float | None = None
    explanation: bool | None = None


def as_body(data: Any) -> bytes:
    """The body of a request.

    Args:
        data: bytes and texts go as they are, also a file's; an array becomes the raw tensor, of
            float32 or, where it holds pixels (uint8), of those; all else JSON.

    Raises:
        TypeError: it is none of these.
    """
    if isinstance(data, bytes):
        return data
    if isinstance(data, str):
        return data.encode()
    if isinstance(data, np.ndarray):
        return np.asarray(data, dtype="u1" if data.dtype == np.uint8 else "<f4").tobytes()
    return json.dumps(data, default=_plain).encode()


def make_headers(id_: str, targets: Targets) -> list[tuple[str, bytes]]:
    """Headers of a CloudEvent in binary mode. They ask for the answers that the client reads, also
    where the policy has another form of them."""
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_type", REQUEST_EVENT_TYPE.encode()),
        (HEADER_ID, id_.encode()),
        (HEADER_SOURCE, SOURCE.encode()),
        (HEADER_ANSWER, b"v2"),
    ]
    names = (HEADER_MAX_LATENCY_MS, HEADER_MIN_ACCURACY)
    for name, value in zip(names, targets[:2], strict=True):
        if value is not None:
            headers.append((name, repr(float(value)).encode()))
    if targets.explanation is not None:
        headers.append((HEADER_EXPLANATION, b"true" if targets.explanation else b"false"))
    return headers


def checked_text(what: str, value: object) -> str:
    """An id, or a device.

    Raises:
        TypeError: it is no text.
    """
    if not isinstance(value, str):
        raise TypeError(f"{what} {value!r} is no text: give one, such as {str(value)!r}")
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} can't be sent: {value!r:.80}")
