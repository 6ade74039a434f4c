"""From records that come back to the answers of calls."""

import pytest
from ounce_edge.front.replying import read_reply
from ounce_edge.front.statuses import NotAnsweredError
from ounce_schemas.request import HEADER_REPLY

REPLY = (HEADER_REPLY, b"http:x:1")


def test_a_bare_answer_is_json_or_numbers_by_its_look() -> None:
    assert read_reply(b'{"id":"1"}', [REPLY]) == (
        b'{"id":"1"}',
        {"content-type": "application/json"},
    )
    raw = b"\x07\x00\x00\x00\x00\x00\x80?"
    assert read_reply(raw, [REPLY]).headers == {"content-type": "application/octet-stream"}
    assert read_reply(b"", [REPLY]).body == b""
    assert read_reply(None, [REPLY]).body == b""


def test_an_event_comes_in_the_binding_of_http() -> None:
    headers = [
        ("ce_id", "a é%\r\nX: y".encode()),
        ("ce_source", b"/ounce/digits"),
        ("content-type", b"application/cloudevents+json"),
        ("traceparent", b"00-1-2-3"),
        ("tracestate", b"a=b\r\nX: y"),
        ("other", b"x"),
        REPLY,
    ]
    assert read_reply(b"{}", headers).headers == {
        "ce-id": "a%20%C3%A9%25%0D%0AX:%20y",
        "ce-source": "/ounce/digits",
        "content-type": "application/cloudevents+json",
        "traceparent": "00-1-2-3",
        "tracestate": "a=bX: y",
    }


def test_a_dead_letter_is_an_error() -> None:
    headers = [
        ("ounce-dead-letter-reason", b"bad-target"),
        ("ounce-dead-letter-text", "min accuracy 7 \xff".encode("latin-1")),
        REPLY,
    ]
    with pytest.raises(NotAnsweredError, match="min accuracy 7") as caught:
        read_reply(b"the request", headers)
    assert (caught.value.status, caught.value.reason) == (400, "bad-target")
