"""Cascades in the pipeline, and what labels teach it of them."""

from typing import Any

import numpy as np
import pytest
from ounce_edge.evidence.answer_memory import AnswerMemory
from ounce_schemas.card import AccuracyEstimate
from ounce_schemas.event import EventKind
from ounce_schemas.label import Label, LabelOutcome
from ounce_schemas.plans import ClassProfile, PlanProfile, Step
from ounce_schemas.routing import Choice

from tests.support.edge.ladders import DIGITS, FakeRecord, served
from tests.support.edge.pipelines import (
    GOOD,
    HEAVY,
    LIGHT,
    Clock,
    not_finite,
    pipeline,
    prediction,
    process,
    raises,
)


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


def two_steps(
    light_answer: Any = None, heavy_answer: Any = None, steady: Any = None, **policy: Any
) -> Any:
    light = served(DIGITS, "light", light_answer or confident(0.9, 0.75), **LIGHT)
    heavy = served(DIGITS, "heavy", heavy_answer, **HEAVY)
    serving = pipeline(light, heavy, plans=[cascade(light, heavy)], steady=steady, **policy)
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


def test_how_many_answers_took_a_further_step_is_no_shift_of_the_inputs() -> None:
    n, of_class = 9000, 3000
    light = served(DIGITS, "light", confident(0.9, 0.75), **LIGHT)
    heavy = served(DIGITS, "heavy", confident(0.6, 1.0), accuracy=0.99, ms_per_item=0.02)
    known: dict[str, Any] = {
        "accuracy": AccuracyEstimate(value=0.97, low=0.966, high=0.973, n=n),
        "confidence_threshold": 0.8,
        "classes": tuple(
            ClassProfile(label=x, n=of_class, accurate=2910, confident=2250) for x in DIGITS.labels
        ),
    }
    profile = cascade(light, heavy).model_copy(update=known)
    singles = [
        PlanProfile(
            name=of.card.model,
            steps=(Step(model=of.card.model, sha256=of.card.sha256, reach=1.0),),
            **(
                known
                | {
                    "accuracy": AccuracyEstimate(
                        value=value, low=value - 0.01, high=value + 0.01, n=n
                    )
                }
            ),
        )
        for of, value in ((light, 0.85), (heavy, 0.99))
    ]
    serving = pipeline(light, heavy, plans=[*singles, profile], min_accuracy=0.96)
    for poll in range(6):
        records = [FakeRecord(GOOD, offset_=300 * poll + i) for i in range(300)]
        sent, _ = process(serving, *records)
        assert {prediction(r).parameters.plan for r in sent} == {profile.name}
    serving.plans.accuracy.refresh(1.0)
    assert not serving.plans.accuracy.moved.any()


def test_a_policy_may_forbid_cascades_or_a_model_of_them() -> None:
    for rules in ({"cascades": False}, {"tasks": {"digits": {"deny": ["light"]}}}):
        serving, light, _ = two_steps(min_accuracy=0.94, **rules)
        [sent], _ = process(serving, FakeRecord(GOOD))
        assert prediction(sent).parameters.plan == "heavy"
        assert light.loaded.batch_sizes == []


def test_a_cascade_whose_time_runs_out_gives_the_light_answer_labelled() -> None:
    clock = Clock()
    light_takes = clock.takes({"light": 77.0 / 8}, "light")

    def slow(inputs: Any) -> Any:
        light_takes(inputs)
        return confident(0.9, 0.75)(inputs)

    serving, _, heavy = two_steps(slow, steady=clock, min_accuracy=0.94)
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


def test_what_others_of_a_decision_took_is_time_that_a_cascade_has_no_more() -> None:
    clock = Clock()
    takes = clock.takes({"light": 9.0}, "light")

    def unsure(inputs: Any) -> Any:
        takes(inputs)
        return confident(0.5, 1.0)(inputs)

    serving, light, heavy = two_steps(unsure, steady=clock, min_accuracy=0.94)
    others = [FakeRecord(GOOD, [("ce_minaccuracy", b"0.5")], offset_=i) for i in range(8)]
    sent, _ = process(serving, *others, FakeRecord(GOOD, offset_=8))
    answers = {int(prediction(r).id.rsplit("-", 1)[1]): prediction(r) for r in sent}
    assert light.loaded.batch_sizes == [8, 1]
    assert answers[8].parameters.plan == "light>heavy@0.8"
    assert answers[8].parameters.reason is Choice.CUT_SHORT  # of 80 ms 81 are gone
    assert heavy.loaded.batch_sizes == []


@pytest.mark.parametrize("fails", [raises, not_finite])
def test_a_second_step_that_fails_costs_no_answer(fails: Any) -> None:
    serving, _, _ = two_steps(heavy_answer=fails, min_accuracy=0.94)
    sent, report = process(serving, *(FakeRecord(GOOD, offset_=i) for i in range(8)))
    assert len(sent) == 8
    assert {prediction(r).model_name for r in sent} == {"light"}
    reasons = [prediction(r).parameters.reason for r in sent]
    assert reasons.count(Choice.FALLBACK_MOST_ACCURATE_IN_TIME) == 2
    first = report.incidents[0]
    assert (first.kind, first.subject) == (
        EventKind.MODEL_SUSPENDED,
        "heavy",
    )
    assert report.next_offsets == {3: 8}


def test_a_floor_that_nothing_meets_any_more_is_told_once_and_so_is_its_return() -> None:
    serving, _, _ = two_steps(cascades=False)
    serving.plans.accuracy.observe_labels(1, 500, 500, at_s=50.0)
    record = FakeRecord(GOOD, [("ce_minaccuracy", b"0.95")])
    kinds = []
    for later_s in (0.0, 2.0, 4.0):
        serving.plans._refreshed_at_s = -1e9  # a second later
        if later_s == 4.0:
            for _ in range(60):
                serving.plans.accuracy.observe_labels(1, 99, 1, at_s=50.0)
        [sent], report = process(serving, record)
        kinds.append([h.kind for h in report.incidents])
        assert prediction(sent).parameters.floor_met == (later_s == 4.0)
    worse = EventKind.MODEL_WORSE
    assert kinds[0] == [EventKind.ACCURACY_CHANGED, worse, EventKind.FLOOR_UNREACHABLE]
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
    ).outcomes
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
    assert serving.learn([label("old", "zero")]).outcomes[LabelOutcome.UNKNOWN] == 1
