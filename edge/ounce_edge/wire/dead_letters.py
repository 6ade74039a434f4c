"""From a record that can't be served to the dead letter that keeps it."""

from collections.abc import Sequence
from typing import NamedTuple

from ounce_schemas.dead_letter import (
    HEADER_OFFSET,
    HEADER_OMITTED,
    HEADER_PARTITION,
    HEADER_REASON,
    HEADER_TEXT,
    HEADER_TIMESTAMP,
    HEADER_TOPIC,
)
from ounce_schemas.errors import InvalidMessageError

from ounce_edge.wire.records import Headers, Record

MAX_MESSAGE_BYTES = 1_000_000
"""What clients and brokers agree on by default, roughly."""
_RESERVE_BYTES = 1000
"""For what a client counts on top of key, value and headers."""


class Letter(NamedTuple):
    """What to publish."""

    key: bytes | None
    value: bytes | None
    headers: Headers


def write_letter(
    record: Record, error: InvalidMessageError, max_bytes: int = MAX_MESSAGE_BYTES
) -> Letter:
    """The record as it came, with why it could not be served and where it was.

    Args:
        record: as read.
        error: why.
        max_bytes: of the whole letter, before compression. A letter is larger than its record.
            Where it is too large, the largest of value, headers and key is left out, and named.
            Where that is not enough, the next one is.
    """
    kind, timestamp_ms = record.timestamp()
    why = {
        HEADER_REASON: str(error.reason),
        HEADER_TEXT: error.text,
        HEADER_TOPIC: str(record.topic()),
        HEADER_PARTITION: str(record.partition()),
        HEADER_OFFSET: str(record.offset()),
        HEADER_TIMESTAMP: str(timestamp_ms if kind else -1),
    }
    added = [(name, text.encode()) for name, text in why.items()]
    key, value, own = record.key(), record.value(), list(record.headers() or ())
    sizes = {"value": len(value or b""), "headers": _size(own), "key": len(key or b"")}
    left = max(max_bytes - _RESERVE_BYTES - _size(added), 0)
    omitted = []
    while sum(sizes.values()) > left:
        largest = max(sizes, key=lambda name: sizes[name])
        omitted.append(largest)
        sizes[largest] = 0
    if omitted:
        added.append((HEADER_OMITTED, ",".join(omitted).encode()))
    return Letter(
        None if "key" in omitted else key,
        None if "value" in omitted else value,
        [*(() if "headers" in omitted else own), *added],
    )


def _size(headers: Sequence[tuple[str, bytes | None]]) -> int:
    return sum(len(name.encode()) + len(value or b"") + 10 for name, value in headers)
