"""Reading a request's CloudEvents headers and targets."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace
from ounce_schemas.errors import InvalidMessageError, Reason
from ounce_schemas.policy import MAX_LATENCY_LIMIT_MS
from ounce_schemas.request import (
    CONTENT_TYPE_JSON,
    CONTENT_TYPE_RAW,
    HEADER_ANSWER,
    HEADER_CONTENT_TYPE,
    HEADER_EXPLANATION,
    HEADER_ID,
    HEADER_JSON_BYTES,
    HEADER_MAX_LATENCY_MS,
    HEADER_MIN_ACCURACY,
    HEADER_SOURCE,
    HEADER_TENANT,
    HEADER_TRACEPARENT,
    HEADERS_RETURNED,
    AnswerForm,
)

from ounce_edge.wire.header_names import NamedHeaders
from ounce_edge.wire.remembered import Remembered


class RequestHead(msgspec.Struct, frozen=True, gc=False):
    """What the headers say; None where they say nothing. Null and empty values say nothing.

    A struct, since one is made of each message: a named tuple takes four times longer.
    """

    id: str | None = None
    source: bytes = b""
    """UTF-8 text."""
    is_json: bool | None = None
    max_latency_ms: float | None = None
    min_accuracy: float | None = None
    traceparent: bytes | None = None
    tenant: bytes | None = None
    """As it was sent."""
    json_bytes: int | None = None
    """Length of the JSON before binary tensors."""
    answer: AnswerForm | None = None
    explanation: bool | None = None
    trace: Sequence[tuple[str, bytes]] = ()
    """What else comes back: trace context beside `traceparent`, a gateway's address."""


NO_HEADERS = RequestHead()
MAX_ID_CHARS = 4096
"""An answer holds it up to twice, escaped, and must be small enough for its topic."""
_SNIFFED = frozenset(
    {
        "text/plain", "text/json", "text/csv", "application/csv",
        "application/x-www-form-urlencoded",
        "application/x-json", "binary/octet-stream", "application/binary", "application/avro",
        "avro/binary", "application/vnd.apache.avro", "application/x-protobuf",
        "application/protobuf",
    }
)  # fmt: skip
"""Content types that libraries set without a look at the body, and those of framed bodies."""
_CBOR = frozenset({"application/cbor", "application/cloudevents+cbor"})
"""It is read as JSON is; what it holds is the same."""
_RARE = frozenset({HEADER_JSON_BYTES, HEADER_ANSWER, HEADER_EXPLANATION, *HEADERS_RETURNED})
"""Headers that few senders use."""
_MAX_TRACEPARENT_BYTES = 512
"""Those of today have 55."""


def read_head(headers: NamedHeaders) -> RequestHead:
    """Read the headers that have a meaning here; all others may hold anything.

    Args:
        headers: of a record, by their usual names.

    Raises:
        InvalidMessageError: a header that has a meaning holds a value that has none.
    """
    if not headers:
        return NO_HEADERS
    get = headers.get
    id_ = get(HEADER_ID)
    source = get(HEADER_SOURCE)
    latency = get(HEADER_MAX_LATENCY_MS)
    accuracy = get(HEADER_MIN_ACCURACY)
    content_type = get(HEADER_CONTENT_TYPE)
    head = RequestHead(
        check_id(_text(HEADER_ID, id_)) if id_ else None,
        (source if source.isascii() else _checked_text(HEADER_SOURCE, source)) if source else b"",
        _IS_JSON[content_type] if content_type else None,
        _MAX_LATENCIES_MS[latency] if latency else None,
        _MIN_ACCURACIES[accuracy] if accuracy else None,
        _traceparent(get(HEADER_TRACEPARENT)),
        get(HEADER_TENANT),
    )
    return head if _RARE.isdisjoint(headers) else replace(head, **_read_more(headers))


def _read_more(found: Mapping[str, bytes | None]) -> dict[str, Any]:
    """The fields of a head that come from such headers."""
    json_bytes, answer = found.get(HEADER_JSON_BYTES), found.get(HEADER_ANSWER)
    explained = found.get(HEADER_EXPLANATION)
    trace = [
        (name, value)
        for name in HEADERS_RETURNED
        if (value := found.get(name)) and len(value) <= _MAX_TRACEPARENT_BYTES
    ]
    return {
        "json_bytes": _json_bytes(json_bytes) if json_bytes else None,
        "answer": as_form(_text(HEADER_ANSWER, answer)) if answer else None,
        "explanation": _explanation(explained) if explained else None,
        "trace": trace,
    }


