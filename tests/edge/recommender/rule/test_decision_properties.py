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
from ounce_edge.recommender.rule import decision
from ounce_edge.recommender.rule.batches import Line
from ounce_edge.recommender.rule.crowding import LATE_BUDGET_MS
from ounce_edge.recommender.rule.decision import decide
from ounce_edge.recommender.rule.few import decide_beside_late
from ounce_schemas.routing import Choice, Fallback

from tests.support.edge.decisions import (
    MOST_ACCURATE,
    by_item,
    choose,
    ladders,
    messages,
    plain,
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


@given(ladders, messages, st.sampled_from(Fallback), st.sampled_from([1, 2 * decision.FEW]))
@settings(max_examples=300, deadline=None)
def test_what_is_late_already_does_not_change_what_a_few_others_get(
    plans: View, batch: list, fallback: Fallback, n_late: int
) -> None:
    batch = batch[: decision.FEW - 1]
    left, floors = (list(column) for column in zip(*batch, strict=True))
    left = [max(ms, plans.fastest_alone_ms) for ms in left]
    compared = plans.compared(len(batch) + n_late)
    rungs = compared.rungs(np.array(floors)).tolist()
    none = np.empty(0, np.intp)
    some = range(len(batch))
    without = decide_beside_late(plans, compared, some, left, rungs, none, none, fallback)
    if without is not None:
        remaining = np.array([*left, *[-1.0] * n_late])
        every = [*floors, *[0.5] * n_late]
        beside = decide(plans, remaining, np.array(every), fallback)
        by_item(plans, beside, every)
        groups, _ = plain(without)
        assert plain(beside)[0][: len(groups)] == groups


@given(ladders, st.integers(1, 60), st.lists(st.sampled_from([0.0, 0.5, 0.9, 0.99]), min_size=60))
@settings(max_examples=200, deadline=None)
def test_late_messages_keep_their_floors_in_little_time(plans: View, n: int, floors: list) -> None:
    schedule = decide(plans, np.full(n, -1.0), np.array(floors[:n]), MOST_ACCURATE)
    by_item(plans, schedule, floors[:n])
    kept = [group for group in schedule.groups if group.choice is Choice.FALLBACK_LATE]
    spent_ms = sum(plans.finish_ms(group.plan, len(group.items)) for group in kept)
    assert spent_ms <= LATE_BUDGET_MS + 1e-9
    for group in kept:
        assert all(plans.accuracy_low[group.plan] >= floors[i] for i in group.items)
    others = [group for group in schedule.groups if group.choice is not Choice.FALLBACK_LATE]
    assert [group.choice for group in others] in ([], [Choice.FALLBACK_FASTEST])
