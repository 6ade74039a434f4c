"""The decision rule: what it chooses, and properties that hold for any ladder and any messages."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ounce_edge.recommender import decision
from ounce_edge.recommender.accuracy import AccuracyPrior
from ounce_edge.recommender.decision import LATE_CONSIDERED, MOST_CONSIDERED, decide
from ounce_edge.recommender.explanation import rejections
from ounce_edge.recommender.few import decide_few
from ounce_edge.recommender.latency import LatencyBelief
from ounce_edge.recommender.plans import Model, Plan, Plans, Step
from ounce_edge.recommender.schedule import Line, Schedule
from ounce_edge.recommender.view import View
from ounce_schemas.routing import Choice, Fallback

MOST_ACCURATE = Fallback.MOST_ACCURATE_IN_TIME


def view(*plans: tuple[str, float, float, int]) -> View:
    """A view of single models: name, milliseconds per item, lower bound of accuracy, bytes."""
    models = [
        Model(name, size, LatencyBelief([1, 100], [ms, 100 * ms], [ms, 100 * ms]))
        for name, ms, _, size in plans
    ]
    return Plans(
        models,
        [
            Plan(name, [Step(i)], AccuracyPrior(min(1.0, low + 0.01), low, 1.0, 100))
            for i, (name, _, low, _) in enumerate(plans)
        ],
    ).view(0.0)


LADDER = view(("heavy", 10, 0.98, 1), ("light", 0.1, 0.80, 1), ("middle", 1, 0.93, 1))
HEAVY, LIGHT, MIDDLE = range(3)


def choose(plans: View, remaining: list[float], floors: list[float], fallback=MOST_ACCURATE):
    schedule = decide(plans, np.array(remaining, float), np.array(floors, float), fallback)
    return schedule, by_item(plans, schedule, floors)


def by_item(
    plans: View, schedule: Schedule, floors: Sequence[float]
) -> list[tuple[int, Choice] | None]:
    """Plan and reason per message; None where refused; each message exactly once."""
    n = len(floors)
    found: list[tuple[int, Choice] | None] = [None] * n
    seen = list(schedule.refused)
    for group in schedule.groups:
        for i in group.items:
            keeps = plans.accuracy_low[group.plan] >= floors[i]
            found[i] = (group.plan, group.choice if keeps else group.choice.below_floor)
        seen += list(group.items)
    assert sorted(seen) == list(range(n))
    return found


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
    assert plans.names[plans.always_best(1)] == "cheap"


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


def crossing(*models: tuple[float, float, float], overhead_ms: float = 0.0) -> View:
    """A view of single models: milliseconds alone, milliseconds per further item, lower bound."""
    plans = Plans(
        [
            Model(f"m{i}", 1, LatencyBelief([1, 101], *[[ms, ms + 100 * more]] * 2))
            for i, (ms, more, _) in enumerate(models)
        ],
        [
            Plan(f"m{i}", [Step(i)], AccuracyPrior(min(1.0, low + 0.01), low, 1.0, 100))
            for i, (_, _, low) in enumerate(models)
        ],
    )
    plans.item_overhead_ms = overhead_ms
    return plans.view(0.0)


def test_messages_do_not_go_back_and_forth() -> None:
    # of the last two the one is quicker alone, the other one in a batch: neither is in time for all
    plans = crossing((50.0, 5.0, 0.9), (1.0, 1.0, 0.8), (5.0, 0.5, 0.7))
    _, found = choose(plans, [2.5, 4.0, 6.0, 6.5, 7.0, 8.0, 9.0, 11.0] * 4, [0.9] * 32)
    assert len(found) == 32


def test_publishing_takes_time_as_well() -> None:
    # ten messages take 1 ms in the model, and 3 ms to encode and publish
    plans = crossing((0.1, 0.1, 0.9), overhead_ms=0.3)
    assert choose(plans, [4.1] * 10, [0.5] * 10)[1] == [(0, Choice.LIGHTEST_FEASIBLE)] * 10
    _, found = choose(plans, [3.9] * 10, [0.5] * 10)
    assert found.count((0, Choice.LIGHTEST_FEASIBLE)) == 9


ladders = st.lists(
    st.tuples(st.floats(0.01, 50), st.floats(0, 0.99), st.integers(1, 5)), min_size=1, max_size=6
).map(lambda rows: view(*((f"m{i}", *row) for i, row in enumerate(rows)))) | st.lists(
    st.tuples(st.floats(0.01, 50), st.floats(0.0, 5.0), st.floats(0, 0.99)), min_size=1, max_size=8
).map(lambda rows: crossing(*rows))
messages = st.lists(
    st.tuples(st.floats(-50, 1000), st.sampled_from([0.0, 0.5, 0.9, 0.99, 1.0])),
    min_size=1,
    max_size=40,
)


@given(ladders, messages, st.sampled_from(Fallback))
@settings(max_examples=300, deadline=None)
def test_a_feasible_label_is_true(plans: View, batch: list, fallback: Fallback) -> None:
    """Whatever is labelled feasible meets its floor, and its predicted finish its deadline."""
    remaining, floors = np.array(batch, float).T
    for overload_lasts in (False, True):
        schedule = decide(plans, remaining, floors, fallback, overload_lasts)
        found = by_item(plans, schedule, floors)
        line = Line()
        for group in schedule.groups:
            n = len(group.items)
            ends_ms = line.join(
                plans.usual_finish_ms(group.plan, n), plans.finish_ms(group.plan, n)
            )
            for i in group.items:
                assert found[i] is not None
                if not (why := found[i][1]).is_fallback:
                    assert plans.accuracy_low[group.plan] >= floors[i]
                if not why.is_fallback or why is Choice.FALLBACK_MOST_ACCURATE_IN_TIME:
                    assert ends_ms <= remaining[i] + 1e-9


@given(ladders, messages)
@settings(max_examples=300, deadline=None)
def test_a_shared_call_costs_no_more_than_calls_apart(plans: View, batch: list) -> None:
    """With time for everything, what is chosen costs at most what each floor's lightest plan does
    in a call for the messages of that floor."""
    floors = np.array([floor for _, floor in batch])
    frontier = plans.compared(len(batch)).frontier
    lightest = [
        next((p for p in frontier if plans.accuracy_low[p] >= f), None) for f in floors.tolist()
    ]
    if None in lightest:
        return
    schedule = decide(plans, np.full(len(batch), 1e9), floors, MOST_ACCURATE)
    cost = sum(plans.cost_of(g.plan, len(g.items)) for g in schedule.groups)
    apart = sum(plans.cost_of(p, lightest.count(p)) for p in frontier if p in lightest)
    assert cost <= apart * (1 + 1e-9)
    assert not any(g.choice.is_fallback for g in schedule.groups)


@given(ladders, st.floats(0.01, 1000), st.sampled_from([0.0, 0.5, 0.9, 0.99]))
@settings(max_examples=300, deadline=None)
def test_alone_never_heavier_than_needed(plans: View, remaining: float, floor: float) -> None:
    _, found = choose(plans, [remaining], [floor])
    assert found[0] is not None
    chosen, choice = found[0]
    cost = [plans.cost_of(p, 1) for p in range(len(plans.names))]
    feasible = [
        p
        for p in plans.usable
        if plans.accuracy_low[p] >= floor and plans.finish_ms(p, 1) <= remaining
    ]
    assert (choice is Choice.LIGHTEST_FEASIBLE) == bool(feasible)
    if feasible:
        assert cost[chosen] == min(cost[p] for p in feasible)


@given(ladders, st.floats(0.01, 500), st.floats(0, 500), st.floats(0, 0.99), st.floats(0, 0.99))
@settings(max_examples=300, deadline=None)
def test_looser_targets_never_cost_more(
    plans: View, remaining: float, more: float, one_floor: float, other_floor: float
) -> None:
    low, high = sorted((one_floor, other_floor))
    strict = choose(plans, [remaining], [high])[1][0]
    loose = choose(plans, [remaining + more], [low])[1][0]
    assert strict is not None
    assert loose is not None
    if strict[1] is Choice.LIGHTEST_FEASIBLE:
        cost = [plans.cost_of(p, 1) for p in range(len(plans.names))]
        assert loose[1] is Choice.LIGHTEST_FEASIBLE
        assert cost[loose[0]] <= cost[strict[0]]


curves = st.lists(
    st.tuples(st.floats(0.001, 5), st.floats(0.001, 5), st.floats(0, 0.99)), min_size=2, max_size=6
)


@given(curves, messages, st.sampled_from(Fallback))
@settings(max_examples=500, deadline=None)
def test_plans_whose_curves_cross_give_an_end(rows: list, batch: list, fallback: Fallback) -> None:
    """Which plan is quicker depends on the batch size: messages must not go round in circles."""
    models = [
        Model(f"m{i}", 1, LatencyBelief([1, 100], [fixed + each, fixed + 100 * each], [1, 1]))
        for i, (fixed, each, _) in enumerate(rows)
    ]
    plans = [
        Plan(f"m{i}", [Step(i)], AccuracyPrior(low, low, 1.0, 100))
        for i, (_, _, low) in enumerate(rows)
    ]
    remaining, floors = np.array(batch, float).T
    view = Plans(models, plans).view(0.0)
    for overload_lasts in (False, True):
        by_item(view, decide(view, remaining, floors, fallback, overload_lasts), floors)


@given(ladders, messages)
@settings(max_examples=100, deadline=None)
def test_the_same_arguments_give_the_same_decision(plans: View, batch: list) -> None:
    remaining, floors = np.array(batch, float).T
    once, again = (decide(plans, remaining, floors, MOST_ACCURATE) for _ in range(2))
    assert [(g.plan, g.choice, g.items.tolist()) for g in once.groups] == [
        (g.plan, g.choice, g.items.tolist()) for g in again.groups
    ]


def plain(schedule: Schedule) -> tuple[list, list]:
    """To compare."""
    return [(g.plan, g.choice, g.items.tolist()) for g in schedule.groups], [*schedule.refused]


@given(ladders, messages, st.sampled_from(Fallback))
@settings(max_examples=200, deadline=None)
def test_a_few_are_decided_on_as_many_are(plans: View, batch: list, fallback: Fallback) -> None:
    left, floors = np.array(batch, float).T
    left = np.maximum(left, plans.fastest_alone_ms)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decision, "FEW", 0)
        many = decide(plans, left, floors, fallback)
        patch.setattr(decision, "FEW", len(left))
        assert plain(decide(plans, left, floors, fallback)) == plain(many)


@given(ladders, messages, st.sampled_from(Fallback))
@settings(max_examples=200, deadline=None)
def test_what_is_late_already_does_not_change_what_a_few_others_get(
    plans: View, batch: list, fallback: Fallback
) -> None:
    left, floors = (list(column) for column in zip(*batch, strict=True))
    left = [max(ms, plans.fastest_alone_ms) for ms in left]
    compared = plans.compared(len(batch) + 1)
    without = decide_few(plans, compared, left, floors, fallback)
    beside = decide_few(plans, compared, [*left, -1.0], [*floors, 0.5], fallback)
    assert (without is None) == (beside is None)
    if without is not None and beside is not None:
        by_item(plans, beside, [*floors, 0.5])
        groups, _ = plain(without)
        assert plain(beside)[0][: len(groups)] == groups
