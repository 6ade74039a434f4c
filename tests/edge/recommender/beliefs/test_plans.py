"""Plans: cascades' times and costs, what is believed together, suspension."""

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ounce_edge.recommender.beliefs.accuracy import AccuracyPrior
from ounce_edge.recommender.beliefs.latency import LatencyBelief
from ounce_edge.recommender.beliefs.plan_beliefs import Plans
from ounce_edge.recommender.beliefs.plans import Model, Plan, PlanStep
from ounce_edge.recommender.beliefs.suspension import FIRST_S
from ounce_edge.recommender.beliefs.view import curve_at
from ounce_edge.recommender.rule.decision import decide
from ounce_schemas.routing import Fallback, Objective

from tests.support.edge.cascades import CASCADE, HEAVY, LIGHT, plans


def test_a_cascade_costs_its_expected_items_and_takes_its_most_likely() -> None:
    view = plans().view(0.0)
    assert view.calls[CASCADE, 64].expected_ms == pytest.approx(64 * 0.1 + 6.4)
    assert view.calls[CASCADE, 1].expected_ms == pytest.approx(0.1 + 0.1 * 1.0)
    assert view.calls[CASCADE, 1].finish_ms == pytest.approx(1.1)  # the item may go on
    most = np.ceil(6.4 + 2.326 * np.sqrt(64 * 0.1 * 0.9))
    assert view.calls[CASCADE, 64].finish_ms == pytest.approx(6.4 + most)


def test_a_step_that_hardly_ever_runs_counts_for_large_batches_only() -> None:
    view = plans(reach=0.001).view(0.0)
    assert view.calls[CASCADE, 1].finish_ms == pytest.approx(0.1)
    assert view.calls[CASCADE, 64].finish_ms == pytest.approx(64 * 0.1 + 1.0)


def test_loading_takes_its_time_of_what_is_usual_and_of_the_most_and_costs_nothing() -> None:
    both = plans()
    warm = both.view(0.0)
    both.believe_loads([0.0, 300.0])  # the heavy one is unloaded, also as a step
    cold = both.view(0.0)
    for plan, load_ms in ((LIGHT, 0.0), (HEAVY, 300.0), (CASCADE, 300.0)):
        before, now = warm.calls[plan, 8], cold.calls[plan, 8]
        assert now.usual_ms == pytest.approx(before.usual_ms + load_ms)
        assert now.finish_ms == pytest.approx(before.finish_ms + load_ms)
        assert now.cost == before.cost


def test_a_group_takes_its_own_time_and_that_of_its_messages_beside_the_call() -> None:
    both = plans()
    without = both.view(0.0)
    for n in (1, 3, 20, 3, 1):
        both.overhead.observe(n, 4.0 * (0.2 + 0.025 * n), 0.2 + 0.025 * n)  # a busy processor
    view = both.view(10.0)
    for plan in (LIGHT, HEAVY, CASCADE):
        for n in (1, 64):
            before, now = without.calls[plan, n], view.calls[plan, n]
            overhead_ms = both.overhead.group_ms + n * both.overhead.item_ms
            assert now.usual_ms - before.usual_ms == pytest.approx(overhead_ms)
            assert now.finish_ms - before.finish_ms == pytest.approx(overhead_ms)
            assert (now.expected_ms, now.cost) == (before.expected_ms, before.cost)


def test_what_is_saved_is_held_against_the_most_accurate_single_model() -> None:
    assert plans().view(0.0).ranking(8).always_best == HEAVY


def test_harder_inputs_make_a_cascade_dearer_and_slower_and_easier_ones_the_reverse() -> None:
    made = plans()
    for at_s, going_on, share in ((1.0, 48, 0.48), (2.0, 0, 0.01)):
        for _ in range(100):
            made.observe_reach(CASCADE, [100, going_on] if going_on else [100])
        view = made.view(at_s)
        assert view.calls[CASCADE, 64].expected_ms == pytest.approx(6.4 + 64 * share, rel=0.02)
    assert made.view(3.0).calls[LIGHT, 64].expected_ms == pytest.approx(6.4)
    made.observe_reach(CASCADE, [1, 1])  # never more than all
    assert made.view(4.0).calls[CASCADE, 64].expected_ms <= 6.4 + 64.0


@given(st.integers(1, 40_000), st.floats(0.01, 1e5))
@settings(deadline=None)
def test_most_within_is_the_inverse_of_finish(n: int, budget_ms: float) -> None:
    view = plans().view(0.0)
    for plan in range(3):
        fits = view.most_within(plan, budget_ms, n)
        assert 0 <= fits <= n
        assert fits == 0 or view.calls[plan, fits].finish_ms <= budget_ms * (1 + 1e-9)
        if fits < n:
            more = max(fits + 1, int(fits * 1.05) + 1)
            assert view.calls[plan, more].finish_ms > budget_ms * 0.99


