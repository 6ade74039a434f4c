"""From a record that came back to the answer of a call. Pure."""

from typing import NamedTuple
from urllib.parse import quote_from_bytes

from ounce_schemas.dead_letter import HEADER_REASON, HEADER_TEXT
from ounce_schemas.request import (
    CONTENT_TYPE_JSON,
    CONTENT_TYPE_RAW,
    HEADER_CONTENT_TYPE,
    HEADER_REPLY,
    HEADER_TRACEPARENT,
)

from ounce_edge.front.statuses import of_letter
from ounce_edge.wire.records import Headers

_KAFKA_MARK, _MARK = "ce_", "ce-"
_PASSED_ON = frozenset({HEADER_CONTENT_TYPE, HEADER_TRACEPARENT, "tracestate"})
_OF_EVENTS = " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
_UNQUOTED = "".join(c for c in _OF_EVENTS if c not in ' "%')
"""Printable marks that CloudEvents' HTTP binding leaves as they are."""


class Reply(NamedTuple):
    """The answer of a call that was served."""

    body: bytes
    headers: dict[str, str]


def read_reply(body: bytes | None, headers: Headers) -> Reply:
    """The answer of a worker.

    Args:
        body: of the record.
        headers: of the record.

    Raises:
        NotAnsweredError: it is a dead letter.
    """
    found = {name: value or b"" for name, value in headers}
    if HEADER_REASON in found:
        reason, text = (found.get(name, b"") for name in (HEADER_REASON, HEADER_TEXT))
        raise of_letter(reason.decode(errors="replace"), text.decode(errors="replace"))
    told = {
        name.replace(_KAFKA_MARK, _MARK, 1): _as_text(name, value)
        for name, value in found.items()
        if value and name != HEADER_REPLY and (name in _PASSED_ON or name.startswith(_KAFKA_MARK))
    }
    return Reply(body or b"", {HEADER_CONTENT_TYPE: _looks_like(body or b""), **told})


def _as_text(name: str, value: bytes) -> str:
    """A value without what no header of HTTP may hold."""
    if name.startswith(_KAFKA_MARK):
        return quote_from_bytes(value, safe=_UNQUOTED)
    return value.decode("ascii", errors="replace").translate(_NO_CONTROLS)


_NO_CONTROLS = dict.fromkeys([*range(32), 127, 0xFFFD])


def _looks_like(body: bytes) -> str:
    """A bare answer names no content type: its form is JSON, or raw numbers."""
    is_json = body[:2] in (b'{"', b"[{") and body[-1:] in (b"}", b"]")
    return CONTENT_TYPE_JSON if is_json else CONTENT_TYPE_RAW
