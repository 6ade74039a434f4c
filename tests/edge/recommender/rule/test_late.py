"""Messages that no plan answers in time: floors are kept in little time."""

import numpy as np
from ounce_edge.recommender.rule.late import LATE_BUDGET_MS, late_groups
from ounce_schemas.routing import Choice, Fallback

from tests.support.edge.decisions import LADDER, LIGHT, MIDDLE, MOST_ACCURATE, crossing

LATE, FASTEST = Choice.FALLBACK_LATE, Choice.FALLBACK_FASTEST


def groups(floors: list[float], fallback: Fallback = MOST_ACCURATE, plans=LADDER) -> list[tuple]:
    """Of messages 10, 11, ...: plan, reason and messages of each call."""
    items = np.arange(10, 10 + len(floors))
    made = late_groups(plans, plans.ranking(len(floors)), items, np.array(floors), fallback)
    return [(group.plan, group.choice, group.items.tolist()) for group in made]


def test_the_lightest_floors_are_kept_first_and_the_rest_gets_the_fastest_plan() -> None:
    assert groups([0.9, 0.5, 0.95, 0.5, 0.99]) == [
        (LIGHT, LATE, [11, 13]),
        (MIDDLE, LATE, [10]),
        (LIGHT, FASTEST, [12, 14]),
    ]


def test_what_does_not_fit_is_answered_by_the_fastest_plan() -> None:
    # in 5 ms the first plan answers five; the second one takes 9 ms, whatever is in it
    plans = crossing((1.0, 1.0, 0.5), (9.0, 0.0, 0.9))
    assert groups([0.5] * 7 + [0.9], plans=plans) == [
        (0, LATE, [10, 11, 12, 13, 14]),
        (0, FASTEST, [15, 16, 17]),
    ]


def test_messages_of_a_plan_that_is_not_the_lightest_at_this_batch_join_a_dearer_one() -> None:
    flat = crossing((3.0, 3.0, 0.5), (4.0, 0.0, 0.9))
    assert groups([0.5] * 2 + [0.9], plans=flat) == [(1, LATE, [10, 11, 12])]


def test_what_is_kept_takes_no_more_than_the_budget() -> None:
    # 0.1 ms each of the light one, 1 ms of the middle one
    n_light = round(LATE_BUDGET_MS / 0.1) - 15
    found = groups([0.5] * n_light + [0.9] * 5)
    assert [(plan, why, len(items)) for plan, why, items in found] == [
        (LIGHT, LATE, n_light),
        (MIDDLE, LATE, 1),
        (LIGHT, FASTEST, 4),
    ]


def test_other_fallbacks_keep_no_floor() -> None:
    assert groups([0.5, 0.9], Fallback.FASTEST) == [(LIGHT, FASTEST, [10, 11])]
