"""What messages settle for whose floors can't be kept."""

import pytest
from ounce_edge.recommender.rule.settling import (
    NEARLY_EQUAL,
    THRIFTY_MS,
    settle_for_less,
    thriftiest,
    worth_most,
)
from ounce_schemas.routing import Choice, Fallback

from tests.support.edge.decisions import HEAVY, LADDER, LIGHT, MIDDLE, MOST_ACCURATE, crossing, view

ALL = [LIGHT, MIDDLE, HEAVY]


@pytest.mark.parametrize(
    ("fallback", "plans", "expected"),
    [
        (MOST_ACCURATE, ALL, (HEAVY, Choice.FALLBACK_MOST_ACCURATE_IN_TIME)),
        (MOST_ACCURATE, [LIGHT, MIDDLE], (MIDDLE, Choice.FALLBACK_MOST_ACCURATE_IN_TIME)),
        (MOST_ACCURATE, [], None),
        (Fallback.FASTEST, [MIDDLE, HEAVY], (MIDDLE, Choice.FALLBACK_FASTEST)),
        (Fallback.FASTEST, [], None),
        (Fallback.REFUSE, ALL, None),
    ],
)
def test_each_fallback(fallback: Fallback, plans: list[int], expected: object) -> None:
    assert settle_for_less(LADDER, fallback, plans, 4) == expected


@pytest.mark.parametrize(("less", "plan"), [(0.9, 0), (1.1, 1)])
def test_of_nearly_equal_ones_the_lightest_is_taken(less: float, plan: int) -> None:
    plans = view(("light", 1.0, 0.9 - less * NEARLY_EQUAL, 1), ("heavy", 2.0, 0.9, 1))
    found = settle_for_less(plans, MOST_ACCURATE, [0, 1], 1)
    assert found == (plan, Choice.FALLBACK_MOST_ACCURATE_IN_TIME)


def test_the_fastest_is_judged_at_the_batch() -> None:
    plans = crossing((1.0, 1.0, 0.8), (3.0, 0.1, 0.9))
    for n, plan in ((1, 0), (10, 1)):
        assert settle_for_less(plans, Fallback.FASTEST, [0, 1], n) == (
            plan,
            Choice.FALLBACK_FASTEST,
        )


@pytest.mark.parametrize(("heavy_ms", "plan"), [(1.2, 1), (1.3, 0)])
def test_a_per_cent_of_accuracy_is_worth_two_of_time(heavy_ms: float, plan: int) -> None:
    # 0.9 is a ninth more than 0.81: worth 1.235 of the time
    plans = view(("light", 1.0, 0.80, 1), ("heavy", heavy_ms, 0.89, 1))
    assert [plans.accuracy[p] for p in (0, 1)] == pytest.approx([0.81, 0.90])
    assert worth_most(plans, [0, 1], 5) == plan


def test_the_thriftiest_plan_is_judged_in_calls_of_a_few_milliseconds() -> None:
    # alone the second one is the quicker, in large calls the first one
    plans = crossing((1.0, 0.01, 0.8), (0.5, 0.1, 0.8))
    for fallback in (MOST_ACCURATE, Fallback.FASTEST):
        assert thriftiest(plans, [0, 1], fallback, 1) == 1
        assert thriftiest(plans, [0, 1], fallback, 5) == 1
        assert thriftiest(plans, [0, 1], fallback, 7) == 0
        assert thriftiest(plans, [0, 1], fallback, 10_000) == 0
    # in 4 ms the first one answers 3 messages: of so many the second one would take longer
    slow = crossing((THRIFTY_MS / 3.0, THRIFTY_MS / 3.0, 0.8), (4.5, 0.0, 0.8))
    assert thriftiest(slow, [0, 1], MOST_ACCURATE, 10_000) == 0
    assert thriftiest(crossing((9.0, 9.0, 0.8)), [0], MOST_ACCURATE, 9) == 0  # none is that quick


def test_for_the_fallback_fastest_the_thriftiest_plan_is_the_fastest() -> None:
    plans = view(("light", 1.0, 0.5, 1), ("heavy", 1.2, 0.9, 1))
    assert thriftiest(plans, [0, 1], Fallback.FASTEST, 3) == 0
    assert thriftiest(plans, [0, 1], MOST_ACCURATE, 3) == 1
