"""Few messages that one short call answers: known at a look, and as decided and shared."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ounce_edge.recommender.beliefs.view import View
from ounce_edge.recommender.pacing.sharing import LanesNow, share
from ounce_edge.recommender.rule.at_once import at_once
from ounce_edge.recommender.rule.decision import decide
from ounce_schemas.routing import Fallback

from tests.support.edge.decisions import ladders, messages, plain, view

LIGHT, HEAVY = 0.5, 0.95
"""Floors."""
LIGHT_MS, HEAVY_MS = 0.005, 4.0


def two() -> View:
    """A light plan and a heavy one."""
    return view(("light", LIGHT_MS, 0.8, 1), ("heavy", HEAVY_MS, 0.98, 1))


@given(
    ladders,
    st.lists(messages, min_size=2, max_size=4),
    st.sampled_from(Fallback),
    st.sampled_from([0.1, 4.0, 100.0]),
)
@settings(max_examples=300, deadline=None)
def test_it_is_what_is_decided_and_shared(
    plans: View, batches: list[list], fallback: Fallback, slice_ms: float
) -> None:
    for batch in batches:
        left, floors = np.array(batch[:3], float).T
        plenty = np.full(len(left), 1e9)
        for left_ms in (left, plenty, left):  # from the second on it is known
            found = at_once(plans, left_ms.tolist(), floors.tolist(), slice_ms)
            if found is not None:
                unknowing = replace(plans, one_calls={})
                schedule = decide(unknowing, left_ms, floors, fallback)
                now = share(unknowing, schedule, left_ms, slice_ms, LanesNow(1, 0.0))
                assert plain(found.schedule) == plain(schedule)
                assert list(found.share.here) == found.schedule.groups
                assert [group.plan for group in now.here] == [g.plan for g in found.share.here]
                assert found.share._replace(here=()) == now._replace(here=())


@pytest.mark.parametrize(
    ("some", "slice_ms", "is_known"),
    [
        ([(LIGHT, 50.0)], 5.0, True),
        ([(LIGHT, 50.0)] * 16, 5.0, True),
        ([(LIGHT, 50.0)] * 16, 0.1, False),  # more than half a slice
        ([(HEAVY, 50.0)], 10.0, False),  # long
        ([(LIGHT, 50.0), (HEAVY, 50.0)], 10.0, False),
        ([(LIGHT, -1.0)], 5.0, False),
        ([(LIGHT, 50.0), (LIGHT, -1.0)], 5.0, False),
    ],
)
def test_one_short_call_in_time_is_known(
    some: list[tuple[float, float]], slice_ms: float, is_known: bool
) -> None:
    plans = two()
    floors, left_ms = zip(*some, strict=True)
    for _ in range(2):
        assert (at_once(plans, left_ms, floors, slice_ms) is not None) == is_known


def test_no_plan_that_keeps_a_floor_is_known() -> None:
    assert at_once(two(), [50.0, 50.0], [0.5, 0.999], 5.0) is None
