"""CBOR bodies: read with the extra `cbor`; without it, or where they are bad, they are named."""

import sys

import cbor2
import numpy as np
import pytest
from ounce_edge.wire.formats.cbor import is_cbor, read_cbor
from ounce_schemas.errors import InvalidMessageError

from tests.edge.wire.test_device_bodies import BODIES, CLIMATE, ROW, read, why_not

SMALL = b"\xa2\x6btemperature\xf9\x4d\xe0\x68humidity\x18\x28"
"""As a sensor's encoder writes it, with a number of 16 bits."""


@pytest.mark.parametrize("content_type", [None, b"application/cbor"])
@pytest.mark.parametrize("body", [SMALL, b"\xd9\xd9\xf7" + SMALL, cbor2.dumps(BODIES["Tasmota"])])
def test_it_is_read_as_json_is(body: bytes, content_type: bytes | None) -> None:
    batch, rejected = read(body, CLIMATE, content_type)
    assert rejected == []
    np.testing.assert_allclose(batch.inputs["input"], [[23.5, 40]])


def test_where_it_is_as_long_as_a_raw_tensor_the_content_type_says_what_it_is() -> None:
    body = cbor2.dumps({"a": 1, "b": 2, "c": 3})[:8]
    assert is_cbor(body)
    assert "premature end" in why_not(body, content_type=b"application/cbor")
    batch, rejected = read(body, CLIMATE)
    assert (len(batch), rejected) == (1, [])


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (SMALL[:-1], "premature end"),
        (SMALL[:5], "premature end"),
        (b"\xa2\x61a\x01\x61a\x02", "uplicate"),
        (b"\xa1\x61a" * 10_000, "nest"),
        (b"\xa1\x61a\x9b\x00\xff\xff\xff\xff\xff\xff\xff", "premature end"),
        (b"\xa1\x61a\xd8\x1c\x81\xd8\x1d\x00", "a tag"),
        (b"\xa1\x61a\xc5\x82\x1a\x00\xff\xff\xff\x01", "a tag"),
        (b"\xa1\x61a\xc1\x00", "a tag, which JSON can't hold"),
        (b"\xa1\x62id\xc2\x59\x10\x00" + b"\xff" * 4096, "too many digits"),
        (b"\xa1\x61a\x41\x00", "a bytes, which JSON can't"),
        (b"\xa1\x01\x02", "key"),
        (cbor2.dumps({"foo": 1}), "none of ['foo'] is a column"),
    ],
)
def test_what_is_bad_is_refused_by_its_cause(body: bytes, text: str) -> None:
    found = why_not(body)
    assert text in found
    assert "For example" in found


def test_parts_that_refer_to_each_other_are_not_multiplied() -> None:
    """A list whose 20 parts are the same list of 20, and so on: 64 million parts in 400 bytes."""
    body = b"\xd8\x1c\x94" * 6 + b"\xd8\x1c\x80"
    for shared in range(6, 0, -1):
        body += (b"\xd8\x1d" + cbor2.dumps(shared)) * 19
    assert "a tag" in why_not(b"\xa1\x61a" + body)


def test_of_all_tags_only_long_numbers_and_the_mark_are_read() -> None:
    taken = []
    for tag in [*range(1500), 43_000]:
        value = b"\x01" if tag in (2, 3) else "x"
        try:
            read_cbor(cbor2.dumps({"a": cbor2.CBORTag(tag, value)}))
        except InvalidMessageError:
            continue
        taken.append(tag)
    assert taken == [2, 3]


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cbor2", None)
    assert "install the worker with the extra `cbor`" in why_not(SMALL)


def test_a_document_of_it_is_what_json_would_hold() -> None:
    document = {"rows": [{**ROW, "ok": True, "no": None, "t": "é"}]}
    assert read_cbor(cbor2.dumps(document)) == document
