"""Answers as senders listen: V2, flat JSON, CloudEvents in structured mode, raw; their traces."""

import json
import struct
from typing import Any

import numpy as np
import pytest
from ounce_edge.wire.answers.encoding import Encoder, GroupAnswer
from ounce_edge.wire.records import Columns
from ounce_edge.wire.requests.decoding import Decoder
from ounce_schemas.errors import Reason
from ounce_schemas.policy import Policy, TaskPolicy
from ounce_schemas.request import AnswerForm
from ounce_schemas.routing import Choice

from tests.support.edge.ladders import DIGITS, NUMBERS, FakeRecord, raw

GOOD = raw(1, 2, 3, 4)
ID = ("ce_id", b"a")
TRACE = [
    ("traceparent", b"00-a-b-01"),
    ("tracestate", b"x=1"),
    ("ce_traceparent", b"00-c-d-01"),
    ("ce_tracestate", b"y=2"),
]


def answers(*records: FakeRecord, policy: Policy | None = None, task: Any = DIGITS) -> Any:
    """Body and headers of the answer to each record."""
    policy = policy or Policy()
    rules = policy.for_task(task.name)
    batch, rejected = Decoder(task, rules).decode(Columns.of(records), 1_000_050.0)
    assert rejected == []
    n = len(batch)
    result = np.tile(np.array([0.1, 0.7, 0.2], np.float32), (n, 1))
    if task.kind == "regression":
        result = np.tile(np.array([5, 4, 6.5], np.float32), (n, 1))
    answer = GroupAnswer(
        "light", "v1", "p1", "light", Choice.LIGHTEST_FEASIBLE, np.arange(n), result,
        result.argmax(axis=1) if task.kind == "classification" else result[:, 0],
        0.9, 0.88, 0.5, 1.5, lambda floor: {},
    )  # fmt: skip
    encoder = Encoder(task, "c1", rules.answer)
    bodies = encoder.bodies(batch, answer, np.full(n, 3.0), set())
    headers = encoder.headers(batch, np.arange(n)) or [None] * n
    return [(body, dict(own or ())) for body, own in zip(bodies, headers, strict=True)]


def test_flat_json_says_what_a_device_needs() -> None:
    [(body, headers)] = answers(FakeRecord(GOOD, [ID, ("ounce-answer", b"flat")]))
    assert json.loads(body) == {
        "id": "a", "label": 'o"ne', "confidence": 0.7, "model": "light",
        "reason": "lightest-feasible", "latency_ms": 3.0, "deadline_met": True, "floor_met": False,
    }  # fmt: skip
    assert headers["content-type"] == b"application/json"
    body = json.dumps({"input": [1], "categories": ["x"], "parameters": {"answer": "flat"}})
    task = NUMBERS.model_copy(
        update={"inputs": (NUMBERS.inputs[0].model_copy(update={"shape": (1,)}), NUMBERS.inputs[1])}
    )
    [(body, _)] = answers(FakeRecord(body.encode()), task=task)
    assert {name: json.loads(body)[name] for name in ("value", "interval")} == {
        "value": 5, "interval": [4, 6.5],
    }  # fmt: skip


def test_raw_is_a_label_and_how_sure_it_is() -> None:
    [(body, headers)] = answers(FakeRecord(GOOD, [ID, ("ounce-answer", b"raw")]))
    assert struct.unpack("<if", body) == (1, pytest.approx(0.7))
    assert (headers["content-type"], headers["ce_id"]) == (b"application/octet-stream", b"a")


def test_a_cloudevent_in_structured_mode_is_answered_by_one() -> None:
    v2 = {"inputs": [{"name": "input", "shape": [4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}
    event = {"specversion": "1.0", "id": "e", "source": "/d", "type": "t", "tracestate": "x=1",
             "traceparent": "00-a-b-01", "data": v2}  # fmt: skip
    [(body, headers)] = answers(FakeRecord(json.dumps(event).encode()))
    answer = json.loads(body)
    assert answer["data"]["model_name"] == "light"
    assert {**answer, "data": None} == {
        "specversion": "1.0", "id": "e", "source": "/ounce/digits", "type": "io.ounce.prediction",
        "datacontenttype": "application/json", "data": None,
        "traceparent": "00-a-b-01", "tracestate": "x=1",
    }  # fmt: skip
    assert headers == {
        "content-type": b"application/cloudevents+json",
        "traceparent": b"00-a-b-01",
        "tracestate": b"x=1",
    }


def test_an_event_does_not_show_the_address_of_a_gateway() -> None:
    asked = [("ce_ouncereply", b"http:x:1"), ("ounce-answer", b"cloudevents")]
    [(body, headers)] = answers(FakeRecord(GOOD, asked))
    assert json.loads(body)["specversion"] == "1.0"
    assert b"ouncereply" not in body
    assert headers["ce_ouncereply"] == b"http:x:1"


@pytest.mark.parametrize("headers", [[], [ID], [("ounce-answer", b"flat")]])
def test_trace_context_comes_back_always(headers: Any) -> None:
    [(_, found)] = answers(FakeRecord(GOOD, [*headers, *TRACE]))
    assert found.items() >= dict(TRACE).items()


def test_the_policy_says_the_form_where_the_request_does_not() -> None:
    policy = Policy(answer=AnswerForm.RAW, tasks={"digits": TaskPolicy(answer=AnswerForm.FLAT)})
    for record in (FakeRecord(GOOD), FakeRecord(GOOD, [ID])):
        assert json.loads(answers(record, policy=policy)[0][0])["label"] == 'o"ne'
    other = FakeRecord(GOOD, [("ounce-answer", b"v2")])
    assert "outputs" in json.loads(answers(other, policy=policy)[0][0])
    assert policy.for_task("other").answer is AnswerForm.RAW


def test_each_of_a_batch_gets_its_own_form() -> None:
    forms = [b"v2", b"flat", b"raw", b"FLAT", b'"v2"']
    found = answers(*(FakeRecord(GOOD, [ID, ("ounce-answer", form)]) for form in forms))
    assert [body[:9] for body, _ in found if len(body) != 8] == [
        b'{"model_n', b'{"id":"a"', b'{"id":"a"', b'{"model_n',
    ]  # fmt: skip
    assert len(found[2][0]) == 8


def test_a_form_that_there_is_not_is_refused() -> None:
    records = [FakeRecord(GOOD, [("ounce-answer", b"xml")]), FakeRecord(GOOD)]
    policy = Policy().for_task("digits")
    batch, [(_, error)] = Decoder(DIGITS, policy).decode(Columns.of(records), 1e6)
    assert (len(batch), error.reason) == (1, Reason.BAD_HEADER)
    assert "send one of v2, flat, cloudevents, raw" in error.text
