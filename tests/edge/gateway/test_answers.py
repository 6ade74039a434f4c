"""What a device hears."""

import json
from typing import Any

import pytest
from ounce_edge.gateway.answers import publish
from ounce_edge.gateway.patterns import Place
from ounce_edge.gateway.replies import Reply
from ounce_schemas.dead_letter import HEADER_REASON, HEADER_TEXT
from ounce_schemas.request import HEADER_REPLY

from tests.edge.gateway.test_arrivals import address

TRACE = [("traceparent", b"00-1-2-01"), ("tracestate", b"a=b")]


class FakeSession:
    """Notes what is published."""

    def __init__(self) -> None:
        self.published: list[tuple[Reply, bytes, str | None, list[tuple[str, str]]]] = []

    def publish(self, *published: Any) -> None:
        self.published.append(published)


def heard(body: bytes | None, headers: list[tuple[str, bytes | None]]) -> Any:
    session = FakeSession()
    own = (HEADER_REPLY, address().usual(Place("digits", "d1")))
    assert publish(session, address(), body, [own, *headers])  # type: ignore[arg-type]
    [(reply, found, content_type, properties)] = session.published
    assert reply == Reply("answers/d1/digits")
    return found, content_type, dict(properties)


def test_an_answer_has_its_headers_as_properties_and_attributes_as_mqtt_names_them() -> None:
    event: list[tuple[str, bytes | None]] = [("ce_id", b"7"), ("ce_specversion", b"1.0")]
    odd: list[tuple[str, bytes | None]] = [("bad", b"\x01"), ("empty", None)]
    found, content_type, properties = heard(
        b"yes", [*event, ("content-type", b"application/json"), *TRACE, *odd]
    )
    assert (found, content_type) == (b"yes", "application/json")
    traces = {"traceparent": "00-1-2-01", "tracestate": "a=b"}
    assert properties == {"id": "7", "specversion": "1.0", **traces}


def test_an_answer_that_names_no_content_type_has_none() -> None:
    assert heard(b"yes", [("room", b"9")]) == (b"yes", None, {"room": "9"})


def test_a_refusal_says_why_and_brings_its_trace_back() -> None:
    why: list[tuple[str, bytes | None]] = [(HEADER_REASON, b"bad-label"), (HEADER_TEXT, b"why")]
    found, content_type, properties = heard(
        b"input", [("ce_id", b"7"), *why, *TRACE, ("room", b"9"), ("content-type", b"text/csv")]
    )
    assert json.loads(found) == {"error": "bad-label", "text": "why", "id": "7"}
    assert content_type == "application/json"
    assert properties == {"traceparent": "00-1-2-01", "tracestate": "a=b"}


@pytest.mark.parametrize(
    ("body", "id_"),
    [
        (b'{"id":"r-1","label":"nine"}', "r-1"),
        (b'\xef\xbb\xbf {"label":9,"id":17}', "17"),
        (b'{"id":["r-1"]}', None),
        (b'{"label":"nine"}', None),
        (b'[{"id":"r-1","label":"nine"}]', None),
        (b"\xff\x00", None),
        (b"[" * 5000, None),
        (None, None),  # it was too large for the letter
        (b'{"id":"' + b"r" * 4096 + b'"}', "r" * 4096),
        (b'{"id":"' + b"r" * 4097 + b'"}', None),  # longer than a request's may be
    ],
)
def test_a_refusal_names_the_id_in_the_body(body: bytes | None, id_: str | None) -> None:
    found, _, _ = heard(body, [(HEADER_REASON, b"bad-label"), (HEADER_TEXT, b"why")])
    assert json.loads(found).get("id") == id_


def test_an_id_in_the_header_is_bounded_as_one_in_the_body() -> None:
    why: list[tuple[str, bytes | None]] = [(HEADER_REASON, b"too-large"), (HEADER_TEXT, b"why")]
    found, _, _ = heard(b'{"id":"r-1"}', [("ce_id", b"r" * 4097), *why])
    assert json.loads(found) == {"error": "too-large", "text": "why"}
