"""Batches one after another: when they end, in which order, and which share a call."""

import math

import numpy as np
import pytest
from ounce_edge.recommender.beliefs.view import View
from ounce_edge.recommender.rule.batches import (
    Line,
    PlannedBatch,
    batch_of,
    in_time,
    is_cheaper_together,
    is_sooner_together,
    join_next,
    put_together,
)
from ounce_edge.recommender.rule.cells import Cell
from ounce_schemas.routing import Choice

from tests.support.edge.decisions import crossing

TAILED = crossing((1.0, 0.0, 0.8), (2.0, 0.0, 0.9), tail=4.0)
"""A call of plan 0 usually takes 1 ms, and 4 ms at most; of plan 1 it is 2 and 8."""


def batch(plan: int, n: int, tightest_ms: float, view: View = TAILED, first: int = 0):
    items = list(range(first, first + n))
    return PlannedBatch(view, plan, Choice.LIGHTEST_FEASIBLE, [items], n, tightest_ms)


def test_usual_times_add_up_and_what_may_come_on_top_does_by_its_squares() -> None:
    line = Line()
    assert line.join(1.0, 4.0) == pytest.approx(4.0)
    assert line.join(2.0, 6.0) == pytest.approx(3.0 + math.hypot(3.0, 4.0))
    assert line.usual_ms == pytest.approx(3.0)
    other = line.copy()
    assert other.join(10.0, 22.0) == pytest.approx(13.0 + math.hypot(3.0, 4.0, 12.0))
    assert line.usual_ms == pytest.approx(3.0)
    assert line.join(1.0, 1.0) == pytest.approx(4.0 + 5.0)


def test_a_line_keeps_batches_that_end_by_their_deadlines_behind_what_is_in_it() -> None:
    line = Line()
    line.join(1.0, 4.0)
    ends_ms = 2.0 + math.hypot(3.0, 3.0)
    assert line.keeps([batch(0, 1, ends_ms + 1e-9)])
    assert not line.keeps([batch(0, 1, ends_ms - 1e-9)])
    assert not line.keeps([batch(0, 1, 1e3), batch(0, 1, ends_ms)])
    assert line.usual_ms == 1.0  # as it was


def test_the_order_is_as_given_or_else_the_earliest_deadline_first() -> None:
    end_ms, last_ms = 8.0, 3.0 + math.hypot(3.0, 6.0)
    early, late = batch(1, 1, end_ms), batch(0, 1, last_ms)
    assert in_time([early, late]) == [early, late]
    assert in_time([late, early]) == [early, late]
    relaxed = batch(0, 1, 1e3)
    assert in_time([relaxed, batch(1, 1, last_ms)])[0] is relaxed
    assert in_time([batch(0, 1, last_ms - 1e-9), early]) is None


def test_a_batch_of_cells_has_all_their_messages_and_their_tightest_deadline() -> None:
    cells = [Cell(1, 0, [4, 7], 9.0), Cell(1, 2, np.array([1, 5, 6]), 30.0)]
    made = batch_of(TAILED, 1, cells)
    assert (made.plan, made.choice, made.n, made.tightest_ms) == (
        1,
        Choice.LIGHTEST_FEASIBLE,
        5,
        9.0,
    )
    assert (made.usual_ms, made.finish_ms) == pytest.approx((2.0, 8.0))
    assert made.items.tolist() == [1, 4, 5, 6, 7]
    assert made.by(TAILED, 0, Choice.FALLBACK_FASTEST).as_group() == (
        0,
        Choice.FALLBACK_FASTEST,
        pytest.approx([1, 4, 5, 6, 7]),
    )


def test_together_is_one_call_of_the_last_plan() -> None:
    whole = put_together(
        TAILED, Choice.LIGHTEST_TOGETHER, [batch(0, 2, 5.0, first=3), batch(1, 3, 4.0)]
    )
    assert (whole.plan, whole.n, whole.tightest_ms) == (1, 5, 4.0)
    assert whole.items.tolist() == [0, 1, 2, 3, 4]


def test_messages_join_the_next_call_where_it_costs_no_more() -> None:
    # a call is 1 ms; each message more is 0.01 ms in the light plan, 0.02 in the other one
    view = crossing((1.0, 0.01, 0.8), (1.0, 0.02, 0.9))
    for n, joins in ((99, True), (103, False)):
        lighter, heavier = batch(0, n, 50.0, view), batch(1, 1, 50.0, view)
        assert is_cheaper_together(view, lighter, heavier) == joins
        joined = join_next(view, [lighter, heavier], is_cheaper_together)
        assert [(b.plan, b.n) for b in joined] == ([(1, n + 1)] if joins else [(0, n), (1, 1)])
        assert joined[0].choice is (Choice.LIGHTEST_TOGETHER if joins else Choice.LIGHTEST_FEASIBLE)


def test_three_batches_join_one_after_another() -> None:
    view = crossing((1.0, 0.01, 0.7), (1.0, 0.01, 0.8), (1.0, 0.01, 0.9))
    [whole] = join_next(view, [batch(p, 2, 50.0, view) for p in range(3)], is_cheaper_together)
    assert (whole.plan, whole.n) == (2, 6)
    assert join_next(view, [], is_cheaper_together) == []


@pytest.mark.parametrize("tail", [1.0, 4.0])
def test_a_call_that_takes_no_longer_for_both_is_sooner(tail: float) -> None:
    view = crossing((1.0, 0.0, 0.8), (9.0, 0.0, 0.9), tail=tail)
    assert is_sooner_together(view, batch(0, 1, 50.0, view), batch(1, 1, 50.0, view))


def test_a_call_for_both_is_later_where_its_usual_time_or_its_99th_percentile_is() -> None:
    # of heavy ones 1 takes 2 ms, 2 take 4, and 1.9 ms of lighter ones take as long as one
    view = crossing((1.9, 0.0, 0.8), (2.0, 2.0, 0.9))
    assert not is_sooner_together(view, batch(0, 1, 50.0, view), batch(1, 1, 50.0, view))
    even = crossing((2.0, 0.0, 0.8), (2.0, 2.0, 0.9))
    assert is_sooner_together(even, batch(0, 1, 50.0, even), batch(1, 1, 50.0, even))
    # usually as long; but one call of 4 ms may take 16, two of 2 ms take 4 + hypot(6, 6) = 12.5
    tailed = crossing((2.0, 0.0, 0.8), (2.0, 2.0, 0.9), tail=4.0)
    assert not is_sooner_together(tailed, batch(0, 1, 50.0, tailed), batch(1, 1, 50.0, tailed))
