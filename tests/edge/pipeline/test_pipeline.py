"""decode -> choose -> run -> encode, with fake models and a fixed clock."""

from typing import Any

import msgspec
import numpy as np
import pytest
from ounce_schemas.errors import PolicyError, Reason
from ounce_schemas.label import Label, LabelOutcome
from ounce_schemas.prediction import Prediction
from ounce_schemas.routing import Choice

from tests.support.edge.ladders import DIGITS, NUMBERS, FakeRecord, Outbox, raw, serve, served
from tests.support.edge.pipelines import (
    GOOD,
    HEAVY,
    LIGHT,
    NOW_S,
    pipeline,
    prediction,
    process,
    second_label,
)


def test_a_prediction_says_what_why_and_whether_the_targets_were_met() -> None:
    models = served(DIGITS, "light", **LIGHT), served(DIGITS, "heavy", second_label, **HEAVY)
    headers = [("ce_id", b'i"1'), ("ce_source", b"/d/9"), ("traceparent", b"00-a-b-01")]
    sent, report = process(pipeline(*models), FakeRecord(GOOD, headers))
    [record] = sent
    answer = prediction(record)
    assert record[2] == b"device-1"
    assert dict(record[3]) == {
        "ce_id": b'i"1',
        "ce_specversion": b"1.0",
        "ce_type": b"io.ounce.prediction",
        "ce_source": b"/ounce/digits",
        "content-type": b"application/json",
        "traceparent": b"00-a-b-01",
    }
    assert answer.model_name == answer.parameters.plan == "heavy"
    assert answer.model_version == models[1].card.version
    assert answer.id == 'i"1'
    decision = answer.parameters
    assert decision.reason is Choice.LIGHTEST_FEASIBLE
    assert decision.rejected == "light: accuracy 0.8300 < 0.9"
    assert (decision.max_latency_ms, decision.min_accuracy) == (100, 0.9)
    assert decision.expected_accuracy == 0.99
    assert decision.latency_ms == pytest.approx(20)
    assert decision.deadline_met
    assert decision.floor_met
    assert not decision.duplicate
    assert decision.cost_ms > 0
    assert decision.saved_ms == 0  # it is the most accurate one
    assert (decision.policy_version, decision.catalogue_version) == ("p1", "catalogue-1")
    assert [(o.name, o.data) for o in answer.outputs] == [
        ("label", ['o"ne']),
        ("confidence", [pytest.approx(0.7)]),
    ]
    assert report.groups[0].n == 1
    assert report.groups[0].deadline_misses == report.groups[0].floor_misses == 0


def test_the_saving_is_against_the_most_accurate_model() -> None:
    models = served(DIGITS, "light", **LIGHT), served(DIGITS, "heavy", **HEAVY)
    record = FakeRecord(GOOD, [("ce_minaccuracy", b"0.5")])
    [sent], report = process(pipeline(*models), record)
    decision = prediction(sent).parameters
    # Whatever the light call took: one alone is no reason to believe the machine slower.
    assert decision.saved_ms + decision.cost_ms == pytest.approx(2.0, rel=1e-3)
    assert report.groups[0].always_best_ms == pytest.approx(2.0)


def test_a_bare_record_gets_a_bare_answer() -> None:
    [record], _ = process(pipeline(served(DIGITS, "a")), FakeRecord(GOOD, offset_=5))
    assert record[3] is None
    assert prediction(record).id == "ounce.digits.requests-3-5"


def test_messages_are_grouped_by_model_one_call_each() -> None:
    light, heavy = served(DIGITS, "light", **LIGHT), served(DIGITS, "heavy", **HEAVY)
    floors = [0.5, 0.9, 0.5, 0.9, 0.5]
    records = [
        FakeRecord(GOOD, [("ce_minaccuracy", str(floor).encode())], offset_=i)
        for i, floor in enumerate(floors)
    ]
    sent, report = process(pipeline(light, heavy), *records)
    assert light.loaded.batch_sizes == [3]
    assert heavy.loaded.batch_sizes == [2]
    by_offset = {prediction(r).id.rsplit("-", 1)[1]: prediction(r).model_name for r in sent}
    assert by_offset == {"0": "light", "1": "heavy", "2": "light", "3": "heavy", "4": "light"}
    assert [(g.model, g.n) for g in report.groups] == [("light", 3), ("heavy", 2)]


def test_a_record_that_is_late_before_it_is_read_is_answered_and_labelled() -> None:
    late = FakeRecord(GOOD, timestamp_ms=900_000)
    [record], report = process(pipeline(served(DIGITS, "a", **LIGHT), served(DIGITS, "b")), late)
    decision = prediction(record).parameters
    assert decision.reason is Choice.FALLBACK_LATE
    assert not decision.deadline_met
    assert decision.floor_met
    assert decision.latency_ms == pytest.approx(100_020)
    assert report.groups[0].deadline_misses == 1


