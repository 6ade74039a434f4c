"""Dead letters without a broker: reading, mending, showing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ounce_schemas.dead_letter import DEAD_LETTER_HEADERS
from ounce_services.dead_letters.detail import detail
from ounce_services.dead_letters.display import body_lines, hex_dump, one_line, plain, quoted, utc
from ounce_services.dead_letters.index import Count, Index
from ounce_services.dead_letters.letter import (
    DeadLetter,
    Headers,
    Mark,
    Position,
    make_mark,
    read,
    read_id,
)
from ounce_services.dead_letters.listing import Entry, Newest, entries_table, summary
from ounce_services.dead_letters.mending import Fix, make_request, mend_headers

from tests.services.toy_letters import DEAD_LETTERS, REQUESTS, WHY, letter, record

any_headers = st.lists(
    st.tuples(
        st.sampled_from([*DEAD_LETTER_HEADERS, "ce_id", "content-type", "ounce-replayed-from", ""]),
        st.none() | st.binary(max_size=12) | st.sampled_from([b"7", b"application/json"]),
    )
).map(tuple)
any_value = st.none() | st.binary(max_size=40) | st.just(b'{"id": "a"}')


@given(any_headers, any_value)
def test_a_records_own_headers_come_back_whatever_they_are(own: Headers, value: bytes) -> None:
    found = letter(own, value)
    assert (found.reason, found.headers, found.origin.id) == (
        "wrong-length",
        own,
        f"{REQUESTS}-1-5",
    )


@given(any_headers, any_value, st.none() | st.binary(max_size=12))
def test_no_record_fails(headers: Headers, value: bytes | None, key: bytes | None) -> None:
    any_record = record(value, headers, key=key)
    found = read(any_record)
    lines = [*detail(any_record, None)]
    if isinstance(found, DeadLetter):
        request = make_request(found, REQUESTS, 4)
        assert (request.key, request.value) == (key, value)
    if not isinstance(found, Mark):
        headings, line = entries_table([Entry.of(any_record, found)], 80).split("\n")
        lines += [headings, line]
        index = Index()
        index.add(found)
        lines.append(summary(index.counts(), index.foreign))
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize(
    "headers",
    [(), WHY[:3], (*WHY, ("x", b"")), (("ounce-dead-letter-reason", b"\xff"), *WHY[1:]),
     (*WHY[:4], ("ounce-dead-letter-offset", b"-5"))],
)  # fmt: skip
def test_without_all_that_a_worker_says_a_record_is_foreign(headers: Headers) -> None:
    assert read(record(headers=headers)) is None


def test_a_mark_is_of_a_letter_before_it_in_its_partition() -> None:
    headers = make_mark(letter())
    mark = record(None, headers, at=Position(0, 9))
    assert read(mark) == Mark(Position(0, 3), 2000)
    assert read(record(b"x", headers, at=Position(0, 9))) is None
    assert read(record(None, headers, at=Position(0, 3))) is None
    assert read(record(None, (*headers, ("a", b"")), at=Position(0, 9))) is None
    assert "a mark, not a dead letter: 0:3 was replayed" in [*detail(mark, None)]


@pytest.mark.parametrize(
    ("headers", "value", "id_"),
    [
        ((("ce_id", b"a"),), b'{"id": "b"}', "a"),
        ((("ce_id", b"a"), ("ce_id", b"c")), None, "c"),
        ((("ce_id", b""),), b'{"id": "b", "inputs": []}', "b"),
        ((("ce_id", None),), b"raw", None),
        ((("ce_id", b"\xff"),), b'{"id": "b"}', None),
        ((("content-type", b"application/octet-stream"),), b'{"id": "b"}', None),
        ((("content-type", b"Application/JSON; charset=utf-8"),), b' {"id": "b"}', "b"),
        ((), b'{"id": 7}', None),
        ((), b'{"id": "', None),
        ((), b"[" * 100_000, None),
        ((), None, None),
    ],
)
def test_the_id_that_a_record_brings(
    headers: Headers, value: bytes | None, id_: str | None
) -> None:
    assert read_id(headers, value) == id_


FROM = ("ounce-replayed-from", f"{DEAD_LETTERS}-0-3".encode())
POSITION_ID = ("ce_id", f"{REQUESTS}-1-5".encode())
A = ("ce_id", b"a")


@pytest.mark.parametrize(
    ("own", "value", "fix", "sent"),
    [
        ((), b"raw", Fix(), (POSITION_ID, FROM)),
        ((A,), b"raw", Fix(), (A, FROM)),
        ((("ce_id", b""),), b"raw", Fix(), (("ce_id", b""), POSITION_ID, FROM)),
        ((("ce_id", b"\xff"),), b"raw", Fix(), (("ce_id", b"\xff"), FROM)),
        ((("ce_id", b"\xff"),), b"", Fix(drop_headers=frozenset({"ce_id"})), (POSITION_ID, FROM)),
        ((A,), b"raw", Fix(drop_headers=frozenset({"ce_id"})), (A, FROM)),
        ((A,), b"raw", Fix(set_headers=(("ce_id", "b"),)), (("ce_id", b"b"), FROM)),
        ((), b'{"id": "a"}', Fix(), (FROM,)),
        ((), b'{"id": "a"}', Fix(b"raw"), (A, FROM)),
        ((), b'{"id": "a"}', Fix(b'{"id": "b"}'), (A, FROM)),
        ((), b'{"id": "a', Fix(b'{"id": "a"}'), (FROM,)),
        ((A, FROM), b"raw", Fix(), (A, FROM, FROM)),
    ],
)
def test_the_id_stays_and_the_way_is_told(
    own: Headers, value: bytes, fix: Fix, sent: Headers
) -> None:
    assert make_request(letter(own, value), REQUESTS, 4, fix).headers == sent


def test_the_partition_stays_where_the_topic_has_it() -> None:
    assert make_request(letter(), REQUESTS, 2).partition == 1
    assert make_request(letter(), REQUESTS, 1).partition is None
    assert make_request(letter(), "ounce.other.requests", 2).partition is None


def test_a_label_goes_back_as_it_was() -> None:
    """To the topic of labels; it gets no id, which it would be held against."""
    why = (("ounce-dead-letter-reason", b"bad-label"), *WHY[1:])
    found = read(record(b"{}", why))
    assert isinstance(found, DeadLetter)
    sent = make_request(found, "ounce.digits.labels", 2, Fix(b'{"id": "1"}'))
    assert (sent.topic, sent.value) == ("ounce.digits.labels", b'{"id": "1"}')
    assert [name for name, _ in sent.headers] == ["ounce-replayed-from"]


def test_an_empty_body_is_a_body() -> None:
    assert make_request(letter(), REQUESTS, 1, Fix(b"")).value == b""
    assert make_request(letter(value=None), REQUESTS, 1).value is None


def test_headers_are_set_in_place_and_dropped_by_name() -> None:
    headers: Headers = (("a", b"1"), ("b", None), ("a", b"2"), ("c", b"\xff"))
    fix = Fix(None, (("a", "é"), ("d", "")), frozenset({"b", "x"}))
    assert mend_headers(headers, fix) == (("a", "é".encode()), ("c", b"\xff"), ("d", b""))


def test_attempts_are_counted() -> None:
    assert (letter().attempts, letter((FROM, FROM)).attempts) == (1, 3)
    assert letter((FROM,)).replayed_from == (f"{DEAD_LETTERS}-0-3",)


def test_the_index_counts_and_finds_what_was_not_replayed() -> None:
    index = Index()
    for offset in (3, 4, 7):
        found = read(record(at=Position(2, offset)))
        index.add(found)
    index.add(Mark(Position(2, 4), 5000))
    index.add(Mark(Position(2, 99), 5000))  # of one that expired
    index.add(None)
    assert index.counts() == {"wrong-length": Count(3, 1)}
    assert index.foreign == 1
    assert index.offsets(replayed=False) == {2: {3, 7}}
    assert index.offsets(replayed=True) == {2: {3, 4, 7}}
    assert index.replayed_at_ms(Position(2, 4)) == 5000
    assert summary(index.counts(), index.foreign) == (
        "3 dead letters: 3 wrong-length (1 replayed); 1 foreign"
    )


def test_the_newest_are_kept_oldest_first() -> None:
    newest = Newest(2)
    for offset, timestamp_ms in enumerate((5, 9, 7, 1)):
        one = record(at=Position(0, offset), timestamp_ms=timestamp_ms)
        newest.add(one.position, Entry.of(one, None))
    index = Index()
    index.add(Mark(Position(0, 1), 0))
    kept = list(newest.entries(index))
    assert [e.position for e in kept] == ["0:2", "0:1"]
    assert [e.replayed_at for e in kept] == [None, "1970-01-01T00:00:00.000Z"]
    assert newest.seen == 4


def test_the_table_fits_the_terminal() -> None:
    one = record(None, key=b"\xff" * 40)
    lines = entries_table([Entry.of(one, read(one))], 120).splitlines()
    assert all(len(line) <= 120 for line in lines)
    assert "0xffff" in lines[1]
    assert "null  too\\x1b short" in lines[1]


def test_bytes_as_text() -> None:
    assert [plain(b) for b in (None, b"", b"a b", b"\xff", b"a\n")] == [
        "-", "", "a b", "0xff", "0x610a",
    ]  # fmt: skip
    assert [quoted(b) for b in (None, b"", b'"', b"\x00")] == ["null", '""', '"\\""', "hex 00"]
    assert one_line("a\nb\x1b\u2028é") == "a\\nb\\x1b\\u2028é"
    assert [utc(-1), utc(0)] == ["-", "1970-01-01T00:00:00.000Z"]
    assert utc(10**18) == "1000000000000000000 ms"


def test_bodies() -> None:
    assert list(body_lines(None)) == ["null"]
    assert list(body_lines(b'{"a":1e999,"a":"\\u001b"}')) == [
        "{", '  "a": 1e999,', '  "a": "\\u001b"', "}",
    ]  # fmt: skip
    assert next(body_lines(b'{"a": "\xff"}')).startswith("00000000  7b 22")
    assert next(body_lines(b"1234")).endswith("|1234|")
    long = list(body_lines(bytes(5000)))
    assert long[-1] == "... 904 bytes more; --raw writes all"
    assert list(hex_dump(bytes(range(60, 78)))) == [
        "00000000  3c 3d 3e 3f 40 41 42 43  44 45 46 47 48 49 4a 4b  |<=>?@ABCDEFGHIJK|",
        f"00000010  4c 4d{' ' * 45}|LM|",
    ]
