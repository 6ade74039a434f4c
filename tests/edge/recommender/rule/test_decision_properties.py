"""The decision rule: properties that hold for any ladder and any messages."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ounce_edge.recommender.beliefs.accuracy import AccuracyPrior
from ounce_edge.recommender.beliefs.latency import LatencyBelief
from ounce_edge.recommender.beliefs.plan_beliefs import Plans
from ounce_edge.recommender.beliefs.plans import Model, Plan, PlanStep
from ounce_edge.recommender.beliefs.view import View
from ounce_edge.recommender.rule import cells
from ounce_edge.recommender.rule.batches import Line
from ounce_edge.recommender.rule.decision import decide
from ounce_edge.recommender.rule.exploration import Draws, decide_and_explore
from ounce_edge.recommender.rule.late import LATE_BUDGET_MS
from ounce_edge.recommender.rule.schedule import Schedule
from ounce_edge.recommender.rule.settling import thriftiest
from ounce_schemas.routing import Choice, Fallback

from tests.support.edge.decisions import (
    MOST_ACCURATE,
    by_item,
    choose,
    ladders,
    messages,
    plain,
)


def explored(
    plans: View, batch: list, fallback: Fallback, overload_lasts: bool, draws: Draws | None
) -> tuple[Schedule, list]:
    """What is decided on messages and tried instead, and plan and reason of each."""
    left, floors = np.array(batch, float).T
    schedule = decide_and_explore(plans, left, floors, fallback, overload_lasts, draws)
    return schedule, by_item(plans, schedule, floors)


@given(ladders, messages, st.sampled_from(Fallback), st.booleans())
@settings(max_examples=300, deadline=None)
def test_a_feasible_label_is_true(
    plans: View, batch: list, fallback: Fallback, overload_lasts: bool
) -> None:
    """Whatever is labelled feasible meets its floor, and its predicted finish its deadline."""
    schedule, found = explored(plans, batch, fallback, overload_lasts, None)
    line = Line()
    for group in schedule.groups:
        call = plans.calls[group.plan, len(group.items)]
        ends_ms = line.join(call.usual_ms, call.finish_ms)
        for i in group.items:
            left_ms, floor = batch[i]
            assert found[i] is not None
            if not (why := found[i][1]).is_fallback:
                assert plans.accuracy_low[group.plan] >= floor
            if not why.is_fallback or why is Choice.FALLBACK_MOST_ACCURATE_IN_TIME:
                assert ends_ms <= left_ms + 1e-9


@given(ladders, messages, st.sampled_from(Fallback), st.booleans(), st.data())
@settings(max_examples=300, deadline=None)
def test_exploring_tries_lighter_plans_on_the_chosen_messages_and_changes_no_other(
    plans: View, batch: list, fallback: Fallback, overload_lasts: bool, data: st.DataObject
) -> None:
    n, n_plans = len(batch), len(plans.names)
    chosen = data.draw(st.lists(st.booleans(), min_size=n, max_size=n))
    drawn = data.draw(st.lists(st.floats(0, 1), min_size=n_plans, max_size=n_plans))
    draws = Draws(np.array(chosen), drawn)
    schedule, rule = explored(plans, batch, fallback, overload_lasts, None)
    _, found = explored(plans, batch, fallback, overload_lasts, draws)
    for i, (left_ms, floor) in enumerate(batch):
        if found[i] == rule[i]:
            continue
        plan, why = found[i]
        by_rule, rules_reason = rule[i]
        assert why is Choice.EXPLORATION
        assert chosen[i]
        assert not rules_reason.is_fallback
        assert schedule.by_cost.index(plan) < schedule.by_cost.index(by_rule)
        assert plans.accuracy_low[plan] < floor <= plans.accuracy_high[plan]
        assert drawn[plan] >= floor
        assert plans.calls[plan, 1].finish_ms <= left_ms


@given(ladders, messages, st.sampled_from(Fallback), st.booleans())
@settings(max_examples=300, deadline=None)
def test_each_fallback_gives_what_it_is_named_for(
    plans: View, batch: list, fallback: Fallback, overload_lasts: bool
) -> None:
    _, found = explored(plans, batch, fallback, overload_lasts, None)
    lightest = {Choice.LIGHTEST_FEASIBLE, Choice.LIGHTEST_TOGETHER}
    reasons = {None if of_one is None else of_one[1] for of_one in found}
    if fallback is Fallback.REFUSE:
        assert reasons <= {None, *lightest}
        assert found == explored(plans, batch, fallback, False, None)[1]
    elif fallback is Fallback.FASTEST:
        assert reasons <= {Choice.FALLBACK_FASTEST, *lightest}
    else:
        assert reasons <= {
            Choice.FALLBACK_MOST_ACCURATE_IN_TIME,
            Choice.FALLBACK_LATE,
            Choice.FALLBACK_FASTEST,
            *lightest,
        }


@given(ladders, messages, st.sampled_from([Fallback.MOST_ACCURATE_IN_TIME, Fallback.FASTEST]))
@settings(max_examples=300, deadline=None)
def test_while_an_overload_lasts_only_floors_beyond_the_thriftiest_plan_are_given_up(
    plans: View, batch: list, fallback: Fallback
) -> None:
    plenty = [(1e9, floor) for _, floor in batch]
    schedule, found = explored(plans, plenty, fallback, True, None)
    thrifty = thriftiest(plans, schedule.by_cost, fallback, len(batch))
    for (_, floor), (plan, why) in zip(plenty, found, strict=True):
        assert why.is_fallback == (floor > plans.accuracy_low[thrifty])
        assert not why.is_fallback or plan == thrifty


@given(ladders, messages)
@settings(max_examples=300, deadline=None)
def test_a_shared_call_costs_no_more_than_calls_apart(plans: View, batch: list) -> None:
    """With time for everything, what is chosen costs at most what each floor's lightest plan does
    in a call for the messages of that floor."""
    floors = np.array([floor for _, floor in batch])
    frontier = plans.ranking(len(batch)).frontier
    lightest = [
        next((p for p in frontier if plans.accuracy_low[p] >= f), None) for f in floors.tolist()
    ]
    if None in lightest:
        return
    schedule = decide(plans, np.full(len(batch), 1e9), floors, MOST_ACCURATE)
    cost = sum(plans.calls[g.plan, len(g.items)].cost for g in schedule.groups)
    apart = sum(plans.calls[p, lightest.count(p)].cost for p in frontier if p in lightest)
    assert cost <= apart * (1 + 1e-9)
    assert not any(g.choice.is_fallback for g in schedule.groups)


@given(ladders, st.floats(0.01, 1000), st.sampled_from([0.0, 0.5, 0.9, 0.99]))
@settings(max_examples=300, deadline=None)
def test_alone_never_heavier_than_needed(plans: View, remaining: float, floor: float) -> None:
    _, found = choose(plans, [remaining], [floor])
    assert found[0] is not None
    chosen, choice = found[0]
    cost = [plans.calls[p, 1].cost for p in range(len(plans.names))]
    feasible = [
        p
        for p in plans.usable
        if plans.accuracy_low[p] >= floor and plans.calls[p, 1].finish_ms <= remaining
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
        cost = [plans.calls[p, 1].cost for p in range(len(plans.names))]
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
        Plan(f"m{i}", [PlanStep(i)], AccuracyPrior(low, low, 1.0, 100))
        for i, (_, _, low) in enumerate(rows)
    ]
    remaining, floors = np.array(batch, float).T
    made = Plans(models, plans).view(0.0)
    for overload_lasts in (False, True):
        by_item(made, decide(made, remaining, floors, fallback, overload_lasts), floors)


@given(ladders, messages)
@settings(max_examples=100, deadline=None)
def test_the_same_arguments_give_the_same_decision(plans: View, batch: list) -> None:
    remaining, floors = np.array(batch, float).T
    once, again = (decide(plans, remaining, floors, MOST_ACCURATE) for _ in range(2))
    assert [(g.plan, g.choice, g.items.tolist()) for g in once.groups] == [
        (g.plan, g.choice, g.items.tolist()) for g in again.groups
    ]


@given(ladders, messages, st.sampled_from(Fallback), st.booleans())
@settings(max_examples=300, deadline=None)
def test_a_few_are_decided_on_as_many_are(
    plans: View, batch: list, fallback: Fallback, overload_lasts: bool
) -> None:
    found = []
    for few in (0, len(batch)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cells, "FEW", few)
            found.append(plain(explored(plans, batch, fallback, overload_lasts, None)[0]))
    assert found[0] == found[1]


@given(ladders, messages, st.sampled_from(Fallback), st.sampled_from([1, 15, 16, 17, 40]))
@settings(max_examples=300, deadline=None)
def test_what_is_late_already_does_not_change_what_others_get_that_are_all_in_time(
    plans: View, batch: list, fallback: Fallback, n_late: int
) -> None:
    floors = [floor for _, floor in batch]
    n = len(batch) + n_late
    order = plans.ranking(n).by_cost
    frontier = plans.ranking(n).frontier
    if plans.ranking(len(batch)).by_cost != order or max(floors) > plans.accuracy_low[frontier[-1]]:
        return
    plenty = [(1e9, floor) for floor in floors]
    alone, _ = explored(plans, plenty, fallback, False, None)
    beside, _ = explored(plans, [*plenty, *[(-1.0, 0.5)] * n_late], fallback, False, None)
    groups, _ = plain(alone)
    assert plain(beside)[0][: len(groups)] == groups


@given(ladders, st.integers(1, 60), st.lists(st.sampled_from([0.0, 0.5, 0.9, 0.99]), min_size=60))
@settings(max_examples=200, deadline=None)
def test_late_messages_keep_their_floors_in_little_time(plans: View, n: int, floors: list) -> None:
    schedule = decide(plans, np.full(n, -1.0), np.array(floors[:n]), MOST_ACCURATE)
    by_item(plans, schedule, floors[:n])
    kept = [group for group in schedule.groups if group.choice is Choice.FALLBACK_LATE]
    spent_ms = sum(plans.calls[group.plan, len(group.items)].finish_ms for group in kept)
    assert spent_ms <= LATE_BUDGET_MS + 1e-9
    for group in kept:
        assert all(plans.accuracy_low[group.plan] >= floors[i] for i in group.items)
    others = [group for group in schedule.groups if group.choice is not Choice.FALLBACK_LATE]
    assert [group.choice for group in others] in ([], [Choice.FALLBACK_FASTEST])
