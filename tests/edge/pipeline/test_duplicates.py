"""Requests that were answered lately are noticed, whoever sent them, in bounded memory."""

import tracemalloc

from ounce_edge.pipeline.duplicates import RecentIds
from ounce_edge.wire.requests.identity import Identity, origin_of


def of(source: str, id_: str, key: bytes | None = b"k") -> Identity:
    return Identity(id_, origin_of(source.encode(), key))


def test_repeats_are_found_within_and_across_batches() -> None:
    recent = RecentIds()
    assert recent.repeats([of("a", "1"), None, of("a", "1"), of("b", "1"), None]) == {2}
    assert recent.repeats([of("b", "1"), of("b", "2")]) == {0}


def test_with_a_source_the_key_does_not_matter_and_without_one_it_does() -> None:
    recent = RecentIds()
    assert recent.repeats([of("a", "1", b"x"), of("a", "1", b"y")]) == {1}
    assert recent.repeats([of("", "1", b"x"), of("", "1", b"y"), of("", "1", None)]) == set()
    assert recent.repeats([of("", "1", b"y"), of("", "1", None), of("y", "1")]) == {0, 1}


def test_no_two_identities_are_taken_for_one() -> None:
    recent = RecentIds()
    pairs = [("a", "bc"), ("ab", "c"), ("a\0", "b"), ("a", "\0b"), ("1", "1"), ("11", "")]
    assert recent.repeats([of(source, id_) for source, id_ in pairs]) == set()
    assert recent.repeats([of("", "a", b"sa"), of("a", "a", b"")]) == set()
    long = "x" * 4000
    assert recent.repeats([of("a", long), of("b", long), of("a", long + "y")]) == set()
    assert recent.repeats([of("a", long), of("b", long)]) == {0, 1}


def test_memory_for_ids_is_bounded() -> None:
    recent = RecentIds(capacity=100)
    for i in range(10_000):
        assert recent.repeats([of("s", str(i))]) == set()
    assert len(recent._young) + len(recent._old) <= 200
    assert recent.repeats([of("s", "9950")]) == {0}
    assert recent.repeats([of("s", "1")]) == set()


def test_long_names_take_no_more_memory_than_short_ones() -> None:
    recent, n = RecentIds(), 2000
    tracemalloc.start()
    for i in range(n):
        recent.repeats([of(f"{i}" + "s" * 90_000, "i" * 4000)])
    held_bytes = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held_bytes < 400 * n
