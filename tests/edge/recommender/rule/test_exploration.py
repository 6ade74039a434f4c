"""Lighter plans that labels may prove good enough are tried."""

import numpy as np
import pytest
from ounce_edge.recommender.rule.decision import decide
from ounce_edge.recommender.rule.exploration import Draws, explore, regret
from ounce_edge.recommender.rule.schedule import Group, Schedule
from ounce_schemas.routing import Choice, Fallback

from tests.support.edge.cascades import CASCADE, HEAVY, LIGHT, plans


def explored(drawn: list[float], floor: float, left_ms: float = 100.0) -> list[tuple[int, Choice]]:
    view = plans().view(0.0)
    left, floors = np.full(4, left_ms), np.full(4, floor)
    chosen = np.array([True, False, True, False])
    schedule = decide(view, left, floors, Fallback.REFUSE)
    schedule = explore(view, schedule, left, floors, Draws(chosen, drawn))
    found = [(-1, Choice.CUT_SHORT)] * 4
    for group in schedule.groups:
        for i in group.items:
            found[i] = group.plan, group.choice
    return found


def test_exploring_tries_what_may_be_good_enough_on_the_chosen_messages_only() -> None:
    rule = (CASCADE, Choice.LIGHTEST_FEASIBLE)
    tried = (LIGHT, Choice.EXPLORATION)
    assert explored([0.93, 0.98, 0.97], 0.925) == [tried, rule, tried, rule]
    assert explored([0.91, 0.98, 0.97], 0.925) == [rule] * 4  # drawn too low
    assert explored([1.0, 1.0, 1.0], 0.95) == [rule] * 4  # its interval does not hold the floor
    assert explored([0.93, 0.98, 0.97], 0.88) == [(LIGHT, Choice.LIGHTEST_FEASIBLE)] * 4


def test_regret_is_the_expected_shortfall() -> None:
    view = plans().view(0.0)
    assert regret(view, LIGHT, np.array([0.925, 0.95, 0.5])) == pytest.approx(0.025 + 0.05)


def test_exploring_learns_that_a_light_plan_is_good_enough_and_stops_where_it_is_not() -> None:
    rng = np.random.default_rng(0)
    for truth, learned in ((0.96, True), (0.86, False)):
        made = plans()
        tries = 0
        for second in range(300):
            view = made.view(float(second))
            left, floors = np.full(100, 100.0), np.full(100, 0.92)
            drawn = [float(rng.beta(*made.accuracy.posterior(p))) for p in range(3)]
            schedule = decide(view, left, floors, Fallback.REFUSE)
            draws = Draws(rng.random(100) < 0.2, drawn)
            schedule = explore(view, schedule, left, floors, draws)
            for group in schedule.groups:
                n = len(group.items)
                if group.plan == LIGHT:
                    good = int(rng.binomial(n, truth))
                    made.accuracy.observe_labels(LIGHT, good, n - good, float(second))
                    tries += n * (second >= 200)
        assert (made.view(300.0).accuracy_low[LIGHT] >= 0.92) == learned
        assert learned or tries < 100  # of 2,000: a plan that is not is hardly tried any more


@pytest.mark.parametrize("floor", [0.965, 0.97])
def test_only_messages_whose_floor_is_kept_are_tried_on_another_plan(floor: float) -> None:
    view = plans().view(0.0)
    # 0.975 is beyond what the heavy plan is sure to have, and within what the cascade may have
    floors, left_ms = np.array([floor, 0.975]), np.full(2, 100.0)
    shared = Group(HEAVY, Choice.LIGHTEST_TOGETHER, np.arange(2))
    schedule = Schedule([shared], np.empty(0, np.intp), [LIGHT, CASCADE, HEAVY])
    draws = Draws(np.ones(2, bool), [0.0, 0.0, 0.98])
    made = explore(view, schedule, left_ms, floors, draws)
    assert [(g.plan, g.choice, g.items.tolist()) for g in made.groups] == [
        (CASCADE, Choice.EXPLORATION, [0]),
        (HEAVY, Choice.LIGHTEST_TOGETHER, [1]),
    ]


@pytest.mark.parametrize(("left_ms", "is_tried"), [(1.1, True), (1.05, False)])
def test_a_plan_that_alone_is_late_is_not_tried(left_ms: float, is_tried: bool) -> None:
    view = plans().view(0.0)
    schedule = Schedule(
        [Group(HEAVY, Choice.LIGHTEST_FEASIBLE, np.arange(1))],
        np.empty(0, np.intp),
        [LIGHT, CASCADE, HEAVY],
    )
    draws = Draws(np.ones(1, bool), [0.0, 0.0, 0.98])
    made = explore(view, schedule, np.array([left_ms]), np.array([0.965]), draws)
    assert [g.plan for g in made.groups] == [CASCADE if is_tried else HEAVY]
