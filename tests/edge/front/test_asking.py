"""From calls to records."""

from typing import Any

import pytest
from ounce_edge.front.asking import deadline_ms, make_record, wants_no_answer
from ounce_edge.front.statuses import NotAnsweredError
from ounce_edge.gateway.arrivals import KafkaRecord
from ounce_edge.wire.header_names import by_usual_names
from ounce_edge.wire.requests.request_head import read_head
from ounce_schemas.request import HEADER_REPLY


def record(*headers: tuple[str, str], body: bytes = b"x") -> KafkaRecord:
    return make_record("digits", body, headers, "10.0.0.5", b"r", 1_700_000_000_123)


def test_a_body_goes_byte_for_byte_with_the_time_of_its_arrival() -> None:
    made = record(body=b"\xff\x00")
    assert (made.topic, made.value) == ("ounce.digits.requests", b"\xff\x00")
    assert made.timestamp_ms == 1_700_000_000_123
    assert dict(made.headers)[HEADER_REPLY] == b"r"


def test_a_worker_reads_the_headers_of_an_event() -> None:
    made = record(
        ("CE-Id", "a%20%C3%A9"),
        ("ce-maxlatencyms", "50"),
        ("ce-minaccuracy", "0.9"),
        ("Content-Type", "text/csv"),
        ("Ounce-Answer", "flat"),
        ("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    )
    head = read_head(by_usual_names(made.headers))
    assert (head.id, head.max_latency_ms, head.min_accuracy) == ("a é", 50.0, 0.9)
    assert (head.is_json, head.answer) == (None, "flat")
    assert (head.traceparent or b"").startswith(b"00-4bf9")


def test_what_has_no_meaning_for_a_request_stays_behind() -> None:
    secret = [("Authorization", "Bearer x"), ("Cookie", "x"), ("Host", "h"), ("X-Any", "x")]
    assert {name for name, _ in record(*secret).headers} == {"ce_source", HEADER_REPLY}


def test_a_device_is_the_key_and_who_names_none_is_known_by_its_address() -> None:
    named = record(("ounce-device", "room-7"))
    assert (named.key, "ce_source" in dict(named.headers)) == (b"room-7", False)
    unnamed = record()
    assert (unnamed.key, dict(unnamed.headers)["ce_source"]) == (b"", b"http://10.0.0.5")
    event = record(("ce-source", "/rooms"))
    assert (event.key, dict(event.headers)["ce_source"]) == (b"", b"/rooms")


def test_a_caller_can_not_say_who_hears_its_answer() -> None:
    forged = ("ce-ouncereply", "http:others:1")
    assert dict(record(forged).headers)[HEADER_REPLY] == b"r"


def test_bytes_that_are_no_text_are_no_fault_of_ours() -> None:
    odd = b"\xff\xe9".decode(errors="surrogateescape")
    made = dict(record(("ce-id", odd), ("ounce-device", odd)).headers)
    assert made["ce_id"] == b"\xff\xe9"


def test_headers_that_are_too_long_are_refused() -> None:
    with pytest.raises(NotAnsweredError, match="over 16384") as caught:
        record(("ce-id", "a" * 20_000))
    assert caught.value.status == 431


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ((), b"1,2,3", 0.0),
        ((("ce-maxlatencyms", "50"),), b'{"max_latency_ms": 7}', 50.0),
        ((("ce-maxlatencyms", "soon"),), b"", 0.0),
        ((("ce-maxlatencyms", "1e12"),), b"", 0.0),
        ((), b'{"max_latency_ms": 7, "x": [1, {"y": "z"}]}', 7.0),
        ((), b'{"parameters": {"max_latency_ms": 8}, "inputs": []}', 8.0),
        ((), b'{"parameters": {"max_latency_ms": "8"}}', 0.0),
        ((), b'{"specversion": "1.0", "maxlatencyms": 9, "data": [1]}', 9.0),
        ((), b'{"specversion": "1.0", "maxlatencyms": "9", "data": [1]}', 9.0),
        ((), b'{"specversion": "1.0", "maxlatencyms": "soon"}', 0.0),
        ((("ce-maxlatencyms", "50"),), b'{"maxlatencyms": 9}', 50.0),
        ((), b'{"max_latency_ms": -1}', 0.0),
        ((), b'{"max_latency_ms": 1e12}', 0.0),
        ((), b'{"max_latency_ms"', 0.0),
        ((), b"[" * 100_000 + b'"max_latency_ms"', 0.0),
        ((), b'{"x": ' + b"[" * 100_000 + b'"max_latency_ms"', 0.0),
        ((), b'"max_latency_ms"\xff', 0.0),
    ],
)
def test_a_deadline_is_found_where_a_worker_finds_it(
    headers: Any, body: bytes, expected: float
) -> None:
    assert deadline_ms(record(*headers, body=body)) == expected


@pytest.mark.parametrize(
    ("prefer", "expected"),
    [
        (None, False),
        ("respond-async", True),
        ("wait=5, Respond-Async; x=1", True),
        ("respond-asynchronously", False),
    ],
)
def test_who_prefers_not_to_wait_is_understood(prefer: str | None, expected: bool) -> None:
    assert wants_no_answer({} if prefer is None else {"prefer": prefer}) is expected
