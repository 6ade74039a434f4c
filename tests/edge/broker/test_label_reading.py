"""Which labels a record holds, and whose they are."""

from typing import Any

import pytest
from ounce_edge.broker.label_reader import read_labels
from ounce_schemas.label import KEY_ERRORS, Label

from tests.support.edge.ladders import FakeRecord

NO_LABELS: list[tuple[bytes | None, Any]] = [
    (None, None),
    (b"", None),
    (b"\xff\xfe\x00", None),
    (b"{not json", None),
    (b"[1]", None),
    (b'{"label":"1"}', None),
    (b'{"label":"1"}', [("ce_id", None)]),
    (b'{"label":"1"}', [("ce_id", b"")]),
    (b'{"label":"1"}', [("ce_id", b"\xff\xfe")]),
    (b'{"label":"1"}', [("ce_id", b"x" * 5000)]),
    (b'{"id":"","label":"1"}', None),
    (b'{"id":{},"label":"1"}', None),
    (b'{"id":"a","label":[1]}', None),
    (b'{"id":"a","value":"warm"}', None),
    (b'[{"id":"a","label":"1"},7]', None),
    (b"[[[[[[1]]]]]]", None),
    (b'{"id":"a","label":"1","label":2}', None),
    (b'{"id":"a","value":1e999}', None),
    (b'{"id":"\xff","label":"1"}', None),
    (b'{"id":"a","x":' + b"[" * 2000 + b"]" * 2000 + b"}", None),
    (b'{"id":"' + b"x" * 5000 + b'"}', None),
]


@pytest.mark.parametrize(("value", "headers"), NO_LABELS)
def test_what_is_no_label_says_why(value: bytes | None, headers: Any) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read_labels(FakeRecord(value, headers))


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b'{"id":"a","value":"warm"}', "its `value` is 'warm': send a number, such as 21.5"),
        (b'{"id":"a","value":"3,5"}', "its `value` is '3,5': send a number, such as 21.5"),
        (b'{"id":"a","value":[3]}', "its `value` is [3]: send a number, such as 21.5"),
        (b'{"id":"a","value":true}', "its `value` is True: send a number, such as 21.5"),
        (b'{"id":"a","value":1' + b"0" * 400 + b"}", "its `value` is 1000"),
        (b'{"id":"a","label":[1]}', "its `label` is [1]: send a text or a number"),
        (b'{"id":{},"label":"1"}', "its `id` is {}: send a text or a number"),
        (b"21.5", "21.5 is neither an object nor a list of some"),
        (b"warm", "it begins b'warm'"),
        (b"", "it begins b''"),
    ],
)
def test_what_is_no_label_names_the_value_and_what_to_send(value: bytes, why: str) -> None:
    with pytest.raises(ValueError, match="a label is ") as refused:
        read_labels(FakeRecord(value, None))
    assert why in str(refused.value)
    assert '{"id": "reading-17", "label": "7"}' in str(refused.value)


@pytest.mark.parametrize(
    ("value", "labels"),
    [
        (b'{"id":"a","label":7}', [Label("a", label="7")]),
        (b'{"id":7,"label":7.0}', [Label("7", label="7")]),
        (b'{"id":"a","label":true}', [Label("a", label="true")]),
        (b'{"id":"a","value":"1.5"}', [Label("a", value=1.5)]),
        (b'{"id":"a","value":"1,500.5"}', [Label("a", value=1500.5)]),
        (b'\xef\xbb\xbf{"id":"a","label":"7"}', [Label("a", label="7")]),
        (b'[{"id":"a","label":"7"},{"id":"b","label":1}]',
         [Label("a", label="7"), Label("b", label="1")]),
        (b'{"schema":null,"payload":{"id":"a","label":"7"}}', [Label("a", label="7")]),
        (b'\0\0\0\0\x07{"id":"a","label":"7"}', [Label("a", label="7")]),
        (b'{"specversion":"1.0","id":"a","source":"/d","type":"t","data":{"label":7}}',
         [Label("a", label="7", source="/d")]),
        (b'{"specversion":"1.0","id":"e","source":"/l","type":"t","data":{"id":"a","label":7}}',
         [Label("a", label="7")]),
    ],
)  # fmt: skip
def test_labels_are_read_as_people_write_them(value: bytes, labels: list[Label]) -> None:
    assert read_labels(FakeRecord(value, None, key_=None)) == labels


@pytest.mark.parametrize(
    ("value", "headers", "label"),
    [
        (b'{"id":"a","label":"1","by":"people"}', None, Label("a", label="1")),
        (b'{"value":2}', [("ce_id", "ä".encode())], Label("ä", value=2.0)),
        (b'{"id":"a","value":null}', [("ce_id", b"the event's own")], Label("a")),
    ],
)
def test_the_id_is_in_the_value_or_in_its_header(value: bytes, headers: Any, label: Label) -> None:
    assert read_labels(FakeRecord(value, headers, key_=None)) == [label]


@pytest.mark.parametrize(
    ("value", "headers", "key", "source", "device"),
    [
        (b'{"id":"a"}', None, b"one", None, "one"),
        (b'{"id":"a","device":"two"}', None, b"one", None, "two"),
        (b'{"id":"a","source":"/d/1"}', [("ce_source", b"/labels")], None, "/d/1", None),
        # The id is not the event's own, so neither is the source the event's.
        (b'{"id":"a"}', [("ce_id", b"7"), ("ce_source", b"/labels")], None, None, None),
        (b"{}", [("ce_id", b"a"), ("ce_source", b"/d/1")], b"", "/d/1", None),
        (b'{"source":"/d/2"}', [("ce_id", b"a"), ("ce_source", b"/d/1")], None, "/d/2", None),
        (b'{"id":"a"}', None, b"\xff", None, b"\xff".decode(errors=KEY_ERRORS)),
    ],
)
def test_a_label_names_the_sender_of_its_request(
    value: bytes, headers: Any, key: bytes | None, source: str | None, device: str | None
) -> None:
    [label] = read_labels(FakeRecord(value, headers, key_=key))
    assert (label.id, label.source, label.device) == ("a", source, device)


def test_names_of_any_length_are_no_labels() -> None:
    for headers, key in (
        ([("ce_id", b"a"), ("ce_source", b"s" * 9999)], None),
        (None, b"k" * 9999),
    ):
        with pytest.raises(ValueError, match="has 9999 characters, more than 4096"):
            read_labels(FakeRecord(b'{"id":""}' if headers else b'{"id":"a"}', headers, key_=key))
