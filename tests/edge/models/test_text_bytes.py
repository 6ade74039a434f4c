"""Texts as bytes: cut, padded, in any script, and never an error."""

import numpy as np
from ounce_edge.models.runtimes.text_bytes import encode_texts


def encoded(*texts: str, n_bytes: int = 8) -> list[bytes]:
    array = encode_texts(np.array(texts, dtype=object)[:, None], n_bytes)
    assert array.shape == (len(texts), 1, n_bytes)
    assert array.dtype == np.uint8
    return [bytes(row) for row in array[:, 0]]


def test_texts_are_padded_and_cut_and_blanks_around_them_do_not_count() -> None:
    assert encoded("", " hi\n", "0123456789") == [bytes(8), b"hi" + bytes(6), b"01234567"]


def test_a_character_may_be_cut_in_its_middle() -> None:
    assert encoded("ab\u20ac\u20ac", n_bytes=6) == [b"ab\xe2\x82\xac\xe2"]


def test_half_a_surrogate_pair_is_a_question_mark() -> None:
    assert encoded("a\ud800b") == [b"a?b" + bytes(5)]


def test_ten_megabytes_are_cut_before_they_are_encoded() -> None:
    assert encoded("x" * 10_000_000) == [b"x" * 8]
