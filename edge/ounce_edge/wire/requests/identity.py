"""Which request is which, where its sender named it."""

import msgspec


class Identity(msgspec.Struct, frozen=True, gc=False):
    """An id, and who gave it. A struct, as `RequestHead` is."""

    id: str
    origin: bytes
    """Within it an id stands for one request."""


def origin_of(source: bytes, key: bytes | None) -> bytes:
    """Who sent a request: its source (`ce_source`) where it names one, else the key of its record,
    which is the device id."""
    return b"s" + source if source else b"k" + (key or b"")
