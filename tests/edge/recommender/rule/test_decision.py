"""The decision rule: what it chooses."""

import numpy as np
import pytest
from ounce_edge.recommender.beliefs.accuracy import AccuracyPrior
from ounce_edge.recommender.beliefs.latency import LatencyBelief
from ounce_edge.recommender.beliefs.plan_beliefs import Plans
from ounce_edge.recommender.beliefs.plans import Model, Plan, PlanStep
from ounce_edge.recommender.rule.decision import LATE_CONSIDERED, MOST_CONSIDERED, decide
from ounce_edge.recommender.rule.explanation import rejections
from ounce_schemas.routing import Choice, Fallback, Objective

from tests.support.edge import cascades
from tests.support.edge.decisions import (
    HEAVY,
    LADDER,
    LIGHT,
    MIDDLE,
    MOST_ACCURATE,
    by_item,
    choose,
    crossing,
    view,
)


@pytest.mark.parametrize(
    ("remaining", "floor", "expected"),
    [
        (100, 0.5, (LIGHT, Choice.LIGHTEST_FEASIBLE)),
        (100, 0.9, (MIDDLE, Choice.LIGHTEST_FEASIBLE)),
        (100, 0.95, (HEAVY, Choice.LIGHTEST_FEASIBLE)),
        (5, 0.95, (MIDDLE, Choice.FALLBACK_MOST_ACCURATE_IN_TIME)),
        (100, 0.99, (HEAVY, Choice.FALLBACK_MOST_ACCURATE_IN_TIME)),
        (0.5, 0.9, (LIGHT, Choice.FALLBACK_MOST_ACCURATE_IN_TIME)),
        (-3, 0.5, (LIGHT, Choice.FALLBACK_LATE)),
        (-3, 0.9, (MIDDLE, Choice.FALLBACK_LATE)),
        (-3, 0.95, (LIGHT, Choice.FALLBACK_FASTEST)),  # 10 ms is too much for a late message
        (-3, 0.99, (LIGHT, Choice.FALLBACK_FASTEST)),
    ],
)
def test_one_message(remaining: float, floor: float, expected: tuple[int, Choice]) -> None:
    assert choose(LADDER, [remaining], [floor])[1] == [expected]


def test_fallback_fastest_and_refuse() -> None:
    assert choose(LADDER, [5], [0.95], Fallback.FASTEST)[1] == [(LIGHT, Choice.FALLBACK_FASTEST)]
    assert choose(LADDER, [-3], [0.5], Fallback.FASTEST)[1] == [(LIGHT, Choice.FALLBACK_FASTEST)]
    for remaining, floor in ((5, 0.95), (100, 0.99), (-3, 0.5)):
        assert choose(LADDER, [remaining], [floor], Fallback.REFUSE)[1] == [None]
    schedule, found = choose(LADDER, [5, 100], [0.95, 0.5], Fallback.REFUSE)
    assert found == [None, (LIGHT, Choice.LIGHTEST_FEASIBLE)]
    assert schedule.refused.tolist() == [0]


def test_a_late_backlog_is_caught_up() -> None:
    _, found = choose(LADDER, [-3.0] * 20, [0.9] * 20)
    assert found.count((MIDDLE, Choice.FALLBACK_LATE)) == 5
    assert found.count((LIGHT, Choice.FALLBACK_FASTEST)) == 15


def test_ties_of_cost_go_to_fewer_bytes() -> None:
    plans = view(("big", 1, 0.9, 10), ("small", 1, 0.9, 9))
    assert choose(plans, [100], [0.5])[1] == [(1, Choice.LIGHTEST_FEASIBLE)]


def test_the_batch_a_message_would_join_counts() -> None:
    # 10 ms each: alone every one is in time, together only four are within 45 ms
    _, found = choose(LADDER, [45.0] * 6, [0.95] * 6)
    reasons = [choice for _, choice in found]
    assert reasons.count(Choice.LIGHTEST_FEASIBLE) == 4
    # ... and the others get what still fits behind those 40 ms: 2 middle ones in 5 ms
    assert found.count((MIDDLE, Choice.FALLBACK_MOST_ACCURATE_IN_TIME)) == 2


def test_where_much_is_late_already_what_gives_way_takes_little_time() -> None:
    # as before, but 0.9 of a middle plan takes ten times as long as 0.8 of a light one
    for n_late, plan in ((0, MIDDLE), (1, LIGHT)):
        _, found = choose(LADDER, [45.0] * 6 + [-1.0] * n_late, [0.95] * 6 + [0.5] * n_late)
        assert found[:6].count((HEAVY, Choice.LIGHTEST_FEASIBLE)) == 4
        assert found[:6].count((plan, Choice.FALLBACK_MOST_ACCURATE_IN_TIME)) == 2


