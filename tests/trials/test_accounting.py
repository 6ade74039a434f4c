"""Fabricated topics, each with one thing wrong in them: it is found, and nothing else."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from ounce_schemas.routing import Choice

from trials.chaos.accounting import Accounting, Entry, Finding, Read, Wrong, account
from trials.chaos.recovery import Recovery

TOPIC = "ounce.digits.requests"
LABELS = ("0", "1", "2")
RIGHT = np.array([0.1, 0.7, 0.2], np.float32)
RAW = np.zeros(4, "<f4").tobytes()


def replay(model: str, features: bytes) -> NDArray[np.float32] | None:
    assert features == RAW
    return RIGHT if model == "mlp" else None


def request(offset: int, **changes: Any) -> Entry:
    entry = Entry(0, offset, b"device", RAW, [("ce_id", b"id-%d" % offset)])
    return entry._replace(**changes)


def prediction(offset: int, id: str, label: str = "1", **changes: Any) -> Entry:
    body = {
        "model_name": "mlp",
        "model_version": "1",
        "id": id,
        "parameters": {
            "task": "digits",
            "plan": "tree>mlp@0.5",
            "reason": Choice.LIGHTEST_FEASIBLE,
            "rejected": "",
            "policy_version": "1",
            "catalogue_version": "1",
            "max_latency_ms": 100,
            "min_accuracy": 0.9,
            "expected_accuracy": 0.95,
            "latency_ms": 1,
            "deadline_met": True,
            "floor_met": True,
            "cost_ms": 1,
            "saved_ms": 0,
        },
        "outputs": [
            {"name": "label", "shape": [1], "datatype": "BYTES", "data": [label]},
            {"name": "confidence", "shape": [1], "datatype": "FP32", "data": [0.7]},
        ],
    }
    body.update(changes)
    return Entry(0, offset, b"device", json.dumps(body).encode(), [("ce_id", id.encode())])


def letter(offset: int, of: Entry, topic: str = TOPIC) -> Entry:
    why = {"topic": topic, "partition": str(of.partition), "offset": str(of.offset)}
    ours = [(f"ounce-dead-letter-{name}", text.encode()) for name, text in why.items()]
    return Entry(0, offset, of.key, of.value, [*of.headers, *ours])


CORRUPT = Entry(0, 2, b"corrupt-1", b"?", [("ce_id", b"\xff")])
BARE = request(3, headers=[])
REQUESTS = [request(0), request(1), CORRUPT, BARE]
ANSWERS = [prediction(0, "id-0"), prediction(1, "id-1"), prediction(2, f"{TOPIC}-0-3")]
ANSWERS[2] = ANSWERS[2]._replace(headers=())
LETTERS = [letter(0, CORRUPT)]


def found(
    requests: list[Entry] = REQUESTS,
    answers: list[Entry] = ANSWERS,
    letters: list[Entry] = LETTERS,
) -> Accounting:
    return account(TOPIC, LABELS, Read(requests, answers, letters), replay)


def only(result: Accounting) -> Finding:
    [finding] = result.findings
    return finding


def test_all_is_well() -> None:
    result = found()
    assert result.findings == []
    assert (result.n_inputs, result.n_corrupt, result.n_answers, result.n_letters) == (4, 1, 3, 1)
    assert result.by_model == {"mlp": 3}


def test_a_lost_input_is_found() -> None:
    finding = only(found(answers=ANSWERS[1:]))
    assert (finding.what, finding.id, finding.positions) == (Wrong.LOST, "id-0", [(0, 0)])
    assert only(found(letters=[])).what is Wrong.LOST


def test_what_the_group_has_not_come_to_is_left_and_not_lost() -> None:
    arguments = (TOPIC, LABELS, Read(REQUESTS, ANSWERS[:-1], LETTERS), replay)
    assert only(account(*arguments, {0: 3})).what is Wrong.LEFT
    assert only(account(*arguments, {})).what is Wrong.LEFT
    assert only(account(*arguments, {0: 4})).what is Wrong.LOST


def test_a_repeated_answer_is_found_and_may_be_allowed() -> None:
    result = found(answers=[*ANSWERS, prediction(9, "id-1")])
    assert only(result)[:2] == (Wrong.REPEATED, "id-1")
    assert result.violations(repeats_allowed=False) == result.findings
    assert result.violations(repeats_allowed=True) == []
    assert only(found(letters=[*LETTERS, letter(1, CORRUPT)])).what is Wrong.REPEATED


def test_an_id_that_was_sent_twice_has_two_answers() -> None:
    twice = [*REQUESTS, request(4, headers=[("ce_id", b"id-0")])]
    assert only(found(requests=twice)).what is Wrong.LOST
    assert found(requests=twice, answers=[*ANSWERS, prediction(9, "id-0")]).findings == []


def test_an_orphan_is_found() -> None:
    assert only(found(answers=[*ANSWERS, prediction(9, "nobody")])).what is Wrong.ORPHAN
    stray = letter(1, request(8))
    assert only(found(letters=[*LETTERS, stray])).what is Wrong.ORPHAN
    elsewhere = letter(1, CORRUPT, topic="ounce.other.requests")
    assert only(found(letters=[*LETTERS, elsewhere])).what is Wrong.ORPHAN
    assert only(found(letters=[*LETTERS, CORRUPT])).what is Wrong.ORPHAN


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (lambda: prediction(0, "id-0", label="2"), "mlp says 1"),
        (lambda: prediction(0, "id-0", label="seven"), "'seven' is not of the task"),
        (lambda: prediction(0, "id-0", outputs=[]), "None is not of the task"),
        (lambda: prediction(0, "id-0", model_name="tree-2"), "tree-2 is not of plan"),
        (lambda: prediction(0, "id-0", model_name="tree"), "tree, which the ladder of this run"),
        (lambda: prediction(0, "id-0")._replace(key=b"other"), "key b'other'"),
        (lambda: prediction(0, "id-0")._replace(headers=[("ce_id", b"x")]), "header ce_id"),
    ],
)
def test_a_wrong_answer_is_found(spoil: Callable[[], Entry], text: str) -> None:
    finding = only(found(answers=[spoil(), *ANSWERS[1:]]))
    assert finding.what is Wrong.WRONG
    assert text in finding.detail


def test_an_unreadable_answer_is_wrong_and_its_input_lost() -> None:
    garbled = ANSWERS[0]._replace(value=b"{")
    assert [f.what for f in found(answers=[garbled, *ANSWERS[1:]]).findings] == [
        Wrong.WRONG,
        Wrong.LOST,
    ]


def test_another_confidence_is_wrong_but_not_another_last_digit() -> None:
    body = json.loads(ANSWERS[0].value or b"")
    for confidence, n in ((0.701, 0), (0.75, 1)):
        body["outputs"][1]["data"] = [confidence]
        changed = ANSWERS[0]._replace(value=json.dumps(body).encode())
        assert len(found(answers=[changed, *ANSWERS[1:]]).findings) == n


def test_a_valid_input_among_the_dead_letters_is_wrong() -> None:
    finding = only(found(answers=ANSWERS[1:], letters=[*LETTERS, letter(1, REQUESTS[0])]))
    assert (finding.what, finding.positions) == (Wrong.WRONG, [(0, 0)])


def test_a_corrupt_input_that_is_answered_or_changed_is_wrong() -> None:
    answered = prediction(9, f"{TOPIC}-0-2")
    assert only(found(answers=[*ANSWERS, answered], letters=[])).what is Wrong.WRONG
    changed = LETTERS[0]._replace(value=b"!")
    assert only(found(letters=[changed])).detail == "not the original bytes"


def test_recovery_is_the_time_until_all_that_was_held_up_is_answered() -> None:
    delivered = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 9.0}
    settled = {"a": 1.5, "b": 7.0, "c": 3.1, "d": 9.5}
    recovery = Recovery(delivered, settled)
    assert recovery.after(0.5, 0.0) == 0
    assert recovery.after(1.2, 0.0) == 0  # half a second is no hold-up
    assert recovery.after(1.2, 1.0) == pytest.approx(5.8)
    assert recovery.after(3.0, 1.0) == 4.0
    assert recovery.after(8.0, 1.0) == 0
    assert recovery.longest_wait(0.0, 10.0) == 5.0
    assert recovery.longest_wait(2.5, 10.0) == 0.5
    assert recovery.longest_wait(4.0, 5.0) == 0
    del settled["b"]
    assert Recovery(delivered, settled).after(3.0, 1.0) == float("inf")
