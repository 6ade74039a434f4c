"""Which request is which, where its sender named it."""

from typing import NamedTuple


class Identity(NamedTuple):
    """An id, and who gave it."""

    id: str
    origin: bytes
    """Within it an id stands for one request."""


def origin_of(source: bytes, key: bytes | None) -> bytes:
    """Who sent a request: its source (`ce_source`) where it names one, else the key of its record,
    which is the device id."""
    return b"s" + source if source else b"k" + (key or b"")