def test_while_an_overload_lasts_dear_floors_get_what_gives_most_for_its_time() -> None:
    # 0.9 of a middle plan takes ten times as long as 0.8 of a light one; all could be in time
    remaining, floors = np.full(20, 1e3), np.array([0.5] * 10 + [0.9] * 5 + [0.95] * 5)
    for fallback, gives_way in (
        (MOST_ACCURATE, (LIGHT, Choice.FALLBACK_MOST_ACCURATE_IN_TIME)),
        (Fallback.FASTEST, (LIGHT, Choice.FALLBACK_FASTEST)),
        (Fallback.REFUSE, None),
    ):
        calm = by_item(LADDER, decide(LADDER, remaining, floors, fallback), floors)
        assert (
            calm[10:]
            == [(MIDDLE, Choice.LIGHTEST_FEASIBLE)] * 5 + [(HEAVY, Choice.LIGHTEST_FEASIBLE)] * 5
        )
        schedule = decide(LADDER, remaining, floors, fallback, overload_lasts=True)
        found = by_item(LADDER, schedule, floors)
        if gives_way is None:  # nothing is refused for what may come
            assert found == calm
            continue
        assert {plan for plan, _ in found[:10]} == {LIGHT}
        assert not any(choice.is_fallback for _, choice in found[:10])
        assert found[10:] == [gives_way] * 10


def test_a_floor_that_a_quicker_plan_keeps_exactly_is_kept_in_a_crowd() -> None:
    # by energy, milliseconds alone and watts: the lightest is the slowest
    slow, quick, dear = range(3)
    ladder = ((10.0, 1.0, 0.95), (1.0, 100.0, 0.9), (1.0, 1000.0, 0.92))
    plans = Plans(
        [
            Model(f"m{i}", 1, LatencyBelief([1, 100], [ms, 100 * ms], [ms, 100 * ms]), watts=watts)
            for i, (ms, watts, _) in enumerate(ladder)
        ],
        [
            Plan(f"m{i}", [PlanStep(i)], AccuracyPrior(low + 0.01, low, 1.0, 100))
            for i, (_, _, low) in enumerate(ladder)
        ],
        Objective.ENERGY,
    ).view(0.0)
    kept = (slow, Choice.LIGHTEST_FEASIBLE)
    _, found = choose(plans, [15.0] * 4, [0.9] * 4)
    assert found == [(quick, Choice.LIGHTEST_FEASIBLE)] * 3 + [kept]
    _, found = choose(plans, [15.0] * 4, [0.92, 0.95, 0.92, 0.95])
    assert [plan for plan, _ in found] == [dear, dear, dear, slow]
    assert [choice.is_fallback for _, choice in found] == [False, True, False, False]


def test_a_tenth_that_is_late_is_not_much() -> None:
    for n_late, plan in ((1, MIDDLE), (2, LIGHT)):
        others = 4 - n_late  # of ten
        remaining = [45.0] * 6 + [1e3] * others + [-1.0] * n_late
        _, found = choose(LADDER, remaining, [0.95] * 6 + [0.5] * 4)
        assert found[:6].count((plan, Choice.FALLBACK_MOST_ACCURATE_IN_TIME)) == 2


def test_of_far_too_many_as_many_are_kept_as_fit() -> None:
    # four take 40 ms, and 36 light ones 3.6 ms
    _, found = choose(LADDER, [45.0] * 40 + [-1.0] * 5, [0.95] * 40 + [0.5] * 5)
    assert found.count((HEAVY, Choice.LIGHTEST_FEASIBLE)) == 4
    assert found.count((LIGHT, Choice.FALLBACK_MOST_ACCURATE_IN_TIME)) == 36


