"""W3C trace context: which trace a message is part of, and whether its sender keeps that trace.

Source: https://www.w3.org/TR/trace-context/
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from ounce_schemas.request import HEADER_TRACEPARENT

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED = 1
_MOST_STATE_CHARS = 512
"""What a receiver of `tracestate` has to take at least; more is dropped."""


class TraceContext(NamedTuple):
    """What a sender says of its trace."""

    trace_id: int
    span_id: int
    is_sampled: bool
    state: str = ""


def parse_traceparent(value: bytes, state: bytes = b"") -> TraceContext | None:
    """A header's context; None where it is not one. Never raises.

    Args:
        value: of `traceparent`.
        state: of `tracestate`.
    """
    try:
        found = _TRACEPARENT.fullmatch(value.decode("ascii").strip())
    except UnicodeDecodeError:
        return None
    if found is None:
        return None
    version, trace_id, span_id, flags, rest = found.groups()
    if version == "ff" or (version == "00" and rest) or not int(trace_id, 16):
        return None
    if not int(span_id, 16):
        return None
    is_sampled = bool(int(flags, 16) & _SAMPLED)
    text = state.decode("ascii", errors="ignore")
    return TraceContext(
        int(trace_id, 16),
        int(span_id, 16),
        is_sampled,
        text if len(text) <= _MOST_STATE_CHARS else "",
    )


def context_of(
    traceparent: bytes | None, others: Sequence[tuple[str, bytes | None]] | None
) -> TraceContext | None:
    """The context of a message, by its headers.

    Args:
        traceparent: the header of that name, where it was read already.
        others: further headers; those of CloudEvents' extension count where `traceparent` is none.
    """
    given = dict(others or ())
    for prefix, value in (("", traceparent or given.get(HEADER_TRACEPARENT)), ("ce_", None)):
        value = value or given.get(f"{prefix}{HEADER_TRACEPARENT}")
        if value is not None:
            found = parse_traceparent(value, given.get(f"{prefix}tracestate") or b"")
            if found is not None:
                return found
    return None
