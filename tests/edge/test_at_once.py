"""Few messages that one short call answers: known at a look, and as decided and shared."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ounce_edge.recommender.at_once import at_once
from ounce_edge.recommender.decision import decide
from ounce_edge.recommender.schedule import Group
from ounce_edge.recommender.sharing import LanesNow, share
from ounce_edge.recommender.view import View
from ounce_schemas.routing import Fallback

from tests.edge.test_decision_properties import ladders, messages, plain
from tests.edge.test_sharing import FLOOR, HEAVY, LIGHT, plans


def groups(some: object) -> list[tuple]:
    """To compare."""
    assert isinstance(some, list)
    return [(g.plan, g.choice, g.items.tolist()) for g in some if isinstance(g, Group)]


@given(
    ladders,
    st.lists(messages, min_size=2, max_size=4),
    st.sampled_from(Fallback),
    st.sampled_from([0.1, 4.0, 100.0]),
)
@settings(max_examples=300, deadline=None)
def test_it_is_what_is_decided_and_shared(
    view: View, batches: list[list], fallback: Fallback, slice_ms: float
) -> None:
    for batch in batches:
        left, floors = np.array(batch[:3], float).T
        for left_ms in (
            left,
            np.full(len(left), 1e9),
            left,
        ):  # what is in time is known from then on
            found = at_once(view, left_ms.tolist(), floors.tolist(), slice_ms)
            if found is not None:
                unknowing = replace(view, one_calls={})
                schedule = decide(unknowing, left_ms, floors, fallback)
                now = share(unknowing, schedule, left_ms, slice_ms, LanesNow(1, 0.0))
                assert plain(found.schedule) == plain(schedule)
                assert groups(found.share.here) == groups(now.here)
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
    some: list[tuple[int, float]], slice_ms: float, is_known: bool
) -> None:
    view = plans().view(0.0)
    left_ms, floors = [left for _, left in some], [FLOOR[plan] for plan, _ in some]
    for _ in range(2):
        assert (at_once(view, left_ms, floors, slice_ms) is not None) == is_known


def test_no_plan_that_keeps_a_floor_is_known() -> None:
    assert at_once(plans().view(0.0), [50.0, 50.0], [0.5, 0.999], 5.0) is None