def test_a_floor_that_nothing_meets_is_answered_and_labelled() -> None:
    record = FakeRecord(GOOD, [("ce_minaccuracy", b"1.0")])
    models = served(DIGITS, "light", **LIGHT), served(DIGITS, "heavy", **HEAVY)
    [sent], report = process(pipeline(*models), record)
    answer = prediction(sent)
    assert answer.model_name == "heavy"
    assert answer.parameters.reason is Choice.FALLBACK_MOST_ACCURATE_IN_TIME
    assert not answer.parameters.floor_met
    assert answer.parameters.rejected == "light: accuracy 0.8300 < 1; heavy: accuracy 0.9700 < 1"
    assert report.groups[0].floor_misses == 1


@pytest.mark.parametrize(("floor", "is_met"), [(b"0.83", True), (b"0.83001", False)])
def test_a_floor_that_is_just_met_is_no_miss(floor: bytes, is_met: bool) -> None:
    serving = pipeline(served(DIGITS, "only", accuracy=0.85, low=0.83))
    [sent], report = process(serving, FakeRecord(GOOD, [("ce_minaccuracy", floor)]))
    assert prediction(sent).parameters.floor_met is is_met
    assert report.groups[0].floor_misses == (not is_met)


def test_refuse_makes_a_dead_letter() -> None:
    record = FakeRecord(GOOD, [("ce_minaccuracy", b"1.0")])
    [sent], report = process(pipeline(served(DIGITS, "a"), fallback="refuse"), record)
    assert sent[0] == "ounce.digits.dead-letters"
    assert dict(sent[3])["ounce-dead-letter-reason"] == b"refused"
    assert report.rejected == [Reason.REFUSED]


def test_a_dead_letter_holds_the_record_byte_for_byte_and_why() -> None:
    headers = [("ce_maxlatencyms", b"-1"), ("x", None), ("x", b"\xff")]
    bad = FakeRecord(b"\x00\xff", headers, key_=None, timestamp_ms=-1)
    sent, report = process(pipeline(served(DIGITS, "a")), FakeRecord(GOOD), bad)
    assert len(sent) == 2
    topic, value, key, found = sent[0]
    assert (topic, value, key) == ("ounce.digits.dead-letters", b"\x00\xff", None)
    assert found[:3] == headers
    why = dict(found[3:])
    assert b"-1 ms is not in (0, 3600000]" in why.pop("ounce-dead-letter-text")
    assert why == {
        "ounce-dead-letter-reason": b"bad-target",
        "ounce-dead-letter-topic": b"ounce.digits.requests",
        "ounce-dead-letter-partition": b"3",
        "ounce-dead-letter-offset": b"7",
        "ounce-dead-letter-timestamp": b"-1",
    }
    assert report.rejected == [Reason.BAD_TARGET]


def test_a_tombstone_becomes_a_dead_letter_without_a_value() -> None:
    [sent], _ = process(pipeline(served(DIGITS, "a")), FakeRecord(None))
    assert sent[1] is None
    assert dict(sent[3])["ounce-dead-letter-reason"] == b"null-value"


def test_a_repeated_id_is_answered_again_and_labelled() -> None:
    serving = pipeline(served(DIGITS, "a"))
    headers = [("ce_id", b"1"), ("ce_source", b"/d/1")]
    other = [("ce_id", b"1"), ("ce_source", b"/d/2")]
    sent, report = process(serving, FakeRecord(GOOD, headers), FakeRecord(GOOD, headers))
    assert [prediction(r).parameters.duplicate for r in sent] == [False, True]
    assert report.repeats == 1
    sent, report = process(serving, FakeRecord(GOOD, headers), FakeRecord(GOOD, other))
    assert [prediction(r).parameters.duplicate for r in sent] == [True, False]


def test_without_a_source_an_id_belongs_to_the_device_of_the_key() -> None:
    serving, headers = pipeline(served(DIGITS, "a")), [("ce_id", b"1")]
    devices = [FakeRecord(GOOD, headers, key_=key) for key in (b"one", b"two", None, b"one")]
    sent, report = process(serving, *devices)
    assert [prediction(r).parameters.duplicate for r in sent] == [False, False, False, True]
    assert report.repeats == 1


def test_a_label_is_held_against_the_answer_to_its_own_device() -> None:
    def first_or_second(inputs: Any) -> Any:
        return np.eye(3, dtype=np.float32)[inputs["input"][:, 0].astype(int)]

    serving = pipeline(served(DIGITS, "a", first_or_second))
    for source in ([("ce_source", b"/d/1")], [("ce_source", b"/d/2")]):
        body = raw(*([0.0] * 4 if source[0][1] == b"/d/1" else [1.0] * 4))
        process(serving, FakeRecord(body, [("ce_id", b"7"), *source]))
    before = serving.plans.accuracy.value[0]
    for source, text in (("/d/1", "zero"), ("/d/2", 'o"ne')):
        joined = serving._answering.memory.join([Label("7", label=text, source=source)])
        assert [list(p.counts()) for p in joined.plans.values()] == [[(0, 1, 0)]]
    assert serving.learn([Label("7", label="zero")]).outcomes[LabelOutcome.AMBIGUOUS] == 1
    assert serving.plans.accuracy.value[0] == before