def as_form(text: object) -> AnswerForm:
    """The form of answers that a text names.

    Raises:
        InvalidMessageError: there is no such form.
    """
    try:
        return AnswerForm(_unquoted(str(text)).lower())
    except ValueError:
        raise InvalidMessageError(
            Reason.BAD_HEADER,
            f"no answers have the form {str(text)[:40]!r}; send one of {', '.join(AnswerForm)}",
        ) from None


def check_id(id_: str) -> str:
    """An id, if it can come back with an answer.

    Raises:
        InvalidMessageError: it is too long.
    """
    if len(id_) > MAX_ID_CHARS:
        raise InvalidMessageError(
            Reason.TOO_LARGE,
            f"id of {len(id_)} characters, {id_[:40]!r} and so on, is over {MAX_ID_CHARS}",
        )
    return id_


def check_max_latency_ms(value: float) -> float:
    """The value, if it can be a deadline.

    Raises:
        InvalidMessageError: not in (0, 1 hour].
    """
    if not 0 < value <= MAX_LATENCY_LIMIT_MS:
        raise InvalidMessageError(
            Reason.BAD_TARGET,
            f"max latency {value:.15g} ms is not in (0, {MAX_LATENCY_LIMIT_MS:.15g}]; "
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
            f"min accuracy {value:.15g} is not in [0, 1]; send a share such as 0.95, "
            "or leave it out for the policy's default",
        )
    return value


def _max_latency_ms(value: bytes) -> float:
    return check_max_latency_ms(_number(HEADER_MAX_LATENCY_MS, value))


def _min_accuracy(value: bytes) -> float:
    return check_min_accuracy(_number(HEADER_MIN_ACCURACY, value))


def _is_json(value: bytes) -> bool | None:
    """Whether the body is JSON, or CBOR, or raw; None where it has to be looked at."""
    content_type = _text(HEADER_CONTENT_TYPE, value)
    essence = _unquoted(content_type).split(";", 1)[0].strip().lower()
    if essence == CONTENT_TYPE_JSON or essence in _CBOR:
        return True
    if essence == CONTENT_TYPE_RAW:
        return False
    if essence in _SNIFFED or essence.endswith("+json"):
        return None
    raise InvalidMessageError(
        Reason.UNKNOWN_CONTENT_TYPE,
        f"content-type {content_type[:80]!r} is not known; send {CONTENT_TYPE_JSON}, text/csv, or "
        f"{CONTENT_TYPE_RAW} (raw little-endian tensor bytes), or leave it out",
    )


def _explanation(value: bytes) -> bool:
    text = _unquoted(_text(HEADER_EXPLANATION, value)).lower()
    if text not in ("true", "false"):
        what = f"header {HEADER_EXPLANATION} holds {text[:40]!r}; send true or false"
        raise InvalidMessageError(Reason.BAD_TARGET, what)
    return text == "true"


def _number(name: str, value: bytes) -> float:
    text = _unquoted(_text(name, value))
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise InvalidMessageError(
            Reason.BAD_TARGET, f"header {name} holds {text[:40]!r}, which is not a number"
        )
    return number


def _json_bytes(value: bytes) -> int | None:
    text = _unquoted(_text(HEADER_JSON_BYTES, value))
    return int(text) if text.isdecimal() and len(text) < 12 else None


def _unquoted(text: str) -> str:
    """Connectors write texts in headers as JSON, quotes included."""
    return text.strip().removeprefix('"').removesuffix('"').strip()


def _traceparent(value: bytes | None) -> bytes | None:
    return value if value and len(value) <= _MAX_TRACEPARENT_BYTES else None


def _checked_text(name: str, value: bytes) -> bytes:
    _text(name, value)
    return value


def _text(name: str, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise InvalidMessageError(
            Reason.BAD_HEADER, f"header {name} holds {value[:40]!r}, which is not UTF-8 text"
        ) from None


# Few distinct targets and content types come back in every message, so they are read once.
_MAX_LATENCIES_MS = Remembered(_max_latency_ms)
_MIN_ACCURACIES = Remembered(_min_accuracy)
_IS_JSON = Remembered(_is_json)