def test_a_curve_is_linear_between_the_grids_sizes_and_beyond() -> None:
    curve = [float(2**i) for i in range(15)]
    for n in (1, 2, 3, 100, 16_384, 50_000):
        assert curve_at(curve, n) == pytest.approx(n)


@pytest.mark.parametrize(
    ("objective", "lightest"),
    [(Objective.CPU_TIME, LIGHT), (Objective.ENERGY, HEAVY), (Objective.MEMORY, HEAVY)],
)
def test_the_objective_says_what_is_light(objective: Objective, lightest: int) -> None:
    assert plans(objective).view(0.0).ranking(8).by_cost[0] == lightest


@pytest.mark.parametrize(
    ("objective", "light", "cascade"),
    [
        (Objective.CPU_TIME, 0.8, 0.8 + 0.8),
        (Objective.ENERGY, 0.8 * 20.0 / 1e3, (0.8 * 20.0 + 0.8 * 1.0) / 1e3),
        (Objective.MEMORY, 8 * 7_000, 8 * 12_000),
    ],
)
def test_cost_is_in_the_unit_of_the_objective(
    objective: Objective, light: float, cascade: float
) -> None:
    view = plans(objective).view(0.0)
    assert view.calls[LIGHT, 8].cost == pytest.approx(light)
    assert view.calls[CASCADE, 8].cost == pytest.approx(cascade)


def test_a_millisecond_of_a_model_costs_its_joules_its_price_or_itself() -> None:
    model = Model("m", 1, LatencyBelief([1], [1.0], [1.0]), watts=20.0, price_per_ms=7.0)
    found = [model.cost_per_ms(o) for o in (Objective.ENERGY, Objective.PRICE, Objective.CPU_TIME)]
    assert found == [0.02, 7.0, 1.0]


def test_a_slow_machine_is_believed_of_models_that_do_not_run() -> None:
    made = plans()
    for i in range(200):
        made.observe_call(0, 10, 1.0, i * 0.01)
    for i in range(10):
        made.observe_call(0, 10, 3.0, 2.0 + i * 0.01)
    view = made.view(2.1)
    assert view.calls[LIGHT, 10].expected_ms == pytest.approx(3.0)
    assert view.calls[HEAVY, 10].expected_ms == pytest.approx(30.0, rel=0.1)
    assert not made.is_out_of_order(0, 2.1)


def test_a_view_lasts_while_figures_move_a_little_but_not_for_long() -> None:
    made = plans()
    made.observe_call(0, 1, 0.1, 0.0)
    view = made.view(0.0)
    for i in range(3):
        made.observe_call(0, 1, 0.12, 0.01 * i)
    assert made.view(0.05) is view
    renewed = made.view(0.55)
    assert renewed.calls[LIGHT, 1].expected_ms == pytest.approx(0.12)
    assert made.view(0.9) is renewed  # nothing has moved since


def test_a_view_is_made_anew_at_once_when_that_matters_to_a_call() -> None:
    made = plans()
    made.view(0.0)
    for i in range(3):
        made.observe_call(0, 10, 1.3, 0.01 * i)
    assert made.view(0.03).calls[LIGHT, 10].expected_ms == pytest.approx(1.3)
    for _ in range(3):
        made.observe_reach(CASCADE, [1000, 900])
    assert made.view(0.04).calls[CASCADE, 64].expected_ms > 64 * 0.2 + 30.0


def test_on_a_slow_machine_too_a_view_lasts_while_calls_take_a_little_longer() -> None:
    made = plans()
    for i in range(40):
        made.observe_call(0, 10, 4.0, 0.01 * i)
    view = made.view(0.4)
    for i in range(9):
        made.observe_call(0, 10, 4.2, 0.4 + 0.01 * i)
    assert made.view(0.5) is view
    for i in range(9):
        made.observe_call(0, 10, 4.5, 0.5 + 0.01 * i)
    assert made.view(0.6).calls[LIGHT, 10].expected_ms == pytest.approx(4.5)


def test_messages_that_come_alone_see_a_slowdown_within_a_second_and_its_end() -> None:
    made, at_s, seen = plans(), 0.0, []
    for slowness in (1.0, 1.4, 4.0, 1.0):
        for _ in range(20):  # 20 calls a second
            made.observe_call(0, 1, 0.1 * slowness, at_s)
            at_s += 0.05
            view = made.view(at_s)
        seen.append(view.calls[LIGHT, 1].expected_ms)
    assert seen == pytest.approx([0.1, 0.14, 0.4, 0.1])