@pytest.mark.parametrize("n", [1, 2, 15, 16, 17, 40])
@pytest.mark.parametrize(
    ("fallback", "overload_lasts", "expected"),
    [
        (MOST_ACCURATE, False, (HEAVY, Choice.LIGHTEST_FEASIBLE)),
        (MOST_ACCURATE, True, (LIGHT, Choice.FALLBACK_MOST_ACCURATE_IN_TIME)),
        (Fallback.FASTEST, False, (HEAVY, Choice.LIGHTEST_FEASIBLE)),
        (Fallback.FASTEST, True, (LIGHT, Choice.FALLBACK_FASTEST)),
        (Fallback.REFUSE, False, (HEAVY, Choice.LIGHTEST_FEASIBLE)),
        (Fallback.REFUSE, True, (HEAVY, Choice.LIGHTEST_FEASIBLE)),
    ],
)
@pytest.mark.parametrize("n_late", [0, 1, 40])
def test_equal_messages_get_the_same_plan_however_many_they_are(
    n: int, n_late: int, fallback: Fallback, overload_lasts: bool, expected: tuple[int, Choice]
) -> None:
    remaining = np.array([1e3] * n + [-1.0] * n_late)
    floors = np.array([0.95] * n + [0.5] * n_late)
    schedule = decide(LADDER, remaining, floors, fallback, overload_lasts)
    assert by_item(LADDER, schedule, floors.tolist())[:n] == [expected] * n
    assert len([group for group in schedule.groups if group.items[0] < n]) == 1


def test_lightest_first_unless_a_deadline_needs_another_order() -> None:
    # 20 light messages take 2 ms; the heavy one behind them would finish at 12 ms
    for deadline, order in ((13.0, [LIGHT, HEAVY]), (11.0, [HEAVY, LIGHT])):
        schedule, found = choose(LADDER, [100.0] * 20 + [deadline], [0.5] * 20 + [0.95])
        assert [group.plan for group in schedule.groups] == order
        assert found[20] == (HEAVY, Choice.LIGHTEST_FEASIBLE)


def test_a_group_waits_for_those_before_it() -> None:
    # 20 light messages take 2 ms and can't wait; the heavy one would finish at 12 ms
    schedule, found = choose(LADDER, [2.5] * 20 + [11.0], [0.5] * 20 + [0.95])
    assert [group.plan for group in schedule.groups] == [LIGHT, MIDDLE]
    assert found[20] == (MIDDLE, Choice.FALLBACK_MOST_ACCURATE_IN_TIME)


def test_rejections_name_each_lighter_plan() -> None:
    order = [LIGHT, MIDDLE, HEAVY]
    assert rejections(LADDER, order, HEAVY, Choice.LIGHTEST_FEASIBLE, 0.95) == {
        "light": "accuracy 0.8000 < 0.95",
        "middle": "accuracy 0.9300 < 0.95",
    }
    assert rejections(LADDER, order, MIDDLE, Choice.FALLBACK_MOST_ACCURATE_IN_TIME, 0.95) == {
        "light": "accuracy 0.8000 < 0.95",
        "middle": "accuracy 0.9300 < 0.95",
        "heavy": "deadline",
    }
    assert rejections(LADDER, order, LIGHT, Choice.LIGHTEST_FEASIBLE, 0.5) == {}


def test_a_call_that_is_made_anyway_takes_cheaper_messages_along() -> None:
    # a call is 1 ms; each message more is 0.01 ms in the light plan, 0.02 in the other one
    plans = crossing((1.0, 0.01, 0.8), (1.0, 0.02, 0.9))
    schedule, found = choose(plans, [100.0] * 50, [0.5] * 49 + [0.85])
    assert [(g.plan, len(g.items)) for g in schedule.groups] == [(1, 50)]
    assert found[0] == (1, Choice.LIGHTEST_TOGETHER)
    assert rejections(plans, [0, 1], 1, Choice.LIGHTEST_TOGETHER, 0.5) == {"m0": "call of its own"}
    # from a hundred on a call of their own costs less
    schedule, found = choose(plans, [100.0] * 150, [0.5] * 149 + [0.85])
    assert [(g.plan, len(g.items)) for g in schedule.groups] == [(0, 149), (1, 1)]
    assert found[0] == (0, Choice.LIGHTEST_FEASIBLE)


def test_messages_that_the_shared_call_would_make_late_have_one_of_their_own() -> None:
    plans = crossing((1.0, 0.01, 0.8), (1.0, 0.02, 0.9))
    _, found = choose(plans, [1.6] * 50 + [100.0], [0.5] * 50 + [0.85])
    assert set(found[:50]) == {(0, Choice.LIGHTEST_FEASIBLE)}
    assert found[50] == (1, Choice.LIGHTEST_FEASIBLE)


