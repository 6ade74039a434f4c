"""What of a schedule runs before newer messages are looked at."""

import numpy as np
import pytest
from ounce_edge.recommender.beliefs.accuracy import AccuracyPrior
from ounce_edge.recommender.beliefs.latency import LatencyBelief
from ounce_edge.recommender.beliefs.plan_beliefs import Plans
from ounce_edge.recommender.beliefs.plans import Model, Plan, PlanStep
from ounce_edge.recommender.beliefs.view import View
from ounce_edge.recommender.pacing.slicing import (
    DEAR_SHARE,
    LATE,
    LATE_PATIENCE_MS,
    LATE_SHARE,
    LEAST_SHARE,
    Slice,
    first_slice,
)
from ounce_edge.recommender.rule.decision import decide
from ounce_schemas.routing import Fallback

VIEW = Plans(
    [Model("m", 1, LatencyBelief([1, 100], [1.0, 100.0], [1.0, 100.0]))],
    [Plan("m", [PlanStep(0)], AccuracyPrior(0.95, 0.9, 1.0, 100))],
).view(0.0)


def slice_of(remaining: list[float], slice_ms: float, late_credit_ms: float = 0.0) -> Slice:
    left = np.array(remaining)
    schedule = decide(VIEW, left, np.full(len(left), 0.5), Fallback.MOST_ACCURATE_IN_TIME)
    return first_slice(VIEW, schedule.groups, left, slice_ms, late_credit_ms)


def n_late_and_timely(now: Slice) -> tuple[int, int]:
    late = sum(len(group.items) for group in now.groups if group.choice in LATE)
    return late, sum(len(group.items) for group in now.groups) - late


def test_the_messages_with_the_least_time_left_come_first() -> None:
    now = slice_of([900.0, 100.0, 800.0, 200.0], 2.0)
    assert [group.items.tolist() for group in now.groups] == [[1, 3]]


def test_at_least_one_message_however_short_the_slice() -> None:
    assert [g.items.tolist() for g in slice_of([900.0, 100.0], 0.1).groups] == [[1]]
    assert [g.items.tolist() for g in slice_of([-1.0, -2.0], 0.1).groups] == [[1]]


TIMELY = [100.0] * 50
OVERDUE = -LATE_PATIENCE_MS - 1.0


@pytest.mark.parametrize("latest", [-1.0, -LATE_PATIENCE_MS])
def test_late_messages_wait_while_others_need_the_time(latest: float) -> None:
    now = slice_of([*TIMELY, *[-1.0] * 50, latest], 20.0, late_credit_ms=3.0)
    assert n_late_and_timely(now) == (0, 20)
    assert now.late_credit_ms == 0.0


def test_what_has_been_late_for_long_gets_a_share_of_the_time() -> None:
    messages = [*TIMELY, OVERDUE, *[-1.0] * 49]
    for slice_ms in (1.0, 4.0, 20.0):
        spent_ms, n_late, credit_ms = 0.0, 0, 0.0
        for _ in range(200):
            now = slice_of(messages, slice_ms, credit_ms)
            late, timely = n_late_and_timely(now)
            assert timely == slice_ms
            n_late, spent_ms, credit_ms = n_late + late, spent_ms + timely, now.late_credit_ms
        assert n_late == pytest.approx(LATE_SHARE * spent_ms, abs=1)
    [*_, late_group] = slice_of(messages, 20.0, late_credit_ms=1.0).groups
    assert late_group.items.tolist() == [50]


def test_late_messages_get_what_others_leave_of_a_slice() -> None:
    assert n_late_and_timely(slice_of([100.0] * 5 + [-1.0] * 50, 20.0)) == (15, 5)


def test_where_all_are_late_they_get_the_whole_slice() -> None:
    for late_ms in (-1.0, OVERDUE):
        assert n_late_and_timely(slice_of([late_ms] * 50, 20.0)) == (20, 0)


def mixed(scale: float) -> View:
    """A light plan and a heavy one, on a machine that is so many times slower."""
    light, heavy = [0.1 * scale, scale], [scale, 100.0 * scale]
    return Plans(
        [
            Model("light", 1, LatencyBelief([1, 100], light, light)),
            Model("heavy", 2, LatencyBelief([1, 100], heavy, heavy)),
        ],
        [
            Plan("light", [PlanStep(0)], AccuracyPrior(0.85, 0.8, 0.9, 100)),
            Plan("heavy", [PlanStep(1)], AccuracyPrior(0.95, 0.9, 1.0, 100)),
        ],
    ).view(0.0)


MIXED = mixed(1.0)


def mixed_slice(n_light: int, n_heavy: int, slice_ms: float, view: View = MIXED) -> dict[int, int]:
    """Messages of the slice by plan; there is time for everything."""
    left = np.full(n_light + n_heavy, 1e6)
    floors = np.array([0.5] * n_light + [0.9] * n_heavy)
    schedule = decide(view, left, floors, Fallback.MOST_ACCURATE_IN_TIME)
    groups = first_slice(view, schedule.groups, left, slice_ms).groups
    return {group.plan: len(group.items) for group in groups}


def test_where_little_waits_the_slice_of_a_heavy_plan_is_short() -> None:
    assert mixed_slice(0, 40, 20.0) == {1: round(20.0 * LEAST_SHARE)}


def test_where_much_waits_the_slice_is_long() -> None:
    assert mixed_slice(0, 4000, 20.0) == {1: 20}


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_a_dear_plan_gets_a_small_part_of_a_slice_beside_a_light_one(scale: float) -> None:
    light, heavy = mixed_slice(1000, 1000, 40.0 * scale, mixed(scale)).values()
    assert light == 1000
    assert heavy == round(LEAST_SHARE * 40.0 * DEAR_SHARE)


def test_a_dear_plan_gets_no_more_than_is_left_of_a_slice() -> None:
    now = mixed_slice(2000, 400, 20.0)
    took_ms = sum(MIXED.calls[plan, n].usual_ms for plan, n in now.items())
    assert now == {0: 2000, 1: 1}
    assert 19.0 < took_ms <= 20.0


def test_a_dear_plan_is_not_starved_by_light_ones() -> None:
    assert mixed_slice(1, 100, 20.0)[1] >= 1
