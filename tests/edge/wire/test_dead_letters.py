"""Dead letters hold all of a record, or say what they leave out."""

import pytest
from ounce_edge.wire.dead_letters import write_letter
from ounce_schemas.dead_letter import HEADER_OMITTED, HEADER_REASON
from ounce_schemas.errors import InvalidMessageError, Reason

from tests.support.edge.ladders import FakeRecord

ERROR = InvalidMessageError(Reason.WRONG_LENGTH, "too short")


@pytest.mark.parametrize(
    ("value", "header", "key", "omitted"),
    [
        (10, 10, 10, None),
        (6000, 10, 10, "value"),
        (10, 6000, 10, "headers"),
        (6000, 6001, 10, "headers,value"),
        (10, 10, 6000, "key"),
        (7000, 6000, 6500, "value,key,headers"),
        (4000, 3000, 10, "value"),
    ],
)
def test_what_does_not_fit_is_left_out_and_named(
    value: int, header: int, key: int, omitted: str | None
) -> None:
    record = FakeRecord(b"v" * value, [("own", b"h" * header)], key_=b"k" * key)
    letter = write_letter(record, ERROR, 5500)
    headers = dict(letter.headers)
    left_out = set((omitted or "").split(","))
    assert letter.value == (None if "value" in left_out else b"v" * value)
    assert letter.key == (None if "key" in left_out else b"k" * key)
    assert headers.get("own") == (None if "headers" in left_out else b"h" * header)
    assert headers[HEADER_REASON] == b"wrong-length"
    assert headers.get(HEADER_OMITTED) == (omitted.encode() if omitted else None)
    size = sum(len(n) + len(v or b"") for n, v in letter.headers)
    assert len(letter.value or b"") + len(letter.key or b"") + size < 5500
