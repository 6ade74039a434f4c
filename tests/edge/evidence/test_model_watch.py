"""What is learned of a group's answers: neither how a plan is run nor that time ran out looks like
a shift of the inputs."""

import numpy as np
import pytest
from ounce_edge.evidence.incidents import Incident
from ounce_edge.evidence.model_watch import ModelWatch
from ounce_edge.models.execution import Answered, Call, Failure, Outcome
from ounce_edge.recommender.beliefs.accuracy import AccuracyPrior
from ounce_edge.recommender.beliefs.latency import LatencyBelief
from ounce_edge.recommender.beliefs.measures import Strata, wilson
from ounce_edge.recommender.beliefs.plan_beliefs import Plans
from ounce_edge.recommender.beliefs.plans import Model, Plan, PlanStep
from ounce_schemas.event import EventKind

N, VALUE, SURE = 10_000, 0.95, 0.9
"""Validation items, the accuracy on them, and the share that the first step answers."""
THRESHOLD, SURE_BY, UNSURE_BY = 0.8, 0.98, 0.6
BATCH, CALLS = 300, 40
RELEASED = [("light", "1a2b"), ("heavy", "3c4d")]


@pytest.fixture
def plans() -> Plans:
    """One cascade, of two models."""
    half = N // 2
    accurate, confident = round(VALUE * half), round(SURE * half)
    prior = AccuracyPrior(
        VALUE, *wilson(VALUE, N), N, THRESHOLD, [half, half], [accurate] * 2, [confident] * 2
    )
    models = [Model(name, 1000, LatencyBelief([1], [1.0], [1.0])) for name in ("light", "heavy")]
    return Plans(models, [Plan("cascade", [PlanStep(0, 1.0, THRESHOLD), PlanStep(1, 0.1)], prior)])


def outcome(rng: np.random.Generator, *, n: int = BATCH, cut: bool = False) -> Outcome:
    """A call of the cascade whose answers are as those on validation data."""
    sure = rng.random(n) < SURE
    p_first = np.where(sure, SURE_BY, UNSURE_BY)
    p_first = np.where(rng.random(n) < 0.5, p_first, 1.0 - p_first)
    parts = [Answered(0, np.flatnonzero(sure), False, 1)]
    if cut:
        parts.append(Answered(0, np.flatnonzero(~sure), True, 1))
    else:
        parts.append(Answered(1, np.flatnonzero(~sure), False, 2))
    result = np.column_stack([p_first, 1.0 - p_first]).astype(np.float32)
    return Outcome(result, parts, calls=[Call(0, 0, n, 1.0, 0.0)])


@pytest.mark.parametrize("n", [5, 64, BATCH])
@pytest.mark.parametrize("cut", [False, True])
def test_how_many_go_on_to_the_next_step_is_no_shift(plans: Plans, n: int, cut: bool) -> None:
    rng, watch = np.random.default_rng(0), ModelWatch(plans, "digits", RELEASED)
    for i in range(CALLS):
        watch.learn_outcome(0, outcome(rng, n=n, cut=cut and i % 2 == 0))
        plans.accuracy.refresh(float(i))
        assert plans.accuracy.value == pytest.approx([VALUE])
    assert watch.look_at_accuracy(float(CALLS)) == []


