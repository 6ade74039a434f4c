"""Who goes before whom, and how long who has been decided on can wait."""

import math

import numpy as np
from ounce_edge.recommender.arrays import NONE
from ounce_edge.recommender.pacing.precedence import (
    Precedence,
    in_order,
    spare_ms,
    times_before,
)
from ounce_edge.recommender.rule.schedule import Group, Schedule, Share
from ounce_schemas.routing import Choice

from tests.support.edge.decisions import LADDER, MIDDLE

RIGHT = Choice.LIGHTEST_FEASIBLE


def group(*items: int, choice: Choice = RIGHT) -> Group:
    return Group(MIDDLE, choice, np.array(items, np.intp))  # a millisecond an item


def test_routes_go_by_priority_and_then_as_they_came() -> None:
    assert in_order([3, 1, 2, 0], {0: 0, 1: 5, 2: 0, 3: 0}) == [1, 3, 2, 0]


def test_slices_of_a_lower_priority_take_no_time() -> None:
    takes_ms = {1: 2.0, 3: 4.0, 2: 1.0, 0: 8.0}
    found = times_before(takes_ms, {1: 5, 3: 0, 2: 0, 0: -1})
    assert found == {1: 0.0, 3: 3.0, 2: 6.0, 0: 7.0}


def test_what_is_left_can_wait_until_its_first_call_would_be_late() -> None:
    left_ms = np.array([10.0, 50.0, 12.0])
    schedule = Schedule([group(0), group(1, 2)], NONE, (MIDDLE,))
    now = Share([group(0)], (), 0, 0.0)
    usual = LADDER.calls[MIDDLE, 1].usual_ms
    spare = spare_ms(LADDER, schedule, now, left_ms)
    assert 12.0 - 4 * usual < spare < 12.0 - 2.9 * usual
    assert spare_ms(LADDER, schedule, now._replace(n_held=2), left_ms) == math.inf
    late = schedule._replace(groups=[group(0), group(1, 2, choice=Choice.FALLBACK_LATE)])
    assert spare_ms(LADDER, late, now, left_ms) == math.inf
    whole = Share(schedule.groups, (), 0, 0.0)
    assert spare_ms(LADDER, schedule, whole, left_ms) == math.inf


def test_only_those_of_a_higher_priority_are_waited_for() -> None:
    precedence, left_ms = Precedence(), np.array([3.0, 3.0])
    schedule, now = Schedule([group(0, 1)], NONE, (MIDDLE,)), Share([group(0)], (), 0, 0.0)
    assert precedence.may_run(0, LADDER, [group(0)])
    precedence.add(1, LADDER, schedule, now, left_ms)  # a millisecond is spare
    assert precedence.may_run(1, LADDER, [group(*range(9))])
    precedence.begin()
    precedence.add(1, LADDER, schedule, now, left_ms + 5.0)
    assert not precedence.may_run(0, LADDER, [group(*range(9))])
    assert precedence.may_run(0, LADDER, [group(*range(4))])
    assert not precedence.may_run(0, LADDER, [group(*range(4))])  # what is spare is spent once
    precedence.begin()
    assert precedence.may_run(0, LADDER, [group(*range(9))])
