"""From records to tensors: every format, every kind of bad input, and no record costs another."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ounce_edge.wire.records import Columns
from ounce_edge.wire.requests.decoding import Decoder
from ounce_edge.wire.requests.identity import Identity
from ounce_schemas.errors import Reason
from ounce_schemas.policy import Policy

from tests.support.edge.ladders import DIGITS, HEADER_JSON, HEADER_RAW, NUMBERS, FakeRecord, raw

GOOD = raw(1, 2, 3, 4)
NOW_MS = 1_000_050.0
POLICY = Policy(max_body_bytes=2000)


def decode(*records: FakeRecord, task: Any = DIGITS) -> Any:
    return Decoder(task, POLICY.for_task(task.name)).decode(Columns.of(records), NOW_MS)


def ids(batch: Any) -> list[bytes]:
    return [b"".join(parts) for parts in zip(*batch.json_ids, strict=True)]


def body(**changes: Any) -> bytes:
    tensor = {"name": "input", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}
    document = {"inputs": [tensor | changes.pop("tensor", {})], **changes}
    return json.dumps(document).encode()


def test_bare_raw_records_get_the_policys_targets() -> None:
    batch, _ = decode(FakeRecord(GOOD), FakeRecord(raw(5, 6, 7, 8), offset_=8))
    np.testing.assert_array_equal(batch.inputs["input"], [[1, 2, 3, 4], [5, 6, 7, 8]])
    assert ids(batch) == [b'"ounce.digits.requests-3-7"', b'"ounce.digits.requests-3-8"']
    assert batch.max_latency_ms.tolist() == [100, 100]
    assert batch.min_accuracy.tolist() == [0.9, 0.9]
    assert batch.outputs == [("label", "confidence")] * 2
    assert batch.all_bare
    assert batch.identities == [None, None]


def test_headers_come_before_the_body_and_the_body_before_the_policy() -> None:
    parameters = {"max_latency_ms": 30, "min_accuracy": 0.7}
    headers = [("ce_id", b"a"), ("ce_source", b"/d/1"), ("ce_maxlatencyms", b"20"), HEADER_JSON]
    batch, _ = decode(FakeRecord(body(parameters=parameters, id="b"), headers))
    assert batch.max_latency_ms.tolist() == [20]
    assert batch.min_accuracy.tolist() == [0.7]
    assert ids(batch) == [b'"a"']
    assert batch.identities == [Identity("a", b"s/d/1")]
    assert batch.outputs == [("label", "confidence", "probabilities")]


def test_records_that_are_alike_give_what_each_alone_gives() -> None:
    """With headers, or with raw bodies whose first byte is that of JSON."""
    brace = np.frombuffer(b"{\0\0\0", "<f4")[0]
    octets = ("content-type", b"application/octet-stream")
    rows: list[tuple[bytes, Any]] = [
        (raw(brace, i, 0, 0), headers)
        for i, headers in enumerate(
            [None, [octets], [("ce_id", b"a"), ("ce_source", b"s")], [("ce_minaccuracy", b"0.7")]]
        )
    ]
    rows.append((GOOD, [("ce_maxlatencyms", b"20"), ("traceparent", b"00-a-b-01")]))
    records = [FakeRecord(v, h, offset_=i, key_=b"%d" % i) for i, (v, h) in enumerate(rows)]
    for together in (records, records[:1], records[1:], records[:1] * 3):
        batch, rejected = decode(*together)
        assert rejected == []
        for i, (alone, _) in enumerate(decode(record) for record in together):
            np.testing.assert_array_equal(batch.inputs["input"][i], alone.inputs["input"][0])
            assert ids(batch)[i] == ids(alone)[0]
            for name in ("heads", "identities", "keys", "outputs", "records"):
                assert getattr(batch, name)[i] == getattr(alone, name)[0], name
            for name in ("max_latency_ms", "min_accuracy", "timestamps_ms", "partitions"):
                assert getattr(batch, name)[i] == getattr(alone, name)[0], name


def test_one_bad_header_costs_no_other_record() -> None:
    bad = FakeRecord(GOOD, [("ce_minaccuracy", b"very")], offset_=1)
    batch, rejected = decode(
        FakeRecord(GOOD, [("ce_id", b"a")]), bad, FakeRecord(GOOD, [("ce_id", b"b")])
    )
    assert ids(batch) == [b'"a"', b'"b"']
    assert [(record, error.reason) for record, error in rejected] == [(bad, Reason.BAD_TARGET)]


@pytest.mark.parametrize(
    "value",
    [
        body(),
        body(tensor={"shape": [4]}),
        body(tensor={"data": [[1, 2, 3, 4]]}),
        body(tensor={"data": [[1], [2], [3], [4]]}),
        b" \n" + body(),
    ],
)
def test_json_bodies(value: bytes) -> None:
    batch, rejected = decode(FakeRecord(value, [HEADER_JSON]))
    assert rejected == []
    np.testing.assert_array_equal(batch.inputs["input"], [[1, 2, 3, 4]])


def test_many_plain_json_bodies_give_what_each_alone_gives() -> None:
    values = [
        body(tensor={"data": [1, 2, 3, i], "shape": [1, 4] if i % 2 else [4]}) for i in range(9)
    ]
    batch, _ = decode(*(FakeRecord(v, offset_=i) for i, v in enumerate(values)))
    assert batch.all_bare
    np.testing.assert_array_equal(batch.inputs["input"][:, 3], range(9))
    assert batch.outputs == [("label", "confidence", "probabilities")] * 9
    special, _ = decode(*(FakeRecord(v) for v in values), FakeRecord(body(id="x")))
    np.testing.assert_array_equal(batch.inputs["input"], special.inputs["input"][:9])
    assert ids(special)[9] == b'"x"'


def test_raw_and_json_in_one_batch_keep_their_order() -> None:
    batch, _ = decode(
        FakeRecord(body(), offset_=1),
        FakeRecord(raw(5, 6, 7, 8), offset_=2),
        FakeRecord(body(tensor={"data": [9, 10, 11, 12]}, outputs=[{"name": "label"}]), offset_=3),
    )
    np.testing.assert_array_equal(batch.inputs["input"][:, 0], [1, 5, 9])
    assert batch.outputs == [
        ("label", "confidence", "probabilities"), ("label", "confidence"), ("label",),
    ]  # fmt: skip


def test_a_raw_body_that_begins_with_a_brace_is_raw() -> None:
    value = b"{" + raw(1, 2, 3, 4)[1:]
    batch, _ = decode(FakeRecord(value))
    assert batch.inputs["input"].tobytes() == value


NONSENSE = [
    (b"\xff{not json", [HEADER_JSON], Reason.MALFORMED_JSON, "not JSON"),
    (b"{}", [HEADER_JSON], Reason.MALFORMED_JSON, "inputs"),
    (b"[]", [HEADER_JSON], Reason.MALFORMED_JSON, "an empty list"),
    (b"[" * 1500, [HEADER_JSON], Reason.MALFORMED_JSON, ""),
    (b"", None, Reason.WRONG_LENGTH, "0 bytes"),
    (GOOD[:-1], None, Reason.WRONG_LENGTH, "need 16"),
    (GOOD + b"x", [HEADER_RAW], Reason.WRONG_LENGTH, "17 bytes"),
    (b"x" * 2001, None, Reason.TOO_LARGE, "max_body_bytes 2000"),
    (None, None, Reason.NULL_VALUE, "no value"),
    (GOOD, [("content-type", b"text/html")], Reason.UNKNOWN_CONTENT_TYPE, "'text/html'"),
    (GOOD, [("content-type", b"\xff")], Reason.BAD_HEADER, "not UTF-8"),
    (GOOD, [("ce_id", b"\xff\xfe")], Reason.BAD_HEADER, "ce_id"),
    (GOOD, [("ce_source", b"\xff")], Reason.BAD_HEADER, "ce_source"),
    (GOOD, [("ce_maxlatencyms", b"\xff")], Reason.BAD_HEADER, "ce_maxlatencyms"),
    (GOOD, [("ce_maxlatencyms", b"-5")], Reason.BAD_TARGET, "-5 ms"),
    (GOOD, [("ce_maxlatencyms", b"0")], Reason.BAD_TARGET, "0 ms"),
    (GOOD, [("ce_maxlatencyms", b"3600001")], Reason.BAD_TARGET, "3600001 ms"),
    (GOOD, [("ce_maxlatencyms", b"inf")], Reason.BAD_TARGET, "inf"),
    (GOOD, [("ce_maxlatencyms", b"nan")], Reason.BAD_TARGET, "not a number"),
    (GOOD, [("ce_maxlatencyms", b"soon")], Reason.BAD_TARGET, "'soon'"),
    (GOOD, [("ce_minaccuracy", b"-0.1")], Reason.BAD_TARGET, "-0.1"),
    (GOOD, [("ce_minaccuracy", b"95")], Reason.BAD_TARGET, "share such as 0.95"),
    (GOOD, [("ce_minaccuracy", b"high")], Reason.BAD_TARGET, "'high'"),
    (raw(1, np.nan, 3, 4), None, Reason.NOT_FINITE, "value 1 of input 'input' is nan"),
    (raw(1, 2, np.inf, 4), None, Reason.NOT_FINITE, "value 2"),
    (raw(1, 2, 3, 16.5), None, Reason.OUT_OF_RANGE, "16.5, outside [0, 16]"),
    (raw(-1, 2, 3, 4), None, Reason.OUT_OF_RANGE, "value 0"),
    (body(tensor={"data": [1, 2, None, 4]}), None, Reason.NOT_FINITE, "value 2"),
    (body(tensor={"data": [1, 2, 3, 1e39]}), None, Reason.NOT_FINITE, "value 3"),
    (body(tensor={"data": [1, 2, 3]}), None, Reason.WRONG_LENGTH, "3 values"),
    (body(tensor={"data": [1, 2, 3, "4"]}), None, Reason.WRONG_DATATYPE, "`str`"),
    (body(tensor={"data": [1, 2, 3, True]}), None, Reason.WRONG_DATATYPE, "`bool`"),
    (body(tensor={"data": [[1, 2], [3, "4"]]}), None, Reason.WRONG_DATATYPE, "`str`"),
    (body(tensor={"data": 7}), None, Reason.WRONG_DATATYPE, "flat list"),
    (body(tensor={"datatype": "FP8"}), None, Reason.WRONG_DATATYPE, "FP8"),
    (
        body(tensor={"datatype": "INT8", "data": [1, 2, 3, "x"]}),
        None,
        Reason.WRONG_DATATYPE,
        "no INT8",
    ),
    (
        body(tensor={"datatype": "BYTES", "data": ["a"] * 4}),
        None,
        Reason.WRONG_DATATYPE,
        "send FP32",
    ),
    (body(tensor={"shape": [2, 2]}), None, Reason.WRONG_SHAPE, "send [1, 4]"),
    (body(tensor={"shape": [2, 4]}), None, Reason.WRONG_LENGTH, "[2, 4] needs 8"),
    (body(tensor={"shape": "4"}), None, Reason.WRONG_SHAPE, "shape"),
    (body(tensor={"name": "image"}), None, Reason.UNKNOWN_INPUT, "'image' is not known"),
    (b'{"inputs": []}', None, Reason.MISSING_INPUT, "['input']"),
    (body(outputs=[{"name": "value"}]), None, Reason.UNKNOWN_OUTPUT, "['value']"),
    (body(outputs=[{"name": "logits"}]), None, Reason.UNKNOWN_OUTPUT, "logits"),
    (body(parameters={"max_latency_ms": -1}), None, Reason.BAD_TARGET, "-1 ms"),
    (body(parameters={"min_accuracy": "high"}), None, Reason.BAD_TARGET, "`str`"),
]


@pytest.mark.parametrize(("value", "headers", "reason", "text"), NONSENSE)
def test_a_bad_record_is_rejected_with_its_reason_and_costs_the_others_nothing(
    value: bytes | None, headers: Any, reason: Reason, text: str
) -> None:
    bad = FakeRecord(value, headers, offset_=2)
    batch, rejected = decode(FakeRecord(GOOD, offset_=1), bad, FakeRecord(body(), offset_=3))
    [(record, error)] = rejected
    assert record is bad
    assert error.reason is reason
    assert text in error.text
    assert [r.offset() for r in batch.records] == [1, 3]
    np.testing.assert_array_equal(batch.inputs["input"], [[1, 2, 3, 4], [1, 2, 3, 4]])


def test_null_and_empty_headers_say_nothing() -> None:
    names = ("ce_id", "ce_source", "ce_maxlatencyms", "ce_minaccuracy", "content-type")
    batch, rejected = decode(
        FakeRecord(GOOD, [(name, None) for name in names]),
        FakeRecord(GOOD, [(name, b"") for name in names]),
    )
    assert rejected == []
    assert batch.max_latency_ms.tolist() == [100, 100]
    assert batch.identities == [None, None]


def test_headers_without_a_meaning_may_hold_anything() -> None:
    _, rejected = decode(FakeRecord(GOOD, [("x", b"\xff\xfe"), ("y", None), ("z", b"")]))
    assert rejected == []


def test_time_stands_still_for_records_without_or_from_the_future() -> None:
    batch, _ = decode(
        FakeRecord(GOOD, timestamp_ms=-1),
        FakeRecord(GOOD, timestamp_ms=9_999_999),
        FakeRecord(GOOD, timestamp_ms=1_000_000),
    )
    assert batch.timestamps_ms.tolist() == [NOW_MS, NOW_MS, 1_000_000]


def table(numbers: list[float | None], text: str) -> bytes:
    return json.dumps(
        {
            "inputs": [
                {"name": "categories", "shape": [1, 1], "datatype": "BYTES", "data": [text]},
                {"name": "input", "shape": [1, 2], "datatype": "FP32", "data": numbers},
            ]
        }
    ).encode()


def test_a_table_takes_texts_and_missing_values_in_any_order_of_inputs() -> None:
    batch, rejected = decode(
        FakeRecord(table([1, None], "ä")), FakeRecord(table([2, 3], "")), task=NUMBERS
    )
    assert rejected == []
    np.testing.assert_array_equal(batch.inputs["input"], [[1, np.nan], [2, 3]])
    assert batch.inputs["categories"].tolist() == [["ä"], [""]]
    assert batch.outputs == [("value", "interval")] * 2


def test_a_table_with_texts_takes_no_raw_bodies_and_needs_every_input() -> None:
    batch, rejected = decode(FakeRecord(b"x" * 12), FakeRecord(body()), task=NUMBERS)
    reasons = [error.reason for _, error in rejected]
    assert reasons == [Reason.UNKNOWN_CONTENT_TYPE, Reason.MISSING_INPUT]
    assert len(batch) == 0


@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.binary(max_size=40), st.just(GOOD), st.just(body())),
            st.one_of(
                st.none(),
                st.lists(
                    st.tuples(
                        st.sampled_from(
                            ["ce_id", "ce_maxlatencyms", "ce_minaccuracy", "content-type", "x"]
                        ),
                        st.one_of(st.none(), st.binary(max_size=8)),
                    ),
                    max_size=4,
                ),
            ),
        ),
        min_size=1,
        max_size=8,
    )
)
@settings(max_examples=400, deadline=None)
def test_whatever_comes_every_record_is_either_valid_or_rejected(rows: list[Any]) -> None:
    records = [FakeRecord(value, headers, offset_=i) for i, (value, headers) in enumerate(rows)]
    batch, rejected = decode(*records)
    offsets = [r.offset() for r in batch.records] + [r.offset() for r, _ in rejected]
    assert sorted(offsets) == list(range(len(rows)))
    assert batch.inputs.get("input", np.empty((0, 4))).shape == (len(batch), 4)


@pytest.mark.parametrize("n", [1, 2, 40])
def test_bodies_that_are_alike_wrong_are_all_rejected(n: int) -> None:
    wrong = body().replace(b'"input"', b'"image"')
    batch, rejected = decode(*(FakeRecord(wrong, offset_=i) for i in range(n)))
    assert (len(batch), [error.reason for _, error in rejected]) == (0, [Reason.UNKNOWN_INPUT] * n)
