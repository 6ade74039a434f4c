"""Models that fail or become slow are left out, and tried again; no record is lost to them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from ounce_edge.models import first_beliefs
from ounce_edge.models.first_beliefs import measured_belief
from ounce_edge.models.halving import FAILED_ALONE, most_calls
from ounce_edge.models.runtimes.base import CrashedError
from ounce_schemas.card import LatencyAtBatch
from ounce_schemas.errors import Reason
from ounce_schemas.event import EventKind

from tests.support.edge.ladders import DIGITS, FakeRecord, raw, served
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
    second_label,
)


@pytest.mark.parametrize("fails", [raises, not_finite])
def test_a_model_that_fails_is_suspended_and_another_answers(fails: Any) -> None:
    models = served(DIGITS, "light", fails, **LIGHT), served(DIGITS, "heavy", **HEAVY)
    serving = pipeline(*models)
    record = FakeRecord(GOOD, [("ce_minaccuracy", b"0.5")])
    sent, report = process(serving, record, record)
    assert [prediction(r).model_name for r in sent] == ["heavy", "heavy"]
    assert [(h.kind, h.subject) for h in report.incidents] == [(EventKind.MODEL_SUSPENDED, "light")]
    assert report.next_offsets == {3: 8}
    n_calls = len(models[0].loaded.batch_sizes)
    process(serving, record)  # it is not tried again at once
    assert len(models[0].loaded.batch_sizes) == n_calls


def test_a_suspended_model_is_tried_again() -> None:
    clock, ill = Clock(tick_s=0.0001), True
    models = (
        served(DIGITS, "light", lambda x: not_finite(x) if ill else second_label(x), **LIGHT),
        served(DIGITS, "heavy", **HEAVY),
    )
    serving = pipeline(*models, steady=clock)
    record = FakeRecord(GOOD, [("ce_minaccuracy", b"0.5")])
    for at_s, is_ill, model, kinds in (
        (50.0, True, "heavy", [EventKind.MODEL_SUSPENDED]),
        (50.9, True, "heavy", []),
        (51.5, True, "heavy", [EventKind.MODEL_SUSPENDED]),  # tried, and out for twice as long
        (53.0, False, "heavy", []),
        (54.0, False, "light", [EventKind.MODEL_RESTORED]),
    ):
        clock.now_s, ill = at_s, is_ill
        [sent], report = process(serving, record)
        assert prediction(sent).model_name == model
        assert [h.kind for h in report.incidents] == kinds


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
    assert report.incidents == []
    [again], _ = process(serving, FakeRecord(GOOD))
    assert prediction(again).model_name == "light"


def raises_on_fives(inputs: Any) -> Any:
    if (inputs["input"][:, 0] == 5).any():
        raise RuntimeError("5 is out of range")
    return second_label(inputs)


def some_bad(bad: set[int]) -> list[FakeRecord]:
    """A hundred records, of which these are bad."""
    return [
        FakeRecord(raw(5, 5, 5, 5) if i in bad else GOOD, [("ce_id", b"%d" % i)], offset_=i)
        for i in range(100)
    ]


@pytest.mark.parametrize("bad", [{50}, {0, 99}, set(range(3, 100, 9))])
def test_bad_inputs_alone_become_dead_letters_and_the_model_stays(bad: set[int]) -> None:
    models = served(DIGITS, "light", raises_on_fives, **LIGHT), served(DIGITS, "heavy", **HEAVY)
    serving = pipeline(*models, min_accuracy=0.5)
    sent, report = process(serving, *some_bad(bad))
    letters = [r for r in sent if r[0].endswith("dead-letters")]
    assert {int(dict(r[3])["ce_id"]) for r in letters} == bad
    assert b"model light 5 is out of range" in dict(letters[0][3])["ounce-dead-letter-text"]
    answers = [prediction(r) for r in sent if r[0].endswith("predictions")]
    assert {a.model_name for a in answers} == {"light"}
    assert sorted(int(a.id) for a in answers) == sorted(set(range(100)) - bad)
    assert len(sent) == 100
    assert report.incidents == []
    assert report.next_offsets == {3: 100}


def test_of_a_burst_of_bad_inputs_another_model_answers_what_it_can() -> None:
    models = served(DIGITS, "light", raises_on_fives, **LIGHT), served(DIGITS, "heavy", **HEAVY)
    sent, report = process(pipeline(*models, min_accuracy=0.5), *some_bad(set(range(40, 100))))
    assert len(sent) == 100
    by_model = {
        int(answer.id): answer.model_name
        for answer in (prediction(r) for r in sent if r[0].endswith("predictions"))
    }
    assert all(by_model[i] == "light" for i in range(40))
    assert {model for i, model in by_model.items() if i >= 40} == {"heavy"}
    assert [h.kind for h in report.incidents] == [EventKind.MODEL_SUSPENDED]
    assert len(models[0].loaded.batch_sizes) <= 2 * (most_calls(100) + 1)


def test_a_model_that_fails_on_one_input_after_the_other_is_suspended() -> None:
    models = served(DIGITS, "light", raises_on_fives, **LIGHT), served(DIGITS, "heavy", **HEAVY)
    serving, bad = pipeline(*models, min_accuracy=0.5), raw(5, 5, 5, 5)
    for good in (True, False):  # an answer between them begins the count anew
        for _ in range(FAILED_ALONE - 1):
            [sent], report = process(serving, FakeRecord(bad))
            assert (sent[0], report.incidents) == ("ounce.digits.dead-letters", [])
        if good:
            process(serving, FakeRecord(GOOD))
    [sent], report = process(serving, FakeRecord(bad))
    assert prediction(sent).model_name == "heavy"
    assert [(h.kind, h.subject) for h in report.incidents] == [(EventKind.MODEL_SUSPENDED, "light")]


def test_every_model_failing_loses_no_record() -> None:
    def fails(inputs: Any) -> Any:
        raise RuntimeError("no")

    sent, report = process(pipeline(served(DIGITS, "a", fails)), FakeRecord(GOOD), FakeRecord(GOOD))
    assert [r[0] for r in sent] == ["ounce.digits.dead-letters"] * 2
    assert report.groups == []


def test_a_model_that_becomes_ten_times_slower_is_suspended_and_tried_again() -> None:
    clock, ms = Clock(), {"light": 0.3, "heavy": 20.0}
    serving = pipeline(
        served(DIGITS, "light", clock.takes(ms, "light"), **LIGHT),
        served(DIGITS, "heavy", clock.takes(ms, "heavy"), **HEAVY),
        steady=clock,
    )
    either = [FakeRecord(GOOD, [("ce_minaccuracy", floor)]) for floor in (b"0.5", b"0.95")]
    for _ in range(300):
        clock.now_s += 0.01
        process(serving, *either)
    ms["light"] = 3.0
    told = []
    for _ in range(35):
        clock.now_s += 0.01
        sent, report = process(serving, *either)
        told += [(h.kind, h.subject) for h in report.incidents]
    assert told == [(EventKind.MODEL_SUSPENDED, "light")]
    assert {prediction(r).model_name for r in sent} == {"heavy"}
    ms["light"] = 0.3
    clock.now_s += 1.1
    sent, report = process(serving, *either)
    assert [(h.kind, h.subject) for h in report.incidents] == [(EventKind.MODEL_RESTORED, "light")]
    assert {prediction(r).model_name for r in sent} == {"light", "heavy"}


def test_a_slow_machine_suspends_nothing() -> None:
    clock, ms = Clock(), {"light": 0.01, "heavy": 2.0}
    serving = pipeline(
        served(DIGITS, "light", clock.takes(ms, "light"), **LIGHT),
        served(DIGITS, "heavy", clock.takes(ms, "heavy"), **HEAVY),
        steady=clock,
    )
    either = [FakeRecord(GOOD, [("ce_minaccuracy", floor)]) for floor in (b"0.95", b"0.5")]
    for factor in (1, 10):
        ms.update(light=0.01 * factor, heavy=2.0 * factor)
        for _ in range(300):
            clock.now_s += 0.01
            _, report = process(serving, *either)
            assert report.incidents == []


def test_a_model_that_was_slow_is_tried_again() -> None:
    clock = Clock(tick_s=0.001)
    light, heavy = served(DIGITS, "light", **LIGHT), served(DIGITS, "heavy", **HEAVY)
    serving = pipeline(light, heavy, steady=clock)
    record = FakeRecord(GOOD, [("ce_minaccuracy", b"0.5")])
    for _ in range(2):  # light: half a second
        serving.plans.models[0].latency.observe(1, 500.0, clock.now_s)
    for later_s, model in ((0.5, "heavy"), (9.0, "heavy"), (10.5, "light")):
        clock.now_s = 50.0 + later_s
        [sent], _ = process(serving, record)
        assert prediction(sent).model_name == model


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


def test_the_log_names_the_batch_whose_latency_is_not_plausible(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    profile = tuple(
        LatencyAtBatch(batch_size=n, p50_ms=0.1 * n, p99_ms=500.0 if n == 32 else 0.2 * n)
        for n in (1, 8, 32, 64)
    )
    monkeypatch.setattr(first_beliefs, "measure_latency", lambda *_, **__: profile)
    model = served(DIGITS, "a")
    latency = model.card.latency.model_copy(update={"batches": profile})
    model = replace(model, card=model.card.model_copy(update={"latency": latency}))
    with caplog.at_level("INFO", logger="ounce_edge.models.first_beliefs"):
        measured_belief(model)
    [told] = caplog.messages
    assert "items=32 card_p50_ms=3.2 card_p99_ms=500 believed_p50_ms=3.2" in told


def crashes_on_fives(inputs: Any) -> Any:
    if (inputs["input"][:, 0] == 5).any():
        raise CrashedError("took its process down: the process ended with signal 11")
    return second_label(inputs)


def test_another_model_answers_what_is_fatal_to_one() -> None:
    models = served(DIGITS, "light", crashes_on_fives, **LIGHT), served(DIGITS, "heavy", **HEAVY)
    serving = pipeline(*models, min_accuracy=0.5)
    sent, report = process(serving, FakeRecord(GOOD), FakeRecord(raw(5, 5, 5, 5)))
    assert [prediction(r).model_name for r in sent] == ["light", "heavy"]
    [told] = report.incidents
    assert (told.kind, told.subject) == (EventKind.MODEL_SUSPENDED, "light")
    assert told.text.endswith("took its process down: the process ended with signal 11")


def test_what_is_fatal_to_all_models_becomes_a_dead_letter_of_its_own_reason() -> None:
    names = ("light", LIGHT), ("heavy", HEAVY)
    serving = pipeline(*(served(DIGITS, n, crashes_on_fives, **how) for n, how in names))
    sent, report = process(serving, FakeRecord(raw(5, 5, 5, 5)), FakeRecord(GOOD))
    assert sorted(r[0].rsplit(".")[-1] for r in sent) == ["dead-letters", "predictions"]
    assert report.rejected == [Reason.MODEL_CRASHED]
    [letter] = [r for r in sent if r[0].endswith("dead-letters")]
    text = dict(letter[3])["ounce-dead-letter-text"].decode()
    assert "took its process down: the process ended with signal 11; replay this record" in text
