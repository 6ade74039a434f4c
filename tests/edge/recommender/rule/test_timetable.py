"""Batches in the order of their deadlines: which become one call."""

import math

import pytest
from ounce_edge.recommender.beliefs.view import View
from ounce_edge.recommender.rule.batches import PlannedBatch
from ounce_edge.recommender.rule.timetable import ABSORB_MS, Timetable
from ounce_schemas.routing import Choice

from tests.support.edge.decisions import crossing

FEASIBLE, TOGETHER, IN_TIME, FASTEST = (
    Choice.LIGHTEST_FEASIBLE,
    Choice.LIGHTEST_TOGETHER,
    Choice.FALLBACK_MOST_ACCURATE_IN_TIME,
    Choice.FALLBACK_FASTEST,
)
FLAT = crossing((1.0, 0.0, 0.8), (1.0, 0.0, 0.9))
"""A call takes 1 ms, whatever is in it."""


def batch(
    items: list[int],
    tightest_ms: float,
    plan: int = 0,
    choice: Choice = FEASIBLE,
    view: View = FLAT,
) -> PlannedBatch:
    return PlannedBatch(view, plan, choice, [items], len(items), tightest_ms)


def shape(table: Timetable) -> list[tuple[int, list[int]]]:
    return [(b.plan, b.items.tolist()) for b in table.batches]


def test_the_tightest_deadline_is_first() -> None:
    table = Timetable(FLAT, [batch([0], 9.0), batch([1], 3.0)])
    table.insert(batch([2], 5.0))
    assert shape(table) == [(0, [1]), (0, [2]), (0, [0])]
    table.remove(table.batches[1])
    assert shape(table) == [(0, [1]), (0, [0])]


@pytest.mark.parametrize(
    ("new", "joins"),
    [
        (batch([1], 19.9), True),
        (batch([1], 5.1), True),
        (batch([1], 20.0), False),  # twice the time left
        (batch([1], 5.0), False),
        (batch([1], 10.0, plan=1), False),
        (batch([1], 10.0, choice=TOGETHER), True),
        (batch([1], 10.0, choice=IN_TIME), True),
        (batch([1], 10.0, choice=FASTEST), False),
    ],
)
def test_of_about_the_same_deadline_and_the_same_plan_they_are_one(
    new: PlannedBatch, joins: bool
) -> None:
    table = Timetable(FLAT, [batch([0], 10.0)])
    table.insert_or_join(new)
    assert len(table.batches) == (1 if joins else 2)
    if joins:
        [whole] = table.batches
        assert whole.tightest_ms == min(10.0, new.tightest_ms)
        assert whole.choice is (FEASIBLE if new.choice is FEASIBLE else TOGETHER)


def test_the_first_late_one_is_told_and_by_how_much() -> None:
    view = crossing((1.0, 0.0, 0.8), tail=4.0)
    second_ms = 2.0 + math.hypot(3.0, 3.0)
    some = [batch([0], 4.0, view=view), batch([1], second_ms - 0.5, view=view)]
    assert Timetable(view, some).first_late() == (1, pytest.approx(0.5))
    some[1] = batch([1], second_ms + 1e-9, view=view)
    assert Timetable(view, some).first_late() is None
    assert Timetable(view, [batch([0], 3.0, view=view)]).first_late() == (0, pytest.approx(1.0))


def test_what_runs_first_takes_later_ones_along_where_nothing_is_late_for_it() -> None:
    growing = crossing((1.0, 1.0, 0.8), (1.0, 1.0, 0.9))
    for other_ms, absorbs in ((3.0, True), (2.9, False)):
        first, last = batch([0], 2.5, view=growing), batch([2], 9.0, view=growing)
        other = batch([1], other_ms, plan=1, view=growing)
        table = Timetable(growing, [first, other, last])
        table.absorb()
        assert (shape(table)[0] == (0, [0, 2])) == absorbs
    tight = Timetable(growing, [batch([0], 1.9, view=growing), batch([1], 9.0, view=growing)])
    tight.absorb()
    assert shape(tight) == [(0, [0]), (0, [1])]  # together they take 2 ms


def test_of_several_later_ones_those_are_taken_along_that_fit() -> None:
    growing = crossing((1.0, 1.0, 0.8))
    table = Timetable(growing, [batch([i], 2.0 + 10.0 * i, view=growing) for i in range(4)])
    table.absorb()
    assert shape(table)[0] == (0, [0, 1])


def test_what_begins_later_takes_nothing_along() -> None:
    slow = crossing((ABSORB_MS, 0.0, 0.8), (ABSORB_MS, 0.0, 0.9))
    some = [batch([0], 90.0, plan=1, view=slow)]
    some += [batch([i], 100.0 * i, view=slow) for i in (1, 2)]
    table = Timetable(slow, some)
    table.absorb()
    assert shape(table) == [(1, [0]), (0, [1]), (0, [2])]
    quick = Timetable(slow, some[1:])
    quick.absorb()
    assert shape(quick) == [(0, [1, 2])]


def test_neighbours_become_one_call_where_both_are_in_time() -> None:
    growing = crossing((1.0, 1.0, 0.8), (1.0, 1.0, 0.9))
    for tightest_ms, merges in ((3.0, True), (2.9, False)):
        some = [
            batch([0], 2.0, plan=1, view=growing),
            batch([1], tightest_ms, view=growing),
            batch([2], 9.0, view=growing),
        ]
        table = Timetable(growing, some)
        table.merge_neighbours()
        assert len(table.batches) == (2 if merges else 3)
    apart = [batch([0], 5.0, view=growing), batch([1], 6.0, choice=FASTEST, view=growing)]
    table = Timetable(growing, apart)
    table.merge_neighbours()
    assert len(table.batches) == 2