@given(st.lists(st.tuples(st.integers(0, 1), st.floats(0.01, 30), st.integers(0, 9)), max_size=40))
@settings(deadline=None)
def test_the_state_is_always_that_of_the_view_used(calls: list) -> None:
    made = plans()
    for i, (model, ms, going_on) in enumerate(calls):
        view = made.view(0.02 * i)
        assert made.tables.view(made.state) == view
        made.observe_call(model, 8, ms, 0.02 * i)
        made.observe_reach(CASCADE, [10, going_on] if going_on else [10])


def call_both(made: Plans, light_ms: float, heavy_ms: float, at_s: Iterable[float]) -> None:
    """Ten items for each of the two models, at these times."""
    for now_s in at_s:
        made.observe_call(0, 10, light_ms, now_s)
        made.observe_call(1, 10, heavy_ms, now_s)


def test_a_model_that_alone_becomes_ten_times_slower_is_out_of_order() -> None:
    made = plans()
    call_both(made, 1.0, 10.0, np.arange(200) * 0.01)
    call_both(made, 10.0, 10.0, 2.0 + np.arange(10) * 0.05)
    assert not made.is_out_of_order(0, 2.45)  # it may be a moment's trouble
    assert made.is_out_of_order(0, 2.95)
    assert not made.is_out_of_order(1, 2.95)
    assert made.view(2.95).calls[HEAVY, 10].expected_ms == pytest.approx(10.0)


def test_a_model_of_microseconds_that_a_busy_machine_holds_up_is_not_out_of_order() -> None:
    made = plans()
    call_both(made, 0.1, 10.0, np.arange(200) * 0.01)
    for light_ms, begin_s, is_out in ((2.0, 2.0, False), (4.0, 4.0, True)):
        call_both(made, light_ms, 10.0, begin_s + np.arange(40) * 0.05)
        assert not made.is_out_of_order(0, begin_s + 1.95)  # the first look begins the time
        assert made.is_out_of_order(0, begin_s + 2.5) == is_out
    assert made.view(6.0).calls[LIGHT, 10].expected_ms == pytest.approx(4.0)


def test_a_machine_that_becomes_ten_times_slower_puts_no_model_out_of_order() -> None:
    made = plans()
    call_both(made, 1.0, 10.0, np.arange(200) * 0.01)
    call_both(made, 10.0, 100.0, 2.0 + np.arange(10) * 0.01)
    assert not made.is_out_of_order(0, 2.1)
    assert not made.is_out_of_order(1, 2.1)


def test_a_model_that_becomes_slow_while_no_other_runs_is_out_of_order() -> None:
    made = plans()
    for i in range(200):
        made.observe_call(0, 10, 1.0, i * 0.01)
    for i in range(20):
        made.observe_call(0, 10, 10.0, 2.0 + i * 0.05)
    assert not made.is_out_of_order(0, 2.45)
    assert made.is_out_of_order(0, 2.95)


def test_a_model_that_runs_is_believed_what_it_shows_however_slow_the_others_are() -> None:
    made = Plans([Model(f"m{i}", 1, LatencyBelief([1], [1.0], [1.0])) for i in range(3)],
                 [Plan("m0", [PlanStep(0)], AccuracyPrior(0.9, 0.88, 0.93, 400))])  # fmt: skip
    for slowness, begin_s in ((1.0, 0.0), (3.0, 4.0)):
        for i in range(100):
            for model in range(3):
                made.observe_call(model, 1, slowness if model else 1.0, begin_s + 0.02 * i)
    assert made.view(6.0).calls[0, 1].expected_ms == pytest.approx(1.0)


def test_plans_of_a_suspended_model_are_not_chosen_unless_nothing_else_is_left() -> None:
    made = plans()
    made.suspend(0, 10.0)
    assert made.view(10.0).usable == [HEAVY]
    made.suspend(1, 10.0)
    assert made.view(10.0).usable == [LIGHT, HEAVY, CASCADE]
    assert made.view(10.0 + 2 * FIRST_S).usable == [LIGHT, HEAVY, CASCADE]


@given(
    st.lists(st.tuples(st.floats(-10, 500), st.floats(0, 1)), min_size=1, max_size=60),
    st.sampled_from(Fallback),
    st.lists(st.tuples(st.integers(0, 1), st.floats(0.01, 300)), max_size=20),
)
@settings(max_examples=200, deadline=None)
def test_every_message_once_and_never_a_suspended_plan(
    messages: list, fallback: Fallback, calls: list
) -> None:
    made = plans()
    for i, (model, ms) in enumerate(calls):
        made.observe_call(model, 8, ms, 0.01 * i)
    made.suspend(1, 1.0)
    left, floors = np.array(messages, float).T
    schedule = decide(made.view(1.0), left, floors, fallback)
    assert {group.plan for group in schedule.groups} <= {LIGHT}
    seen = sorted([*schedule.refused, *(i for g in schedule.groups for i in g.items)])
    assert seen == list(range(len(messages)))
