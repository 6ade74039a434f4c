"""Bodies that come packed, in pieces of any length."""

import gzip
import zlib

import pytest
from ounce_edge.front.statuses import NotAnsweredError
from ounce_edge.front.unpacking import Unpacker

BODY = bytes(range(256)) * 20
MOST = 10_000
RAW = zlib.compressobj(wbits=-zlib.MAX_WBITS)
PACKED = [
    ("", BODY),
    ("identity", BODY),
    (" GZIP ", gzip.compress(BODY)),
    ("gzip", gzip.compress(BODY[:1000]) + gzip.compress(BODY[1000:])),
    ("deflate", zlib.compress(BODY)),
    ("deflate", RAW.compress(BODY) + RAW.flush()),
]


def unpack(encoding: str, packed: bytes, step: int) -> bytes:
    unpacker = Unpacker(encoding)
    pieces = [unpacker.feed(packed[i : i + step], MOST) for i in range(0, len(packed), step)]
    unpacker.finish()
    return b"".join(pieces)


@pytest.mark.parametrize(("encoding", "packed"), PACKED)
@pytest.mark.parametrize("step", [1, 7, MOST])
def test_a_body_is_unpacked(encoding: str, packed: bytes, step: int) -> None:
    assert unpack(encoding, packed, step) == BODY
    assert unpack(encoding, b"", step) == b""


@pytest.mark.parametrize(("encoding", "packed"), PACKED[2:])
def test_what_is_cut_off_or_is_something_else_is_refused(encoding: str, packed: bytes) -> None:
    for broken, why in ((packed[:-1], "cut off"), (packed + b"zz", "the body is no")):
        with pytest.raises(NotAnsweredError, match=why) as told:
            unpack(encoding, broken, MOST)
        assert told.value.status == 400


def test_no_more_is_unpacked_than_is_wanted() -> None:
    bomb = gzip.compress(bytes(1_000_000))
    assert Unpacker("gzip").feed(bomb, 10) == bytes(10)
    assert Unpacker("gzip").feed(gzip.compress(b"12345678") * 9, 10) == b"1234567812"
