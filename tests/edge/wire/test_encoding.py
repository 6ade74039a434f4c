"""What is written of answers: each holds its own figures, and V2's kinds of parameters only."""

from typing import Any

import msgspec
import numpy as np
import pytest
from ounce_edge.wire.answers.encoding import Encoder, GroupAnswer
from ounce_edge.wire.batch import RequestBatch
from ounce_edge.wire.records import Columns
from ounce_edge.wire.requests.decoding import Decoder
from ounce_schemas.policy import Policy
from ounce_schemas.prediction import Prediction
from ounce_schemas.routing import Choice, Objective

from tests.support.edge.ladders import DIGITS, FakeRecord, raw


def answer(n: int = 1, **fields: Any) -> GroupAnswer:
    known: dict[str, Any] = {
        "model_name": "light",
        "model_version": "v1",
        "policy_version": "p1",
        "plan": "light>heavy",
        "choice": Choice.LIGHTEST_FEASIBLE,
        "items": np.arange(n),
        "result": np.tile(np.array([0.1, 0.7, 0.2], np.float32), (n, 1)),
        "predicted": np.full(n, 1),
        "expected_accuracy": 0.9,
        "accuracy_low": 0.88,
        "cost_ms": 0.5,
        "saved_ms": 1.5,
        "rejected": lambda floor: {},
    }
    return GroupAnswer(**(known | fields))


def batch(*records: FakeRecord) -> RequestBatch:
    found, _ = Decoder(DIGITS, Policy().for_task("digits")).decode(Columns.of(records), 1e6)
    return found


def encode(encoder: Encoder, some: GroupAnswer) -> list[Any]:
    n = len(some.items)
    requests = batch(*(FakeRecord(raw(1, 2, 3, 4), offset_=i) for i in range(n)))
    bodies = encoder.bodies(requests, some, np.full(n, 3.0), set())
    return [msgspec.json.decode(body) for body in bodies]


@pytest.fixture
def encoder() -> Encoder:
    return Encoder(DIGITS, "c1")


@pytest.mark.parametrize("n", [1, 100])
def test_each_cut_short_answer_has_its_own_expected_accuracy(encoder: Encoder, n: int) -> None:
    for expected in (0.88, 0.55, 0.880001):
        cut = answer(n, choice=Choice.CUT_SHORT, expected_accuracy=expected, accuracy_low=expected)
        found = encode(encoder, cut)
        assert {body["parameters"]["expected_accuracy"] for body in found} == {expected}
        assert len(found) == n


def test_an_accuracy_that_labels_moved_is_told_at_once(encoder: Encoder) -> None:
    for expected in (0.9, 0.95):
        [found] = encode(encoder, answer(expected_accuracy=expected, beliefs=((), (0.88,))))
        assert found["parameters"]["expected_accuracy"] == expected


def test_parameters_are_texts_numbers_and_booleans_as_v2_demands(encoder: Encoder) -> None:
    some = answer(
        rejected=lambda floor: {"tree": f"accuracy 0.7790 < {floor:g}", 'a"b': "deadline"},
        objective=Objective.ENERGY,
        cost=0.25,
        cost_saved=-0.125,
    )
    [found] = encode(encoder, some)
    parameters = found["parameters"]
    assert {type(value) for value in parameters.values()} <= {str, float, int, bool}
    assert parameters["rejected"] == 'tree: accuracy 0.7790 < 0.9; a"b: deadline'
    assert (parameters["objective"], parameters["cost"], parameters["cost_saved"]) == (
        "energy",
        0.25,
        -0.125,
    )
    assert msgspec.json.decode(msgspec.json.encode(found), type=Prediction).parameters.cost == 0.25


def test_what_is_not_there_is_left_out(encoder: Encoder) -> None:
    [found] = encode(encoder, answer())
    assert (
        not {"rejected", "objective", "cost", "cost_saved", "duplicate"}
        & found["parameters"].keys()
    )


def test_each_answer_has_its_own_targets_and_what_is_remembered_of_them_is_bounded(
    encoder: Encoder,
) -> None:
    def told(first_ms: int, n: int, beliefs: int) -> list[tuple[float, bool]]:
        records = [
            FakeRecord(raw(1, 2, 3, 4), [("ce_maxlatencyms", b"%d" % (first_ms + i))], offset_=i)
            for i in range(n)
        ]
        some = answer(n, beliefs=beliefs, rejected=lambda floor: {"tree": f"view {beliefs}"})
        bodies = encoder.bodies(batch(*records), some, np.full(n, 1003.0), set())
        found = [msgspec.json.decode(body, type=Prediction).parameters for body in bodies]
        assert {p.rejected for p in found} == {f"tree: view {beliefs}"}
        return [(p.max_latency_ms, p.deadline_met) for p in found]

    for n in (5, 100):
        for beliefs in (1, 2):
            expected = [(1000.0 + i, i >= 3) for i in range(n)]
            assert told(1000, n, beliefs) == expected
    for beliefs in range(2_000, 2_060):
        told(1000 + beliefs, 300, beliefs % 9)
    assert sum(map(len, encoder._cache.values())) <= 2 * 4096 + 300
    for beliefs in range(300):
        told(1000, 1, beliefs)
    assert len(encoder._cache) <= 256