@pytest.mark.parametrize("off_ms", [-1_700_000_000_000, -86_400_000, 86_400_000, 1_700_000_000_000])
def test_a_device_whose_clock_is_off_is_served_and_marked(off_ms: int) -> None:
    now_ms = 1_800_000_000_000
    serving = pipeline(served(DIGITS, "a"), clock=lambda: now_ms / 1e3)
    right = FakeRecord(GOOD, timestamp_ms=now_ms - 3, offset_=0)
    wrong = FakeRecord(GOOD, [("ce_maxlatencyms", b"50")], timestamp_ms=now_ms + off_ms, offset_=1)
    sent, report = process(serving, right, wrong)
    by_offset = {prediction(r).id[-1]: prediction(r).parameters for r in sent}
    assert (by_offset["0"].timestamp_off, by_offset["1"].timestamp_off) == (False, True)
    assert by_offset["1"].deadline_met
    assert by_offset["1"].latency_ms == 0.0
    assert report.timestamps_off == 1
    assert sum(g.deadline_misses for g in report.groups) == 0
    assert max(float(g.latency_ms.max()) for g in report.groups) == 3.0
    assert report.waited_ms.max() == 3.0


def test_each_of_many_answers_tells_of_its_own_request() -> None:
    ages_ms = [0, 1, 19, 500, 70_000, 900_000]
    targets = [(b"100", b"0.5"), (b"100", b"0.505"), (b"99.5", b"0.5"), (b"3600000", b"0")]
    records, expected = [], []
    for i in range(120):
        age_ms, (latency, floor) = ages_ms[i % 6], targets[i % 4]
        id_ = b"%d" % (i % 100)
        records.append(
            FakeRecord(
                GOOD,
                [("ce_id", id_), ("ce_maxlatencyms", latency), ("ce_minaccuracy", floor)],
                timestamp_ms=round(NOW_S * 1e3) - age_ms,
            )
        )
        met = age_ms <= float(latency)
        expected.append((id_.decode(), float(latency), float(floor), age_ms, met, i >= 100))
    sent, _ = process(pipeline(served(DIGITS, "a")), *records)
    found = [
        (a.id, p.max_latency_ms, p.min_accuracy, p.latency_ms, p.deadline_met, p.duplicate)
        for a in map(prediction, sent)
        for p in [a.parameters]
    ]
    assert sorted(found) == sorted(expected)


def test_regression_answers_value_and_interval() -> None:
    def estimate(inputs: Any) -> Any:
        return np.array([[1234.5678, -0.5, 2500.25]], np.float32)

    body = msgspec.json.encode(
        {
            "inputs": [
                {"name": "input", "shape": [2], "datatype": "FP32", "data": [1, None]},
                {"name": "categories", "shape": [1], "datatype": "BYTES", "data": ["a"]},
            ]
        }
    )
    serving = pipeline(served(NUMBERS, "a", estimate), task=NUMBERS)
    outbox = Outbox()
    serve(serving, [FakeRecord(body, topic_="ounce.numbers.requests")], outbox)
    [(topic, value, _, _)] = outbox.records
    assert topic == "ounce.numbers.predictions"
    outputs = msgspec.json.decode(value, type=Prediction).outputs
    assert [(o.name, o.shape, o.data) for o in outputs] == [
        ("value", [1], [1234.57]),
        ("interval", [1, 2], [-0.5, 2500.25]),
    ]


def test_requested_outputs_only() -> None:
    body = msgspec.json.encode(
        {
            "inputs": [
                {"name": "input", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}
            ],
            "outputs": [{"name": "probabilities"}],
        }
    )
    [record], _ = process(pipeline(served(DIGITS, "a", second_label)), FakeRecord(body))
    [output] = prediction(record).outputs
    assert (output.name, output.shape) == ("probabilities", [1, 3])
    assert output.data == pytest.approx([0.1, 0.7, 0.2])


def test_a_policy_that_permits_nothing_or_names_the_unknown_is_refused() -> None:
    with pytest.raises(PolicyError, match=r"has no model \['huge'\]; it has \['a'\]"):
        pipeline(served(DIGITS, "a"), tasks={"digits": {"allow": ["a", "huge"]}})
    with pytest.raises(PolicyError, match="permits none"):
        pipeline(served(DIGITS, "a"), tasks={"digits": {"deny": ["a"]}})


def test_a_policy_decides_which_models_answer() -> None:
    models = served(DIGITS, "light", **LIGHT), served(DIGITS, "heavy", **HEAVY)
    tasks = {"digits": {"deny": ["light"], "min_accuracy": 0.1}}
    [record], _ = process(pipeline(*models, tasks=tasks), FakeRecord(GOOD))
    assert prediction(record).model_name == "heavy"


def test_percent_signs_in_names_survive() -> None:
    serving = pipeline(served(DIGITS, "a"), version='100%d "x"')
    [record], _ = process(serving, FakeRecord(GOOD))
    assert prediction(record).parameters.policy_version == '100%d "x"'
