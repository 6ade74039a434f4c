"""From a call of HTTP to a record of Kafka. Pure.

CloudEvents' HTTP binding names attributes `ce-NAME`, and its Kafka binding `ce_NAME`:
https://github.com/cloudevents/spec/blob/main/cloudevents/bindings/http-protocol-binding.md
"""

from collections.abc import Iterable, Mapping
from urllib.parse import unquote_to_bytes

import msgspec
from ounce_schemas.errors import InvalidMessageError
from ounce_schemas.json_errors import NO_JSON
from ounce_schemas.request import (
    HEADER_ANSWER,
    HEADER_CONTENT_TYPE,
    HEADER_JSON_BYTES,
    HEADER_MAX_LATENCY_MS,
    HEADER_REPLY,
    HEADER_SOURCE,
    HEADER_TRACEPARENT,
)
from ounce_schemas.topics import requests_topic

from ounce_edge.front.statuses import NotAnsweredError
from ounce_edge.gateway.arrivals import MOST_HEADER_BYTES, KafkaRecord
from ounce_edge.wire.formats.json_text import plain_text
from ounce_edge.wire.header_names import by_usual_names
from ounce_edge.wire.requests.request_head import check_max_latency_ms, read_head

HEADER_DEVICE = "ounce-device"
"""Who asks: it becomes the key of the record."""
_MARK, _KAFKA_MARK = "ce-", "ce_"
_PASSED_ON = frozenset(
    {HEADER_CONTENT_TYPE, HEADER_TRACEPARENT, "tracestate", HEADER_ANSWER, HEADER_JSON_BYTES}
)
_IN_BODIES = (b"max_latency_ms", b"maxlatencyms")


class _Targets(msgspec.Struct):
    max_latency_ms: float | None = None


class _Body(msgspec.Struct):
    maxlatencyms: float | str | None = None
    """Of an event in structured mode."""
    max_latency_ms: float | None = None
    parameters: _Targets | None = None


_decode = msgspec.json.Decoder(_Body).decode


def make_record(
    task: str,
    body: bytes,
    headers: Iterable[tuple[str, str]],
    caller: str,
    reply: bytes,
    now_ms: int,
) -> KafkaRecord:
    """The request of a call.

    Args:
        task: that is asked.
        body: as it was sent, without its content encoding.
        headers: of HTTP; those that have no meaning for a request stay behind, as credentials do.
        caller: address of who calls: the sender, where no header names one.
        reply: where the answer goes.
        now_ms: since 1970.

    Raises:
        NotAnsweredError: the headers are too long.
    """
    found = {name.lower(): value for name, value in headers}
    passed: list[tuple[str, bytes | None]] = []
    for name, value in found.items():
        if name.startswith(_MARK):
            value_bytes = unquote_to_bytes(_as_bytes(value))
            passed.append((_KAFKA_MARK + name.removeprefix(_MARK), value_bytes))
        elif name in _PASSED_ON:
            passed.append((name, _as_bytes(value)))
    passed = [(name, value) for name, value in passed if name != HEADER_REPLY]
    device = _as_bytes(found.get(HEADER_DEVICE, ""))
    if not device and HEADER_SOURCE not in dict(passed):
        passed.append((HEADER_SOURCE, f"http://{caller}".encode()))
    size_bytes = sum(len(name) + len(value or b"") for name, value in passed) + len(device)
    if size_bytes > MOST_HEADER_BYTES:
        raise NotAnsweredError(
            431, f"headers of the request take {size_bytes} bytes, over {MOST_HEADER_BYTES}"
        )
    passed.append((HEADER_REPLY, reply))
    return KafkaRecord(requests_topic(task), device, body, passed, now_ms)


def deadline_ms(record: KafkaRecord) -> float:
    """The deadline that a request names; 0 where it names none that can be read: a worker says
    what is wrong with it."""
    body = record.value or b""
    try:
        header = by_usual_names(record.headers).get(HEADER_MAX_LATENCY_MS) or b""
        is_in_body = not header and any(name in body for name in _IN_BODIES)
        read = _decode(plain_text(body)) if is_in_body else _Body()
        if header := header or str(read.maxlatencyms or "").encode():
            return read_head({HEADER_MAX_LATENCY_MS: header}).max_latency_ms or 0.0
        inner = read.parameters and read.parameters.max_latency_ms
        return check_max_latency_ms(read.max_latency_ms or inner or 0.0)
    except (*NO_JSON, InvalidMessageError):
        return 0.0


def wants_no_answer(headers: Mapping[str, str]) -> bool:
    """Whether a caller asks not to wait, by `Prefer: respond-async` (RFC 7240).

    Args:
        headers: by name in lower case, or in any case where the mapping does not mind.
    """
    wishes = headers.get("prefer", "").split(",")
    return any(wish.split(";")[0].strip().lower() == "respond-async" for wish in wishes)


def _as_bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
