"""Names that are remembered: whatever is sent, each takes little memory."""

from collections.abc import Sequence
from hashlib import blake2b

MOST_BYTES = 64
"""Longer names are replaced by a digest, which is one byte longer than any name that is kept."""


def bounded_name(name: bytes) -> bytes:
    """The name itself where it is short, else a digest of it; at most `MOST_BYTES` + 1 bytes.

    Two different names stay different: BLAKE2b (RFC 7693) with 512 bits has no known collisions.
    """
    if len(name) <= MOST_BYTES:
        return name
    return b"#" + blake2b(name, digest_size=MOST_BYTES).digest()


def bounded_names(names: Sequence[bytes]) -> Sequence[bytes]:
    """All of them bounded; as they are where none is long, as nearly always."""
    if max(map(len, names), default=0) <= MOST_BYTES:
        return names
    return list(map(bounded_name, names))
