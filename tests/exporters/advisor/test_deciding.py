"""Which plan is advised: pure decisions on made-up candidates."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from ounce_edge.recommender.beliefs.measures import wilson
from ounce_exporters.advisor.deciding import Candidate, decide
from ounce_schemas.advice import Limits, Verdict
from ounce_schemas.card import AccuracyEstimate

N = 1000


def judge(right: NDArray[np.bool_]) -> AccuracyEstimate:
    low, high = wilson(float(right.mean()), len(right))
    return AccuracyEstimate(value=float(right.mean()), low=low, high=high, n=len(right))


def candidate(name: str, n_wrong: int, counted_ns: float, **other: Any) -> Candidate:
    """Its wrong answers come first, and are the least confident."""
    right = np.arange(N) >= n_wrong
    return Candidate(
        name=name,
        neural=other.get("neural", False),
        interpretable=other.get("interpretable", False),
        counted_ns=counted_ns,
        size_bytes=other.get("size_bytes", 1_000),
        latency_ms=counted_ns / 1e6,
        right=right,
        confidence=np.linspace(0.5, 1.0, N) if other.get("confident") else None,
        accuracy=judge(right),
    )


def test_the_lightest_of_those_that_are_alike_is_advised() -> None:
    heavy, light = candidate("heavy", 100, 900), candidate("light", 101, 10)

    decision = decide([heavy, light, candidate("poor", 300, 1)], Limits(), 0.5, judge)

    assert decision.verdict is Verdict.CLASSICAL
    assert decision.plan is not None
    assert decision.plan.models == ("light",)
    assert decision.best == "heavy"
    assert decision.runner_up is not None
    assert decision.runner_up.models == ("heavy",)


def test_of_models_that_do_about_the_same_work_the_most_accurate_is_advised() -> None:
    lightest, other = candidate("lightest", 104, 100), candidate("other", 100, 104)

    decision = decide([lightest, other, candidate("heavy", 100, 900)], Limits(), 0.5, judge)

    assert decision.plan is not None
    assert decision.plan.models == ("other",)


def test_one_row_of_few_may_decide_for_a_heavier_model() -> None:
    """Its difference is just over a standard error. A wider margin lost more than it saved."""
    heavy, light = candidate("heavy", 0, 900), candidate("light", 0, 10)
    few = slice(0, 65)
    heavy, light = (
        replace(c, right=c.right[few], accuracy=judge(c.right[few]))
        for c in (heavy, replace(light, right=np.arange(N) != 5))
    )

    decision = decide([heavy, light], Limits(), 0.4, judge)

    assert decision.plan is not None
    assert decision.plan.models == ("heavy",)


def test_under_a_limit_of_latency_few_rows_on_which_a_cascade_is_as_right_advise_it() -> None:
    """It loses no row of them: as a single model, it needs no row more to be as good."""
    few = 100
    light = candidate("light", 5, 10, confident=True)
    light, heavy = (
        replace(c, right=c.right[:few], accuracy=judge(c.right[:few]))
        for c in (light, candidate("heavy", 0, 900))
    )
    light = replace(light, confidence=np.linspace(0.5, 1.0, few))

    decision = decide([light, heavy], Limits(max_latency_ms=1.0), 0.4, judge)

    assert decision.verdict is Verdict.CASCADE


def test_a_network_that_is_clearly_better_makes_the_verdict_deep() -> None:
    decision = decide(
        [candidate("mlp", 50, 900, neural=True), candidate("tree", 150, 10)], Limits(), 0.5, judge
    )

    assert decision.verdict is Verdict.DEEP


def test_a_cascade_is_advised_where_it_saves_half() -> None:
    light = candidate("light", 100, 10, confident=True)
    heavy = candidate("heavy", 10, 10_000)

    decision = decide([light, heavy], Limits(), 0.5, judge)

    assert decision.verdict is Verdict.CASCADE
    assert decision.plan is not None
    assert decision.plan.models == ("light", "heavy")
    assert decision.plan.handed_over is not None
    assert 0.09 < decision.plan.handed_over < 0.5
    assert decision.runner_up is not None
    assert decision.runner_up.models == ("heavy",)
    assert decide([light, heavy], Limits(), 0.5, None).verdict is Verdict.CLASSICAL


def test_under_a_limit_of_latency_a_cascade_that_is_level_by_luck_is_not_advised() -> None:
    """Light and middle are wrong as often as heavy, but on other rows: so may chance have it."""
    row = np.arange(N)
    heavy = replace(candidate("heavy", 100, 10_000), right=row < 900)
    middle = replace(
        candidate("middle", 150, 1_000), right=(row >= 100) & ((row < 800) | (row >= 850))
    )
    light = replace(candidate("light", 160, 10, confident=True), right=(row < 500) | (row >= 660))
    limit = Limits(max_latency_ms=1.0)

    assert decide([light, middle, heavy], Limits(), 0.5, judge).verdict is Verdict.CASCADE
    assert decide([light, middle, heavy], limit, 0.5, judge).verdict is Verdict.CLASSICAL

    wrong_where_light_is = [
        candidate("light", 100, 10, confident=True),
        candidate("heavy", 10, 900),
    ]
    assert decide(wrong_where_light_is, limit, 0.5, judge).verdict is Verdict.CASCADE


def test_under_a_limit_of_latency_the_most_accurate_that_keeps_it_is_advised() -> None:
    """Without one, a standard error of 1,000 rows is worth a lighter model."""
    heavy, light = candidate("heavy", 100, 900), candidate("light", 107, 10)
    light = replace(light, right=np.arange(N) < N - 107)  # other rows: the difference is noisy

    free = decide([heavy, light], Limits(), 0.5, judge)
    limited = decide([heavy, light], Limits(max_latency_ms=1.0), 0.5, judge)

    assert free.plan is not None
    assert limited.plan is not None
    assert free.plan.models == ("light",)
    assert limited.plan.models == ("heavy",)
    assert limited.margin == 0.002


@pytest.mark.parametrize(
    "limits",
    [
        Limits(max_latency_ms=0.001),
        Limits(max_size_mb=0.01),
        Limits(interpretable=True),
    ],
    ids=["latency", "size", "interpretable"],
)
def test_a_plan_keeps_the_limits(limits: Limits) -> None:
    heavy = candidate("heavy", 10, 10_000, size_bytes=50_000)
    light = candidate("light", 200, 10, interpretable=True)

    decision = decide([heavy, light], limits, 0.5, judge)

    assert decision.plan is not None
    assert decision.plan.models == ("light",)
    assert decision.missed == ()


def test_limits_that_nothing_meets_name_the_nearest_plan_and_what_to_loosen() -> None:
    models = [candidate("near", 60, 500), candidate("far", 200, 10)]

    decision = decide(models, Limits(min_accuracy=0.95), 0.5, judge)

    assert decision.verdict is Verdict.NEITHER_YET
    assert decision.plan is not None
    assert decision.plan.models == ("near",)
    assert decision.missed == ("--min-accuracy 0.95: 0.9400 is reached",)


def test_the_nearest_plan_is_not_chosen_by_what_a_clock_can_not_tell_apart() -> None:
    poor, good = candidate("poor", 300, 5_200), candidate("good", 40, 5_500)

    decision = decide([poor, good], Limits(max_latency_ms=0.004), 0.5, judge)

    assert decision.verdict is Verdict.NEITHER_YET
    assert decision.plan is not None
    assert decision.plan.models == ("good",)


def test_what_is_no_better_than_a_constant_is_not_advised() -> None:
    decision = decide([candidate("useless", 300, 10)], Limits(), 0.7, judge)

    assert decision.verdict is Verdict.NEITHER_YET
    assert decision.missed == (
        "nothing is clearly better than a constant answer, which reaches 0.7000: useless reaches "
        "0.7000 (0.671 to 0.728)",
    )


def test_of_those_that_are_alike_one_clearly_better_than_a_constant_is_advised() -> None:
    heavy, light = candidate("heavy", 265, 900), candidate("light", 266, 10)
    between = (heavy.accuracy.low + light.accuracy.low) / 2

    decision = decide([heavy, light], Limits(), between, judge)

    assert decision.verdict is Verdict.CLASSICAL
    assert decision.plan is not None
    assert decision.plan.models == ("heavy",)
    assert decision.missed == ()


def test_the_best_by_luck_is_named_with_its_interval() -> None:
    models = [candidate("lucky", 290, 900), candidate("light", 300, 10)]

    decision = decide(models, Limits(), 0.7, judge)

    assert decision.verdict is Verdict.NEITHER_YET
    assert decision.missed == (
        "nothing is clearly better than a constant answer, which reaches 0.7000: the best of 2 "
        "models, lucky, reaches 0.7100 (0.681 to 0.737)",
    )


def test_a_row_that_was_judged_several_times_is_one() -> None:
    """Else what is alike in doubt would seem apart the more often it is judged."""
    heavy, light = candidate("heavy", 100, 900), candidate("light", 104, 10)
    often = [replace(c, right=np.tile(c.right, (4, 1))) for c in (heavy, light)]

    assert decide(often, Limits(), 0.5, None) == decide([heavy, light], Limits(), 0.5, None)
