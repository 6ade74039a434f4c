"""decode -> choose -> run -> encode, with fake models and a fixed clock."""

import time
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from ounce_edge.beliefs import card_belief, measured_belief
from ounce_edge.pipeline import Pipeline
from ounce_edge.reports import Report
from ounce_edge.truth import AnswerMemory
from ounce_schemas.card import AccuracyEstimate, LatencyAtBatch
from ounce_schemas.errors import PolicyError, Reason
from ounce_schemas.event import EventKind
from ounce_schemas.label import Label, LabelOutcome
from ounce_schemas.plans import ClassProfile, PlanProfile, Step
from ounce_schemas.policy import Policy
from ounce_schemas.prediction import Prediction
from ounce_schemas.routing import Choice

from tests.support.edge import (
    DIGITS,
    NUMBERS,
    FakeRecord,
    Outbox,
    ladder,
    raw,
    serve,
    served,
)

NOW_S = 1000.02
GOOD = raw(1, 2, 3, 4)


def second_label(inputs: Any) -> Any:
    return np.tile(np.array([0.1, 0.7, 0.2], np.float32), (len(inputs["input"]), 1))


def pipeline(*models: Any, task: Any = DIGITS, clock: Any = None, **policy: Any) -> Pipeline:
    return Pipeline(
        ladder(task, *models),
        Policy(version="p1", **policy).for_task(task.name),
        clock=clock or (lambda: NOW_S),
        believe=lambda model: card_belief(model.card),
    )


LIGHT = {"accuracy": 0.85, "ms_per_item": 0.01}
HEAVY = {"accuracy": 0.99, "ms_per_item": 2.0}


def process(served_by: Pipeline, *records: FakeRecord) -> tuple[list[Any], Report]:
    outbox = Outbox()
    report = serve(served_by, records, outbox)
    return outbox.records, report


def prediction(record: tuple[Any, ...]) -> Prediction:
    topic, value, _, _ = record
    assert topic == "ounce.digits.predictions"
    return msgspec.json.decode(value, type=Prediction)


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
    assert decision.rejected == {"light": "accuracy 0.8300 < 0.9"}
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
    excess = max(decision.cost_ms - 0.01, 0)  # what the light call took over its profile
    assert decision.saved_ms + decision.cost_ms == pytest.approx(2.0 + excess, rel=1e-3)
    assert report.groups[0].always_best_ms == pytest.approx(2.0 + excess, rel=1e-3)


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
    assert list(answer.parameters.rejected) == ["light", "heavy"]
    assert report.groups[0].floor_misses == 1


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
    assert b"-1 ms is not in (0, 3.6e+06]" in why.pop("ounce-dead-letter-text")
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


def raises(inputs: Any) -> Any:
    raise RuntimeError("out of memory")


def not_finite(inputs: Any) -> Any:
    return np.full((len(inputs["input"]), 3), np.nan, np.float32)


@pytest.mark.parametrize("fails", [raises, not_finite])
def test_a_model_that_fails_is_suspended_and_another_answers(fails: Any) -> None:
    models = served(DIGITS, "light", fails, **LIGHT), served(DIGITS, "heavy", **HEAVY)
    serving = pipeline(*models)
    record = FakeRecord(GOOD, [("ce_minaccuracy", b"0.5")])
    sent, report = process(serving, record, record)
    assert [prediction(r).model_name for r in sent] == ["heavy", "heavy"]
    assert [(h.kind, h.subject) for h in report.happenings] == [
        (EventKind.MODEL_SUSPENDED, "light")
    ]
    assert report.next_offsets == {3: 8}
    n_calls = len(models[0].loaded.batch_sizes)
    process(serving, record)  # it is not tried again at once
    assert len(models[0].loaded.batch_sizes) == n_calls


