"""Reading a request's CloudEvents headers and targets."""

import math
from dataclasses import dataclass

from ounce_schemas.errors import InvalidMessageError, Reason
from ounce_schemas.policy import MAX_LATENCY_LIMIT_MS
from ounce_schemas.request import (
    CONTENT_TYPE_JSON,
    CONTENT_TYPE_RAW,
    HEADER_CONTENT_TYPE,
    HEADER_ID,
    HEADER_MAX_LATENCY_MS,
    HEADER_MIN_ACCURACY,
    HEADER_SOURCE,
    HEADER_TRACEPARENT,
)

from ounce_edge.records import Headers


@dataclass(frozen=True, slots=True)
class RequestHead:
    """What the headers say; None where they say nothing. Null and empty values say nothing."""

    id: str | None = None
    source: str = ""
    is_json: bool | None = None
    max_latency_ms: float | None = None
    min_accuracy: float | None = None
    traceparent: bytes | None = None


NO_HEADERS = RequestHead()


def read_head(headers: Headers | None) -> RequestHead:
    """Read the headers that have a meaning here; all others may hold anything.

    Raises:
        InvalidMessageError: a header that has a meaning holds a value that has none.
    """
    if not headers:
        return NO_HEADERS
    values = dict(headers)
    latency = _text(values, HEADER_MAX_LATENCY_MS)
    accuracy = _text(values, HEADER_MIN_ACCURACY)
    return RequestHead(
        id=_text(values, HEADER_ID),
        source=_text(values, HEADER_SOURCE) or "",
        is_json=_is_json(_text(values, HEADER_CONTENT_TYPE)),
        max_latency_ms=None
        if latency is None
        else check_max_latency_ms(_number(HEADER_MAX_LATENCY_MS, latency)),
        min_accuracy=None
        if accuracy is None
        else check_min_accuracy(_number(HEADER_MIN_ACCURACY, accuracy)),
        traceparent=values.get(HEADER_TRACEPARENT) or None,
    )


def check_max_latency_ms(value: float) -> float:
    """The value, if it can be a deadline.

    Raises:
        InvalidMessageError: not in (0, 1 hour].
    """
    if not 0 < value <= MAX_LATENCY_LIMIT_MS:
        raise InvalidMessageError(
            Reason.BAD_TARGET,
            f"max latency {value:g} ms is not in (0, {MAX_LATENCY_LIMIT_MS:g}]; "
            "send milliseconds, or leave it out for the policy's default",
        )
    return value


def check_min_accuracy(value: float) -> float:
    """The value, if it can be a floor.

    Raises:
        InvalidMessageError: not in [0, 1].
    """
    if not 0 <= value <= 1:
        raise InvalidMessageError(
            Reason.BAD_TARGET,
            f"min accuracy {value:g} is not in [0, 1]; send a share such as 0.95, "
            "or leave it out for the policy's default",
        )
    return value


def _text(values: dict[str, bytes | None], name: str) -> str | None:
    value = values.get(name)
    if not value:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise InvalidMessageError(
            Reason.BAD_HEADER, f"header {name} holds {value[:40]!r}, which is not UTF-8 text"
        ) from None


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isnan(value):
        raise InvalidMessageError(
            Reason.BAD_TARGET, f"header {name} holds {text[:40]!r}, which is not a number"
        )
    return value


def _is_json(content_type: str | None) -> bool | None:
    if content_type is None:
        return None
    essence = content_type.split(";", 1)[0].strip().lower()
    if essence == CONTENT_TYPE_JSON:
        return True
    if essence == CONTENT_TYPE_RAW:
        return False
    raise InvalidMessageError(
        Reason.UNKNOWN_CONTENT_TYPE,
        f"content-type {content_type[:80]!r} is not known; send {CONTENT_TYPE_JSON} "
        f"(Open Inference Protocol V2) or {CONTENT_TYPE_RAW} (raw little-endian tensor bytes)",
    )
