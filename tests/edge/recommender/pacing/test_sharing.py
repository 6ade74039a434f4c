"""Which calls are made here, and which on lanes beside."""

import math

import numpy as np
from ounce_edge.recommender.beliefs.accuracy import AccuracyPrior
from ounce_edge.recommender.beliefs.latency import LatencyBelief
from ounce_edge.recommender.beliefs.plan_beliefs import Plans
from ounce_edge.recommender.beliefs.plans import Model, Plan, PlanStep
from ounce_edge.recommender.pacing.sharing import LanesNow, share
from ounce_edge.recommender.pacing.slicing import LATE, LATE_PATIENCE_MS, LATE_SHARE
from ounce_edge.recommender.rule.decision import decide
from ounce_edge.recommender.rule.schedule import Share
from ounce_schemas.routing import Fallback

LIGHT, HEAVY = 0, 1
FLOOR = {LIGHT: 0.5, HEAVY: 0.95}


def plans() -> Plans:
    """Light: 0.005 ms an item; heavy: 4 ms."""
    models = [
        Model(name, 1, LatencyBelief([1, 100], [ms, 100 * ms], [ms, 100 * ms]))
        for name, ms in (("light", 0.005), ("heavy", 4.0))
    ]
    accuracies = AccuracyPrior(0.9, 0.8, 0.95, 100), AccuracyPrior(0.99, 0.98, 1.0, 100)
    return Plans(models, [Plan(m.name, [PlanStep(i)], accuracies[i]) for i, m in enumerate(models)])


def shared(
    messages: list[tuple[int, float]],
    lanes: LanesNow | None,
    late_credit_ms: float = 0.0,
    slice_ms: float = 5.0,
) -> Share:
    """Of messages, each of the plan that it needs and the time it has left."""
    left = np.array([left_ms for _, left_ms in messages])
    floors = np.array([FLOOR[plan] for plan, _ in messages])
    view = plans().view(0.0)
    schedule = decide(view, left, floors, Fallback.MOST_ACCURATE_IN_TIME)
    ask_lanes = None if lanes is None else lambda: lanes
    return share(view, schedule, left, slice_ms, ask_lanes, late_credit_ms)


def shape(now: Share) -> tuple[list[tuple[int, int]], list[tuple[int, int]], int]:
    """Plan and number of messages of each group here and beside, and how many wait."""
    here, beside = ([(g.plan, len(g.items)) for g in side] for side in (now.here, now.beside))
    return here, beside, now.n_held


def test_a_long_call_goes_to_a_free_lane_and_the_short_ones_are_made_here() -> None:
    now = shared([(HEAVY, 100.0), (LIGHT, 50.0), (LIGHT, 50.0)], LanesNow(1, 0.0))
    assert shape(now) == ([(LIGHT, 2)], [(HEAVY, 1)], 0)


def test_without_lanes_all_is_made_here() -> None:
    assert shape(shared([(HEAVY, 100.0)], None)) == ([(HEAVY, 1)], [], 0)
    now = shared([(HEAVY, 100.0), (LIGHT, 50.0)], None)
    assert shape(now) == ([(LIGHT, 1)], [], 0)  # and the heavy one in the next slice


def test_a_lane_gets_a_slice_and_what_is_left_waits_for_it() -> None:
    heavy = [(HEAVY, 100.0)] * 5
    assert shape(shared(heavy, LanesNow(1, 0.0))) == ([], [(HEAVY, 1)], 0)
    now = shared([*heavy[1:], (LIGHT, 50.0)], LanesNow(0, 4.0))
    assert shape(now) == ([(LIGHT, 1)], [], 4)


def test_a_call_that_would_use_up_its_time_on_a_lane_is_made_here() -> None:
    assert shape(shared([(HEAVY, 20.0)], LanesNow(0, 5.0))) == ([], [], 1)
    assert shape(shared([(HEAVY, 20.0)], LanesNow(0, 7.0))) == ([(HEAVY, 1)], [], 0)


def test_long_calls_wait_only_if_all_of_them_can() -> None:
    one, two = [(HEAVY, 16.0)], [(HEAVY, 16.0), (HEAVY, 16.1)]
    assert shape(shared(one, LanesNow(0, 3.0)))[2] == 1
    assert shape(shared(two, LanesNow(0, 3.0)))[2] == 0


def test_nothing_waits_where_nothing_newer_comes() -> None:
    now = shared([(HEAVY, 100.0), (HEAVY, -1.0)], LanesNow(0, math.inf), slice_ms=40.0)
    assert shape(now) == ([(HEAVY, 1), (HEAVY, 1)], [], 0)


def test_calls_wait_for_a_lane_beside_messages_that_are_refused() -> None:
    view, left = plans().view(0.0), np.array([100.0, 100.0])
    schedule = decide(view, left, np.array([FLOOR[HEAVY], 0.999]), Fallback.REFUSE)
    assert schedule.refused.tolist() == [1]
    now = share(view, schedule, left, 5.0, lambda: LanesNow(0, 4.0))
    assert shape(now) == ([], [], 1)


def test_a_backlog_takes_all_threads() -> None:
    now = shared([(HEAVY, 4000.0)] * 1100, LanesNow(0, 1.0))
    assert (shape(now)[0][0], now.n_held) == ((HEAVY, 1), 0)


def is_late(now: Share) -> list[bool]:
    """Of each group beside."""
    return [group.choice in LATE for group in now.beside]


def test_late_messages_wait_for_a_lane_behind_others() -> None:
    messages = [(HEAVY, 100.0), (HEAVY, -1.0)]
    first = shared(messages, LanesNow(1, 0.0))
    assert (is_late(first), first.late_credit_ms) == ([False], 0.0)
    assert is_late(shared([(HEAVY, -1.0)], LanesNow(1, 0.0))) == [True]


def test_what_has_been_late_for_long_gets_a_share_of_the_lanes_time() -> None:
    messages = [(HEAVY, 100.0), (HEAVY, -LATE_PATIENCE_MS - 1.0)]
    credit_ms, beside = 0.0, list[bool]()
    for _ in range(510):
        now = shared(messages, LanesNow(1, 0.0), credit_ms)
        busy = shared(messages, LanesNow(0, 4.0), now.late_credit_ms)
        assert (list(busy.here), busy.n_held) == ([], 2)
        assert busy.late_credit_ms == now.late_credit_ms
        credit_ms = busy.late_credit_ms
        beside += is_late(now)
    assert beside.count(True) == 510 * LATE_SHARE / (1 + LATE_SHARE)


def test_late_messages_wait_here_as_well_while_timely_ones_look_for_a_thread() -> None:
    messages = [(HEAVY, 100.0)] * 3 + [(LIGHT, -1.0)]
    now = shared(messages, LanesNow(1, 0.0))
    assert shape(now) == ([], [(HEAVY, 1)], 0)
    assert shape(shared(messages[2:], LanesNow(1, 0.0))) == ([(LIGHT, 1)], [(HEAVY, 1)], 0)


def test_each_free_lane_gets_a_call() -> None:
    messages = [(HEAVY, 100.0), (HEAVY, -1.0)]
    assert len(shared(messages, LanesNow(2, 0.0), slice_ms=20.0).beside) == 2


def test_a_large_batch_of_a_light_model_is_no_long_call() -> None:
    assert shape(shared([(LIGHT, 1e4)] * 2000, LanesNow(1, 0.0), slice_ms=100.0)) == (
        [(LIGHT, 2000)],
        [],
        0,
    )