def test_a_suspended_model_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 50.0

    def a_tenth_of_a_millisecond_later() -> float:
        nonlocal now_s
        now_s += 0.0001
        return now_s

    monkeypatch.setattr("ounce_edge.pipeline.time.perf_counter", a_tenth_of_a_millisecond_later)
    ill = True
    models = (
        served(DIGITS, "light", lambda x: not_finite(x) if ill else second_label(x), **LIGHT),
        served(DIGITS, "heavy", **HEAVY),
    )
    serving = pipeline(*models)
    record = FakeRecord(GOOD, [("ce_minaccuracy", b"0.5")])
    for at_s, is_ill, model, kinds in (
        (50.0, True, "heavy", [EventKind.MODEL_SUSPENDED]),
        (50.9, True, "heavy", []),
        (51.5, True, "heavy", [EventKind.MODEL_SUSPENDED]),  # tried, and out for twice as long
        (53.0, False, "heavy", []),
        (54.0, False, "light", [EventKind.MODEL_RESTORED]),
    ):
        now_s, ill = at_s, is_ill
        [sent], report = process(serving, record)
        assert prediction(sent).model_name == model
        assert [h.kind for h in report.happenings] == kinds


def test_an_input_that_a_model_cant_answer_costs_no_other_and_no_model() -> None:
    def fails_on_fives(inputs: Any) -> Any:
        result = second_label(inputs)
        result[inputs["input"][:, 0] == 5] = np.nan
        return result

    models = served(DIGITS, "light", fails_on_fives, **LIGHT), served(DIGITS, "heavy", **HEAVY)
    serving = pipeline(*models, min_accuracy=0.5)
    sent, report = process(serving, FakeRecord(GOOD), FakeRecord(raw(5, 5, 5, 5)), FakeRecord(GOOD))
    assert [r[0].rsplit(".")[-1] for r in sent] == ["predictions", "predictions", "dead-letters"]
    assert report.rejected == [Reason.MODEL_FAILED]
    assert report.happenings == []
    [again], _ = process(serving, FakeRecord(GOOD))
    assert prediction(again).model_name == "light"


def test_every_model_failing_loses_no_record() -> None:
    def fails(inputs: Any) -> Any:
        raise RuntimeError("no")

    sent, report = process(pipeline(served(DIGITS, "a", fails)), FakeRecord(GOOD), FakeRecord(GOOD))
    assert [r[0] for r in sent] == ["ounce.digits.dead-letters"] * 2
    assert report.groups == []


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
    serving = Pipeline(
        ladder(DIGITS, served(DIGITS, "a")),
        Policy(version='100%d "x"').for_task("digits"),
        clock=lambda: NOW_S,
        believe=lambda model: card_belief(model.card),
    )
    [record], _ = process(serving, FakeRecord(GOOD))
    assert prediction(record).parameters.policy_version == '100%d "x"'