def test_inputs_of_which_more_need_the_next_step_are_one(plans: Plans) -> None:
    rng, watch = np.random.default_rng(0), ModelWatch(plans, "digits", RELEASED)
    for _ in range(CALLS):
        answers = outcome(rng)
        answers.result[: BATCH // 2] = [UNSURE_BY, 1.0 - UNSURE_BY]
        watch.learn_outcome(0, answers)
    plans.accuracy.refresh(1.0)
    assert plans.accuracy.value < VALUE - 0.2


def test_what_a_model_answered_beside_failures_is_no_evidence(plans: Plans) -> None:
    rng, watch = np.random.default_rng(0), ModelWatch(plans, "digits", RELEASED)
    for _ in range(CALLS):
        answers = outcome(rng)
        answers.result[: BATCH // 2] = np.nan
        answers.failures.append(Failure(1, np.arange(BATCH // 2), "is not finite", False, 0.0))
        watch.learn_outcome(0, answers)
    plans.accuracy.refresh(1.0)
    assert plans.accuracy.value == pytest.approx([VALUE])


def test_a_shift_that_goes_to_and_fro_is_told_once_a_minute() -> None:
    prior = AccuracyPrior(VALUE, *wilson(VALUE, N), N)
    names = [f"plan-{i}" for i in range(7)]
    one_model = [Model("light", 1000, LatencyBelief([1], [1.0], [1.0]))]
    plans = Plans(one_model, [Plan(name, [PlanStep(0, 1.0)], prior) for name in names])
    watch, flips = ModelWatch(plans, "digits", RELEASED), 0

    def told(at_s: int, good: int, bad: int) -> list[Incident]:
        nonlocal flips
        was = plans.accuracy.moved
        for plan in range(len(names)):
            plans.accuracy.observe_labels(plan, good, bad, float(at_s))
        plans.accuracy.refresh(float(at_s))
        flips += int((plans.accuracy.moved != was).sum())
        return watch.look_at_accuracy(float(at_s))

    incidents = [told(at_s, *((0, 400) if at_s % 2 else (2000, 0))) for at_s in range(1, 26)]
    assert flips > 19
    [first] = incidents[0]
    assert (first.kind, first.subject) == (EventKind.ACCURACY_CHANGED, "plans")
    assert first.text.startswith("plan plan-0 is believed to reach accuracy 0.")
    assert first.text.endswith("; and 2 more")
    assert [found for later in incidents[1:] for found in later] == []
    # What has changed for good is told after the minute.
    assert [told(at_s, 9500, 500) for at_s in range(26, 61)] == [[]] * 35
    [again] = told(61, 9500, 500)
    assert again.text.startswith("plan plan-0 is believed to reach the accuracy 0.9500 of")
    assert told(200, 9500, 500) == []


def ladder_of_two() -> Plans:
    """Two models, each alone, and the cascade of both."""
    prior = AccuracyPrior(VALUE, *wilson(VALUE, N), N)
    models = [Model(name, 1000, LatencyBelief([1], [1.0], [1.0])) for name in ("light", "heavy")]
    alone = [Plan(model.name, [PlanStep(i)], prior) for i, model in enumerate(models)]
    both = Plan("light>heavy", [PlanStep(0, 1.0, THRESHOLD), PlanStep(1, 0.1)], prior)
    return Plans(models, [*alone, both])


LIGHT, HEAVY, BOTH = range(3)
"""Plans of `ladder_of_two`."""


@pytest.mark.parametrize(
    ("labels", "worse"),
    [
        ({LIGHT: (80, 20)}, ["light"]),
        ({LIGHT: (95, 5)}, []),
        ({LIGHT: (100, 0), HEAVY: (80, 20)}, ["heavy"]),
        ({LIGHT: (20, 5)}, []),  # too few
        ({BOTH: (80, 20)}, ["light", "heavy"]),  # nobody knows which of them
        ({BOTH: (80, 20), HEAVY: (95, 5)}, ["light"]),
        ({LIGHT: (80, 20), BOTH: (95, 5)}, ["light"]),  # the other one makes up for it
        ({LIGHT: (80, 20), HEAVY: (80, 20)}, ["light", "heavy"]),
        ({LIGHT: (80, 20), BOTH: (80, 20)}, ["light"]),  # of the other one nothing is known
    ],
)
def test_a_model_is_worse_than_its_card_where_labels_say_so(
    labels: dict[int, tuple[int, int]], worse: list[str]
) -> None:
    plans = ladder_of_two()
    watch = ModelWatch(plans, "digits", RELEASED)
    for plan, (good, bad) in labels.items():
        plans.accuracy.observe_labels(plan, good, bad, 0.0)
    assert watch.look_at_worse() == []
    plans.accuracy.refresh(1.0)
    told = watch.look_at_worse()
    assert [incident.subject for incident in told] == worse
    assert {incident.kind for incident in told} <= {EventKind.MODEL_WORSE}
    plans.accuracy.observe_labels(LIGHT, 0, 1, 2.0)
    plans.accuracy.refresh(2.0)
    assert watch.look_at_worse() == []  # once is enough


def test_one_file_on_the_cpu_and_on_the_gpu_is_told_once_by_the_name_that_releases_have() -> None:
    plans = ladder_of_two()
    watch = ModelWatch(plans, "digits", [("mlp", "1a2b")] * 2)
    for at_s, plan in ((0.0, HEAVY), (1.0, LIGHT)):
        plans.accuracy.observe_labels(plan, 80, 20, at_s)
        plans.accuracy.refresh(at_s)
        told = watch.look_at_worse()
        assert [incident.subject for incident in told] == (["mlp"] if plan == HEAVY else [])
        assert all("`ounce models retire digits mlp` withdraws it" in one.text for one in told)


def test_what_is_told_of_a_worse_model_says_how_to_withdraw_it() -> None:
    plans = ladder_of_two()
    watch = ModelWatch(plans, "digits", RELEASED)
    plans.accuracy.observe_labels(HEAVY, 80, 20, 0.0)
    plans.accuracy.refresh(0.0)
    [told] = watch.look_at_worse()
    assert told.text.startswith(
        "labels contradict the card of model heavy, version 3c4d: plan heavy"
    )
    assert "to reach accuracy 0.8000 (" in told.text
    assert "`ounce models retire digits heavy` withdraws it" in told.text


def test_labels_of_one_class_may_speak_against_a_model_whose_measure_is_as_its_card_says() -> None:
    counted, right = [20, 20, 2000], [19, 19, 1900]
    strata = Strata("balanced-accuracy", n_labels=3)
    prior = AccuracyPrior(0.95, *strata.interval([0.95] * 3, counted), 2040, None, counted, right)
    model = Model("light", 1000, LatencyBelief([1], [1.0], [1.0]))
    plans = Plans([model], [Plan("light", [PlanStep(0)], prior)], strata=strata)
    watch = ModelWatch(plans, "digits", RELEASED)
    plans.accuracy.observe_labels(0, 80, 20, 0.0, stratum=2)
    plans.accuracy.refresh(0.0)
    assert not plans.accuracy.moved[0]
    [told] = watch.look_at_worse()
    assert "plan light is believed to reach accuracy 0.9000 (" in told.text


def test_another_edition_tells_of_the_same_version_no_more_and_of_another_one() -> None:
    before, after = ladder_of_two(), ladder_of_two()
    told = ModelWatch(before, "digits", RELEASED)
    before.accuracy.observe_labels(LIGHT, 80, 20, 0.0)
    before.accuracy.refresh(0.0)
    assert len(told.look_at_worse()) == 1
    same = ModelWatch(after, "digits", RELEASED)
    after.inherit(before, {0: 0, 1: 1}, {0: 0, 1: 1, 2: 2})
    same.inherit(told, {0: 0, 1: 1}, {0: 0, 1: 1, 2: 2})
    after.accuracy.refresh(1.0)
    assert after.worse_models == {0}
    assert same.look_at_worse() == []
    other = ladder_of_two()
    other.inherit(before, {1: 1}, {1: 1})  # light is another file
    assert other.worse_models == set()
    anew = ModelWatch(other, "digits", RELEASED)
    anew.inherit(told, {1: 1}, {1: 1})
    other.accuracy.observe_labels(LIGHT, 80, 20, 2.0)
    other.accuracy.refresh(2.0)
    assert [incident.subject for incident in anew.look_at_worse()] == ["light"]
