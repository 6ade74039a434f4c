"""What is kept of headers that come back."""

import pytest
from ounce_edge.wire.header_names import _USUAL_NAMES, by_usual_names
from ounce_edge.wire.remembered import Remembered


def test_a_value_is_made_once() -> None:
    made: list[str] = []

    def length(key: str) -> int:
        made.append(key)
        return len(key)

    lengths = Remembered(length)

    assert [lengths["ab"], lengths["ab"], lengths["abc"]] == [2, 2, 3]
    assert made == ["ab", "abc"]


def test_no_more_than_so_many_are_kept() -> None:
    kept = Remembered(len, most=10)

    assert [kept[str(i)] for i in range(25)] == [len(str(i)) for i in range(25)]

    assert len(kept) <= 10


def test_a_long_key_is_not_kept() -> None:
    kept = Remembered(len)

    assert kept[b"5" + b" " * 1_000_000] == 1_000_001

    assert not kept


def test_an_error_is_not_kept() -> None:
    kept = Remembered(float)

    with pytest.raises(ValueError, match="could not convert"):
        kept["none"]

    assert not kept


def test_a_header_with_a_name_of_a_megabyte_is_read_and_forgotten() -> None:
    name = "x" * 1_000_000

    assert by_usual_names([("CE_ID", b"7"), (name, b"")])["ce_id"] == b"7"

    assert name not in _USUAL_NAMES