class Clock:
    """A clock for `time.perf_counter` that only models and tests move."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 50.0
        monkeypatch.setattr("ounce_edge.pipeline.time.perf_counter", lambda: self.now_s)

    def takes(self, ms: dict[str, float], name: str) -> Any:
        """A model whose items take what `ms` says at the time."""

        def answer(inputs: Any) -> Any:
            self.now_s += len(inputs["input"]) * ms[name] / 1e3
            return second_label(inputs)

        return answer


def test_a_model_that_becomes_ten_times_slower_is_suspended_and_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, ms = Clock(monkeypatch), {"light": 0.01, "heavy": 2.0}
    serving = pipeline(
        served(DIGITS, "light", clock.takes(ms, "light"), **LIGHT),
        served(DIGITS, "heavy", clock.takes(ms, "heavy"), **HEAVY),
    )
    either = [FakeRecord(GOOD, [("ce_minaccuracy", floor)]) for floor in (b"0.5", b"0.95")]
    for _ in range(300):
        clock.now_s += 0.01
        process(serving, *either)
    ms["light"] = 0.1
    told = []
    for _ in range(80):
        clock.now_s += 0.01
        sent, report = process(serving, *either)
        told += [(h.kind, h.subject) for h in report.happenings]
    assert told == [(EventKind.MODEL_SUSPENDED, "light")]
    assert {prediction(r).model_name for r in sent} == {"heavy"}
    ms["light"] = 0.01
    clock.now_s += 1.1
    sent, report = process(serving, *either)
    assert [(h.kind, h.subject) for h in report.happenings] == [(EventKind.MODEL_RESTORED, "light")]
    assert {prediction(r).model_name for r in sent} == {"light", "heavy"}


def test_a_slow_machine_suspends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, ms = Clock(monkeypatch), {"light": 0.01, "heavy": 2.0}
    serving = pipeline(
        served(DIGITS, "light", clock.takes(ms, "light"), **LIGHT),
        served(DIGITS, "heavy", clock.takes(ms, "heavy"), **HEAVY),
    )
    either = [FakeRecord(GOOD, [("ce_minaccuracy", floor)]) for floor in (b"0.95", b"0.5")]
    for factor in (1, 10):
        ms.update(light=0.01 * factor, heavy=2.0 * factor)
        for _ in range(300):
            clock.now_s += 0.01
            _, report = process(serving, *either)
            assert report.happenings == []


def test_an_absurd_latency_on_a_card_shuts_no_model_out() -> None:
    model = served(DIGITS, "a", ms_per_item=1e9)
    mad = model.card.latency.model_copy(
        update={
            "batches": tuple(
                LatencyAtBatch(batch_size=n, p50_ms=50.0, p99_ms=1e12) for n in (1, 8, 32, 64)
            )
        }
    )
    model = replace(model, card=model.card.model_copy(update={"latency": mad}))
    belief = measured_belief(model)
    for n in (1, 8, 32, 64, 1000):
        assert belief.p99_ms(n) < 100.0
        assert belief.median_ms(n) > 0.0


def test_a_clock_that_jumps_loses_nothing() -> None:
    times = iter([1000.02, 1000.02, 4600.0, 4600.0, 4600.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0])
    serving = pipeline(served(DIGITS, "a"), clock=lambda: next(times, 10.0))
    for _ in range(4):
        [sent], report = process(serving, FakeRecord(GOOD))
        assert prediction(sent).parameters.latency_ms >= 0.0
        assert (report.waited_ms >= 0.0).all()


def confident(confidence: float, share: float) -> Any:
    """Answers the second label, with that confidence on the first part of a batch."""

    def answer(inputs: Any) -> Any:
        n = len(inputs["input"])
        result = np.tile(np.array([0.2, 0.5, 0.3], np.float32), (n, 1))
        rest = (1.0 - confidence) / 2
        result[: round(share * n)] = np.array([rest, confidence, rest], np.float32)
        return result

    return answer


def cascade(light: Any, heavy: Any, threshold: float = 0.8) -> PlanProfile:
    digests = [m.card.sha256 for m in (light, heavy)]
    return PlanProfile(
        name="light>heavy@0.8",
        steps=(
            Step(model="light", sha256=digests[0], reach=1.0, threshold=threshold, error_bound=0.1),
            Step(model="heavy", sha256=digests[1], reach=0.25),
        ),
        accuracy=AccuracyEstimate(value=0.97, low=0.95, high=0.98, n=100),
        confidence_threshold=0.5,
        classes=tuple(ClassProfile(label=x, n=1, accurate=1, confident=1) for x in DIGITS.labels),
    )


def two_steps(light_answer: Any = None, heavy_answer: Any = None, **policy: Any) -> Any:
    light = served(DIGITS, "light", light_answer or confident(0.9, 0.75), **LIGHT)
    heavy = served(DIGITS, "heavy", heavy_answer, **HEAVY)
    serving = Pipeline(
        replace(ladder(DIGITS, light, heavy), plans=[cascade(light, heavy)]),
        Policy(version="p1", **policy).for_task("digits"),
        clock=lambda: NOW_S,
        believe=lambda model: card_belief(model.card),
    )
    return serving, light, heavy


def test_a_cascade_goes_on_where_it_is_not_confident() -> None:
    serving, light, heavy = two_steps(min_accuracy=0.94)
    records = [FakeRecord(GOOD, offset_=i) for i in range(8)]
    sent, report = process(serving, *records)
    assert (light.loaded.batch_sizes, heavy.loaded.batch_sizes) == ([8], [2])
    answers = {int(prediction(r).id.rsplit("-", 1)[1]): prediction(r) for r in sent}
    assert [answers[i].model_name for i in range(8)] == ["light"] * 6 + ["heavy"] * 2
    assert [answers[i].outputs[0].data for i in range(8)] == [['o"ne']] * 6 + [["zero"]] * 2
    for answer in answers.values():
        assert answer.parameters.plan == "light>heavy@0.8"
        assert answer.parameters.reason is Choice.LIGHTEST_FEASIBLE
        assert answer.parameters.expected_accuracy == 0.97
        assert answer.parameters.floor_met
    assert answers[7].parameters.cost_ms > answers[0].parameters.cost_ms
    assert report.escalated == 2
    assert [(c.model, c.n) for c in report.calls] == [("light", 8), ("heavy", 2)]
    spent = sum(a.parameters.cost_ms for a in answers.values())
    assert spent == pytest.approx(sum(c.run_ms for c in report.calls), rel=1e-3)


def test_a_policy_may_forbid_cascades_or_a_model_of_them() -> None:
    for rules in ({"cascades": False}, {"tasks": {"digits": {"deny": ["light"]}}}):
        serving, light, _ = two_steps(min_accuracy=0.94, **rules)
        [sent], _ = process(serving, FakeRecord(GOOD))
        assert prediction(sent).parameters.plan == "heavy"
        assert light.loaded.batch_sizes == []


def test_a_cascade_whose_time_runs_out_gives_the_light_answer_labelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch)
    light_takes = clock.takes({"light": 77.0 / 8}, "light")

    def slow(inputs: Any) -> Any:
        light_takes(inputs)
        return confident(0.9, 0.75)(inputs)

    serving, _, heavy = two_steps(slow, min_accuracy=0.94)
    sent, report = process(serving, *(FakeRecord(GOOD, offset_=i) for i in range(8)))
    answers = {int(prediction(r).id.rsplit("-", 1)[1]): prediction(r) for r in sent}
    assert heavy.loaded.batch_sizes == [1]  # of 80 ms 77 are gone: one fits into the rest
    cut = [i for i, a in answers.items() if a.parameters.reason is Choice.CUT_SHORT]
    assert len(cut) == 1
    decision = answers[cut[0]].parameters
    assert not decision.floor_met
    assert decision.expected_accuracy == pytest.approx(0.5)  # its confidence
    assert answers[cut[0]].model_name == "light"
    assert report.escalated == 1


@pytest.mark.parametrize("fails", [raises, not_finite])
def test_a_second_step_that_fails_costs_no_answer(fails: Any) -> None:
    serving, _, _ = two_steps(heavy_answer=fails, min_accuracy=0.94)
    sent, report = process(serving, *(FakeRecord(GOOD, offset_=i) for i in range(8)))
    assert len(sent) == 8
    assert {prediction(r).model_name for r in sent} == {"light"}
    reasons = [prediction(r).parameters.reason for r in sent]
    assert reasons.count(Choice.FALLBACK_MOST_ACCURATE_IN_TIME) == 2
    first = report.happenings[0]
    assert (first.kind, first.subject) == (
        EventKind.MODEL_SUSPENDED,
        "heavy",
    )
    assert report.next_offsets == {3: 8}


def test_a_floor_that_nothing_meets_any_more_is_told_once_and_so_is_its_return() -> None:
    serving, _, _ = two_steps(cascades=False)
    serving.plans.accuracy.observe_labels(1, 500, 500, time.perf_counter())
    record = FakeRecord(GOOD, [("ce_minaccuracy", b"0.95")])
    kinds = []
    for later_s in (0.0, 2.0, 4.0):
        serving.plans._refreshed_at_s = -1e9  # a second later
        if later_s == 4.0:
            for _ in range(60):
                serving.plans.accuracy.observe_labels(1, 99, 1, time.perf_counter())
        [sent], report = process(serving, record)
        kinds.append([h.kind for h in report.happenings])
        assert prediction(sent).parameters.floor_met == (later_s == 4.0)
    assert kinds[0] == [EventKind.ACCURACY_CHANGED, EventKind.FLOOR_UNREACHABLE]
    assert kinds[1] == []
    assert EventKind.FLOOR_REACHABLE in kinds[2]


def label(id_: str, text: str | None) -> Label:
    return Label(id=id_, label=text)


def test_labels_move_the_beliefs_and_bad_ones_do_not() -> None:
    serving, _, _ = two_steps(cascades=False, min_accuracy=0.5)
    for start in range(0, 100, 10):
        headers = [[("ce_id", b"%d" % i)] for i in range(start, start + 10)]
        process(serving, *(FakeRecord(GOOD, h) for h in headers))
    before = serving.plans.accuracy.value[0]
    counts = serving.learn(
        [
            label("unknown", 'o"ne'),
            label("1", 'o"ne'),
            label("1", 'o"ne'),
            label("2", "none of them"),
            label("3", None),
            Label(id="4", value=1.0),
        ]
    )
    assert {outcome: n for outcome, n in counts.items() if n} == {
        LabelOutcome.UNKNOWN: 1,
        LabelOutcome.JOINED: 1,
        LabelOutcome.REPEATED: 1,
        LabelOutcome.INVALID: 3,
    }
    serving.learn([label(str(i), "zero") for i in range(10, 100)])
    serving.plans.accuracy.refresh(1.0)
    assert before == 0.85
    assert serving.plans.accuracy.value[0] < 0.1


def test_a_label_after_a_week_is_unknown() -> None:
    serving, _, _ = two_steps(min_accuracy=0.5)
    serving._answering.memory = AnswerMemory(DIGITS, capacity=100)
    process(serving, FakeRecord(GOOD, [("ce_id", b"old")]))
    for i in range(60):
        process(serving, *(FakeRecord(GOOD, offset_=10 * i + k) for k in range(10)))
    assert serving.learn([label("old", "zero")])[LabelOutcome.UNKNOWN] == 1


def test_urgent_requests_are_answered_before_those_that_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heavy = served(DIGITS, "heavy", Clock(monkeypatch).takes({"heavy": 2.0}, "heavy"), **HEAVY)
    serving, outbox = pipeline(heavy), Outbox()
    patient = [("ce_maxlatencyms", b"10000")]
    serving.admit([FakeRecord(GOOD, patient, offset_=i) for i in range(40)], outbox)
    first = serving.step(outbox)
    assert heavy.loaded.batch_sizes == [2]  # a slice of 5 ms
    assert first.next_offsets == {}  # the poll is not answered in full
    urgent = [("ce_maxlatencyms", b"60"), ("ce_id", b"urgent")]
    serving.admit([FakeRecord(GOOD, urgent, offset_=40)], outbox)
    serving.step(outbox)
    assert "urgent" in {prediction(r).id for r in outbox.records[2:]}
    while len(serving.waiting):
        last = serving.step(outbox)
    assert last.next_offsets == {3: 41}
    assert len(outbox.records) == 41


def test_late_requests_do_not_wait_for_ever_behind_timely_ones() -> None:
    serving, outbox = pipeline(served(DIGITS, "heavy", **HEAVY)), Outbox()
    late = [("ce_id", b"late"), ("ce_maxlatencyms", b"1")]
    serving.admit([FakeRecord(GOOD, late)], outbox)
    for i in range(3):
        serving.admit([FakeRecord(GOOD, offset_=10 * i + k) for k in range(10)], outbox)
        serving.step(outbox)
    assert "late" in {prediction(r).id for r in outbox.records}


def test_requests_of_lost_partitions_are_dropped_and_not_committed() -> None:
    serving, outbox = pipeline(served(DIGITS, "heavy", **HEAVY)), Outbox()
    records = [FakeRecord(GOOD, partition_=i % 2, offset_=i // 2) for i in range(10)]
    serving.admit(records, outbox)
    assert serving.drop([1]) == 5
    while len(serving.waiting):
        serving.step(outbox)
    assert {prediction(r).id.split("-")[-2] for r in outbox.records} == {"0"}


def test_a_model_that_was_slow_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 50.0

    def a_millisecond_later() -> float:
        nonlocal now_s
        now_s += 0.001
        return now_s

    monkeypatch.setattr("ounce_edge.pipeline.time.perf_counter", a_millisecond_later)
    light, heavy = served(DIGITS, "light", **LIGHT), served(DIGITS, "heavy", **HEAVY)
    serving = pipeline(light, heavy)
    record = FakeRecord(GOOD, [("ce_minaccuracy", b"0.5")])
    for _ in range(2):  # light: half a second
        serving.plans.models[0].latency.observe(1, 500.0, now_s)
    for later_s, model in ((0.5, "heavy"), (9.0, "heavy"), (10.5, "light")):
        now_s = 50.0 + later_s
        [sent], _ = process(serving, record)
        assert prediction(sent).model_name == model