def test_in_a_crowd_messages_of_one_deadline_share_a_call_where_that_is_sooner() -> None:
    # the last ones need 80 ms and have 55: not everything is in time
    plans = crossing((1.0, 0.01, 0.8), (1.0, 0.02, 0.9), (10.0, 10.0, 0.98))
    schedule, found = choose(plans, [50.0] * 50 + [55.0] * 8, [0.5] * 49 + [0.85] + [0.95] * 8)
    assert set(found[:50]) == {(1, Choice.LIGHTEST_TOGETHER)}
    # ... and those that give way share it, too: to their floors it is a fallback
    first = schedule.groups[0]
    assert (first.plan, first.choice) == (1, Choice.LIGHTEST_TOGETHER)
    assert first.items[:50].tolist() == list(range(50))
    assert {found[i] for i in first.items[50:]} == {(1, Choice.FALLBACK_MOST_ACCURATE_IN_TIME)}
    # of a hundred and fifty it would be later
    _, found = choose(plans, [50.0] * 150 + [55.0] * 8, [0.5] * 149 + [0.85] + [0.95] * 8)
    assert set(found[:149]) == {(0, Choice.LIGHTEST_FEASIBLE)}
    assert found[149] == (1, Choice.LIGHTEST_TOGETHER)


def test_no_plan_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one plan"):
        Plans([], [])


def test_most_accurate_of_equals_is_the_lightest() -> None:
    plans = view(("dear", 5, 0.9, 1), ("cheap", 1, 0.9, 1), ("poor", 0.1, 0.5, 1))
    assert plans.names[plans.ranking(1).always_best] == "cheap"


def test_of_a_long_backlog_the_most_urgent_messages_are_considered() -> None:
    n = 3 * MOST_CONSIDERED
    remaining = np.concatenate([np.linspace(1e6, 2e6, n), np.full(n, -1.0)])
    schedule = decide(LADDER, remaining, np.full(2 * n, 0.5), MOST_ACCURATE)
    items = np.concatenate([group.items for group in schedule.groups])
    assert len(items) == len(np.unique(items)) == MOST_CONSIDERED
    timely = np.sort(items[items < n])
    assert timely.tolist() == list(range(len(timely)))  # those with the least time left
    assert len(items) - len(timely) == LATE_CONSIDERED
    refused = decide(LADDER, np.full(n, -1.0), np.full(n, 0.5), Fallback.REFUSE).refused
    assert refused.tolist() == list(range(MOST_CONSIDERED))  # the oldest


def test_a_call_takes_along_later_messages_of_its_plan_where_nothing_is_late_for_it() -> None:
    # one call is 5 ms, and 0.01 ms a message: three calls would end at 15 ms, and one is in time
    plans = crossing((5.0, 0.01, 0.9), (50.0, 1.0, 0.99))
    remaining = [6.0, 13.0, 100.0, 60.0]
    schedule, _ = choose(plans, remaining, [0.5, 0.5, 0.5, 0.95])
    assert [(g.plan, g.items.tolist()) for g in schedule.groups] == [(0, [0, 1, 2]), (1, [3])]


def test_messages_do_not_go_back_and_forth() -> None:
    # of the last two the one is quicker alone, the other one in a batch: neither is in time for all
    plans = crossing((50.0, 5.0, 0.9), (1.0, 1.0, 0.8), (5.0, 0.5, 0.7))
    _, found = choose(plans, [2.5, 4.0, 6.0, 6.5, 7.0, 8.0, 9.0, 11.0] * 4, [0.9] * 32)
    assert len(found) == 32


def test_one_message_is_in_time_though_the_answers_of_many_take_long() -> None:
    made = cascades.plans()
    for n in (1, 2, 10, 30) * 1000:
        ms = 1.0 + 1.0 * n  # 1 ms a group, and 1 ms a message
        made.overhead.observe(n, ms, ms)
    now = made.view(0.0)
    in_time = (cascades.LIGHT, Choice.LIGHTEST_FEASIBLE)
    assert choose(now, [3.0], [0.85])[1] == [in_time]
    _, found = choose(now, [8.0] * 10, [0.85] * 10)
    assert 5 <= found.count(in_time) <= 7


def test_publishing_takes_time_as_well() -> None:
    # ten messages take 1 ms in the model, 3 ms to encode and publish, and their group 4.8 ms
    plans = crossing((0.1, 0.1, 0.9), overhead_ms=0.3)
    assert choose(plans, [8.9] * 10, [0.5] * 10)[1] == [(0, Choice.LIGHTEST_FEASIBLE)] * 10
    _, found = choose(plans, [8.7] * 10, [0.5] * 10)
    assert found.count((0, Choice.LIGHTEST_FEASIBLE)) == 9
