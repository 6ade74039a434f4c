"""What runs next: the decision and its first calls, and what is only looked up."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ounce_edge.recommender.beliefs.view import View
from ounce_edge.recommender.pacing.next_calls import (
    Circumstances,
    NextCallsMemory,
    choose_next_calls,
)
from ounce_edge.recommender.pacing.sharing import LanesNow
from ounce_edge.recommender.rule.exploration import Draws
from ounce_schemas.routing import Choice, Fallback

from tests.support.edge.decisions import MOST_ACCURATE, ladders, messages, plain, view

LIGHT, HEAVY = 0.5, 0.95
"""Floors."""


def two() -> View:
    """A light plan and a heavy one."""
    return view(("light", 0.005, 0.8, 1), ("heavy", 4.0, 0.98, 1))


def of(plans: View, some: list[tuple[float, float]], **others) -> Circumstances:
    """Messages, each given as floor and time left."""
    floors, left_ms = np.array(some, float).T
    return Circumstances(plans, left_ms, floors, **{"fallback": MOST_ACCURATE, **others})


@given(
    ladders,
    st.lists(messages, min_size=2, max_size=4),
    st.sampled_from(Fallback),
    st.sampled_from([0.1, 4.0, 100.0]),
    st.sampled_from([None, LanesNow(0, 3.0), LanesNow(1, 0.0)]),
)
@settings(max_examples=300, deadline=None)
def test_what_is_looked_up_is_what_is_decided(
    plans: View,
    batches: list[list],
    fallback: Fallback,
    slice_ms: float,
    lanes: LanesNow | None,
) -> None:
    memory = NextCallsMemory()
    for batch in batches:
        left, floors = np.array(batch[:3], float).T
        plenty = np.full(len(left), 1e9)
        for left_ms in (left, plenty, left, -plenty, -left):
            now = Circumstances(
                plans,
                left_ms,
                floors,
                fallback,
                slice_ms=slice_ms,
                ask_lanes=None if lanes is None else lambda: lanes,
                late_credit_ms=0.5,
            )
            found = memory.find(now)
            if found is None:
                continue
            decided = choose_next_calls(now)
            assert plain(found.schedule) == plain(decided.schedule)
            assert found.schedule.by_cost == decided.schedule.by_cost
            for side in ("here", "beside"):
                pairs = zip(getattr(found.share, side), getattr(decided.share, side), strict=True)
                for one, other in pairs:
                    assert (one.plan, one.choice) == (other.plan, other.choice)
                    assert one.items.tolist() == other.items.tolist()
            assert found.share[2:] == decided.share[2:]


@pytest.mark.parametrize(
    ("some", "slice_ms", "is_known"),
    [
        ([(LIGHT, 50.0)], 5.0, True),
        ([(LIGHT, 50.0)] * 16, 5.0, True),
        ([(LIGHT, 50.0)] * 17, 5.0, False),
        ([(LIGHT, 50.0)] * 16, 0.1, False),  # a large part of a slice
        ([(HEAVY, 50.0)], 100.0, False),  # long
        ([(LIGHT, 50.0), (HEAVY, 50.0)], 100.0, False),
        ([(LIGHT, -1.0)], 5.0, True),
        ([(LIGHT, -1e6)] * 2, 5.0, True),
        ([(LIGHT, -1.0)] * 16, 0.1, False),
        ([(HEAVY, -1.0)], 100.0, False),  # long
        ([(LIGHT, 50.0), (LIGHT, -1.0)], 5.0, True),
        ([(HEAVY, -1.0), (LIGHT, 50.0)], 100.0, False),
        ([(LIGHT, 50.0), (0.999, -1.0)], 5.0, True),
        ([(LIGHT, 50.0), (0.999, 50.0)], 5.0, False),
    ],
)
def test_short_calls_are_looked_up(
    some: list[tuple[float, float]], slice_ms: float, is_known: bool
) -> None:
    plans, memory = two(), NextCallsMemory()
    first = memory.find(of(plans, some, slice_ms=slice_ms))
    assert (first is not None) == is_known
    assert memory.find(of(plans, some, slice_ms=slice_ms)) is first


def test_nothing_is_looked_up_while_an_overload_lasts_or_something_is_explored() -> None:
    plans, memory = two(), NextCallsMemory()
    assert memory.find(of(plans, [(LIGHT, 50.0)])) is not None
    draws = Draws(np.array([True]), [0.9, 0.9])
    for others in ({"overload_lasts": True}, {"draws": draws}):
        assert memory.find(of(plans, [(LIGHT, 50.0)], **others)) is None


def test_of_messages_whose_floor_no_plan_keeps_nothing_is_known() -> None:
    plans, memory = view(("only", 0.005, 0.8, 1)), NextCallsMemory()
    for some in ([(LIGHT, 50.0), (HEAVY, 50.0)], [(HEAVY, 50.0), (LIGHT, 50.0)]):
        assert memory.find(of(plans, some)) is None


def test_a_late_message_is_answered_by_its_policys_fallback() -> None:
    plans, memory = view(("light", 0.005, 0.8, 1), ("better", 0.02, 0.98, 1)), NextCallsMemory()
    late = [(HEAVY, -1.0)]
    for fallback, plan in ((Fallback.MOST_ACCURATE_IN_TIME, 1), (Fallback.FASTEST, 0)):
        found = memory.find(of(plans, late, fallback=fallback))
        assert found is not None
        assert [group.plan for group in found.schedule.groups] == [plan]
    assert memory.find(of(plans, late, fallback=Fallback.REFUSE)) is None


def test_what_was_known_of_other_beliefs_is_forgotten() -> None:
    memory, swapped = NextCallsMemory(), view(("light", 4.0, 0.8, 1), ("heavy", 0.005, 0.98, 1))
    for plans, plan in ((two(), 0), (swapped, 1), (two(), 0)):
        found = memory.find(of(plans, [(LIGHT, 50.0)]))
        assert found is not None
        [group] = found.schedule.groups
        assert (group.plan, group.choice) == (plan, Choice.LIGHTEST_FEASIBLE)


def test_lanes_are_asked_only_where_a_call_is_long() -> None:
    def ask_lanes() -> LanesNow:
        asked.append(True)
        return LanesNow(1, 0.0)

    for floor, n_asked in ((LIGHT, 0), (HEAVY, 1)):
        asked = list[bool]()
        chosen = choose_next_calls(of(two(), [(floor, 50.0)], ask_lanes=ask_lanes))
        assert (len(asked), len(chosen.share.beside)) == (n_asked, n_asked)
