"""Advice on a terminal: the lines that a person reads first."""

from ounce_exporters.advisor.summary import lines, say_data, verdict_lines
from ounce_schemas.advice import (
    Advice,
    Arm,
    Budget,
    CurvePoint,
    Decision,
    Limits,
    Measured,
    Plan,
    Verdict,
)
from ounce_schemas.card import AccuracyEstimate
from ounce_schemas.measure import Measure

from tests.support.exporters.advice import LOOK

WHOLE = Budget(given_s=60, planned_s=50, n_rows=1000, of_rows=1000, rungs=(750,), n_folds=4)


def estimate(value: float) -> AccuracyEstimate:
    return AccuracyEstimate(value=value, low=value - 0.01, high=value + 0.01, n=1000)


def advice(decision: Decision, budget: Budget = WHOLE) -> Advice:
    return Advice(
        task="t",
        measure=Measure(),
        seed=0,
        options={},
        data_sha256="0" * 64,
        limits=Limits(),
        look=LOOK,
        budget=budget,
        arms=(),
        decision=decision,
        measured=Measured(machine="m", race_s=1),
    )


def test_doubts_stand_beside_the_plan() -> None:
    doubt = "column 'fee' alone gives the target away: if known afterwards, train --without 'fee'"
    look = LOOK.model_copy(update={"notices": ("read as: ',' separated, UTF-8", doubt)})
    decision = Decision(verdict=Verdict.NEITHER_YET, best="ridge")
    said = list(lines(advice(decision).model_copy(update={"look": look})))
    assert said[:2] == ["Advice: neither yet", f"Before you build it: {doubt}"]
    assert not any("read as" in line for line in said)


def test_a_sample_is_told() -> None:
    budget = Budget(given_s=6, planned_s=5, n_rows=1000, of_rows=2100, rungs=(750,), n_folds=1)
    decision = Decision(verdict=Verdict.NEITHER_YET, best="ridge")
    of_sample = advice(decision, budget)
    whole = of_sample.model_copy(update={"budget": budget.model_copy(update={"of_rows": 1000})})

    data = (
        "Data: 1,000 rows, no values are missing, none of the rows repeats another; a constant "
        "answer is right for 50.0%"
    )
    assert data in lines(of_sample)
    said = "Raced on a sample, 1,000 of 2,100 rows: a larger --budget than 6 judges more surely"
    sizes = (
        "Times are of models of the sample: `ounce train` learns from all rows, and trees may "
        "grow; sizes are the most that may come of that"
    )
    assert list(verdict_lines(of_sample)) == ["Advice: neither yet", said, sizes]
    assert list(verdict_lines(whole)) == ["Advice: neither yet"]
    of_folds = budget.model_copy(update={"of_rows": 1000, "of_folds": 4})
    assert list(verdict_lines(of_sample.model_copy(update={"budget": of_folds})))[1] == (
        "Judged by 1 of 4 folds: a larger --budget than 6 judges more surely"
    )
    last = Arm(
        model="ridge",
        family="classical",
        interpretable=True,
        curve=(CurvePoint(n_rows=1000, train=0.9, validation=0.8),),
        accuracy=estimate(0.8),
    )
    ended = budget.model_copy(
        update={"of_rows": 1000, "of_folds": 4, "rungs": (1,) * len(last.curve)}
    )
    while_judged = {"interrupted": True, "arms": (last,), "budget": ended}
    assert list(verdict_lines(of_sample.model_copy(update=while_judged)))[1:] == [
        "Interrupted: all models have learned; fewer answers judge them than were planned"
    ]


def test_of_rows_without_labels_no_constant_answer_is_called_right() -> None:
    unlabelled = LOOK.model_copy(update={"constant": 1.0, "rarest": 0.0})

    assert say_data(unlabelled).endswith("; nothing says which are strange")
    quantities = LOOK.model_copy(update={"constant": 1.0, "n_classes": 0})
    assert say_data(quantities).endswith("; a constant answer is right for 100.0%")


def test_a_constant_answer_that_is_hardly_ever_right_is_told_so() -> None:
    seldom = LOOK.model_copy(update={"constant": 0.0002, "n_classes": 0})

    assert say_data(seldom).endswith("; a constant answer is right for under 0.1%")


def test_a_runner_up_that_is_level_is_told_so() -> None:
    plan = Plan(models=("ridge",), accuracy=estimate(0.8), counted_ns=100)
    level = Plan(models=("mlp",), accuracy=estimate(0.8004), counted_ns=101)
    better = Plan(models=("mlp",), accuracy=estimate(0.823), counted_ns=123_400)

    def said(runner_up: Plan) -> str:
        decision = Decision(verdict=Verdict.CLASSICAL, plan=plan, runner_up=runner_up, best="mlp")
        return next(line for line in verdict_lines(advice(decision)) if "Runner-up" in line)

    assert said(level).endswith(
        ": no measurable difference (under 0.05 points) at about the same work"
    )
    assert said(better).endswith(": +2.3 points at 1,234 times the work")


def test_models_that_did_not_race_are_named() -> None:
    decision = Decision(verdict=Verdict.NEITHER_YET, best="ridge")

    def said(*names: str) -> str:
        return list(verdict_lines(advice(decision, WHOLE.model_copy(update={"left_out": names}))))[
            1
        ]

    assert said("mlp") == "Not raced: mlp: --budget 60 is too small for it"
    assert said("cnn", "mlp") == "Not raced: cnn, mlp: --budget 60 is too small for them"
