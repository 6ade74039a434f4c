"""Which request is which, where its sender named it."""

from typing import NamedTuple


class Identity(NamedTuple):
    """An id, and who sent it: the source where the request names one, else its key."""

    id: str
    source: str
    """`ce_source`; empty where there is none."""
    key: bytes | None
    """The record's: the device id."""

    @property
    def origin(self) -> bytes:
        """Within it an id stands for one request."""
        return b"s" + self.source.encode() if self.source else b"k" + (self.key or b"")
