"""Asking for explanations, and how answers hold them in each form."""

from typing import Any

import msgspec
import pytest
from ounce_schemas.dead_letter import HEADER_REASON, HEADER_TEXT
from ounce_schemas.errors import Reason

from tests.support.edge import formats
from tests.support.edge.ladders import DIGITS, FakeRecord, explained, served
from tests.support.edge.pipelines import GOOD, pipeline, prediction, process

ROW = b'{"inputs": [{"name": "input", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]'
CONTRIBUTIONS = {"x0": 1.0, "x1": 2.0, "x2": 3.0, "x3": 4.0}
FLAT = {"method": "exact", "score": "log-odds", "base": 0.5, "contributions": CONTRIBUTIONS}


def published(value: bytes, *headers: tuple[str, bytes], model: Any = None) -> tuple[Any, ...]:
    serving = pipeline(model or explained(DIGITS, "a"))
    records, _ = process(serving, FakeRecord(value, list(headers)))
    (record,) = records
    return record


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        (GOOD, [("ce_explanation", b"true")]),
        (GOOD, [("CE-Explanation", b'"True"')]),
        (ROW + b', "parameters": {"explanation": true}}', []),
        (b'{"input": [1, 2, 3, 4], "parameters": {"explanation": true}}', []),
        (b'{"specversion": "1.0", "id": "7", "explanation": true, "ounceanswer": "v2", '
         b'"data": {"input": [1, 2, 3, 4]}}', [("ounce-answer", b"v2")]),
    ],
)  # fmt: skip
def test_it_is_asked_for_in_headers_bodies_and_events(value: bytes, headers: Any) -> None:
    found = prediction(published(value, *headers))
    assert found.parameters.explanation == "exact"


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        (ROW + b', "parameters": {"explanation": true}}', [("ce_explanation", b"false")]),
        (GOOD, [("ce_explanation", b"")]),
        (b'{"input": [1, 2, 3, 4], "explanation": "a note"}', []),
    ],
)
def test_it_is_not_asked_for(value: bytes, headers: Any) -> None:
    found = prediction(published(value, *headers))
    assert found.parameters.explanation is found.parameters.not_explained is None


@pytest.mark.parametrize(
    ("value", "headers", "text"),
    [
        (GOOD, [("ce_explanation", b"perhaps")], "holds 'perhaps'; send true or false"),
        (GOOD, [("ce_explanation", b"\xff")], "not UTF-8"),
        (ROW + b', "parameters": {"explanation": 1}}', [], "explanation"),
        (GOOD, [("ce_explanation", b"true"), ("ounce-answer", b"raw")], "no room"),
        (ROW + b', "parameters": {"explanation": true, "answer": "raw"}}', [], "no room"),
    ],
)
def test_what_it_can_not_be_asked_with_is_a_dead_letter(
    value: bytes, headers: Any, text: str
) -> None:
    topic, _, _, found = published(value, *headers)
    assert topic == "ounce.digits.dead-letters"
    letter = dict(found)
    reason = Reason.BAD_HEADER if b"\xff" in dict(headers).values() else Reason.BAD_TARGET
    assert letter[HEADER_REASON].decode() == reason
    assert text in letter[HEADER_TEXT].decode()


def test_flat_answers_and_events_hold_it() -> None:
    asks = ("ce_explanation", b"true")
    flat = msgspec.json.decode(published(GOOD, asks, ("ounce-answer", b"flat"))[1])
    assert flat["explanation"] == FLAT
    assert "contributions" not in flat
    event = msgspec.json.decode(published(GOOD, asks, ("ounce-answer", b"cloudevents"))[1])
    assert "contributions" in [output["name"] for output in event["data"]["outputs"]]
    without = published(GOOD, asks, ("ounce-answer", b"flat"), model=served(DIGITS, "b"))
    assert msgspec.json.decode(without[1])["not_explained"] == "no-model"


def test_parameters_are_texts_numbers_and_booleans() -> None:
    """The protocol allows nothing else there."""
    body = msgspec.json.decode(published(GOOD, ("ce_explanation", b"true"))[1])
    assert {type(value) for value in body["parameters"].values()} <= {str, int, float, bool}


def test_a_policy_leaves_raw_answers_as_they_are() -> None:
    serving = pipeline(explained(DIGITS, "a"), explanation=True)
    raw = FakeRecord(GOOD, [("ounce-answer", b"raw")])
    records, _ = process(serving, raw, FakeRecord(GOOD, offset_=8))
    sizes = sorted(len(record[1]) for record in records)
    assert sizes[0] == 8
    assert any(b"contributions" in record[1] for record in records)
    assert serving.edition.models[0].loaded.batch_sizes == [1]  # type: ignore[attr-defined]


def test_several_rows_have_a_row_of_contributions_each() -> None:
    rows = b'{"inputs": [{"name": "input", "shape": [2, 4], "datatype": "FP32", "data": %b}]'
    body = rows % b"[1, 2, 3, 4, 5, 6, 7, 8]" + b', "parameters": {"explanation": true}}'
    found = prediction(published(body))
    (contributions,) = [o for o in found.outputs if o.name == "contributions"]
    assert (contributions.shape, contributions.data) == ([2, 4], [1.0, 2, 3, 4, 5, 6, 7, 8])
    assert found.parameters.explained == "log-odds"
    without = prediction(published(body, model=served(DIGITS, "b")))
    assert without.parameters.not_explained == "no-model"
    assert "contributions" not in [output.name for output in without.outputs]


def test_a_row_asks_beside_its_columns_and_a_list_of_rows_does_not() -> None:
    batch = formats.one({**formats.ROW, "explanation": True})
    assert batch.explained is not None
    assert batch.explained.tolist() == [True]
    assert formats.one({**formats.ROW, "explanation": False}).explained is None
    error = formats.refusal([{**formats.ROW, "explanation": True}, formats.ROW])
    assert "is explained or not: send that as headers" in error.text


def test_where_the_policy_explains_a_poll_of_refused_messages_alone_becomes_letters() -> None:
    serving = pipeline(explained(DIGITS, "a"), explanation=True)
    for value, headers in ((b"nonsense", []), (GOOD, [("ce_explanation", b"perhaps")])):
        ((_, _, _, found),), _ = process(serving, FakeRecord(value, headers))
        assert dict(found)[HEADER_REASON]
