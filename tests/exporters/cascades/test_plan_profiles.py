"""Which cascades are kept as plans, and what the plans say of themselves."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from ounce_exporters.cascades import search
from ounce_exporters.cascades.evidence import Evidence
from ounce_exporters.cascades.frontier import MOST, choose_few, frontier
from ounce_exporters.cascades.plan_profiles import confidence_threshold
from ounce_exporters.cascades.planning import make_plans
from ounce_exporters.cascades.search import (
    FOLDS,
    Cascade,
    Choice,
)
from ounce_schemas.task import TaskSpec

from tests.support.exporters.evidence import (
    LABELS,
    TASK,
    coin_flips,
    items,
    model,
    simulated,
)


def cascade(
    models: Sequence[Evidence], right: int, costs: tuple[float, float], threshold: float = 0.5
) -> Cascade:
    choice = Choice(tuple(models), (threshold,) * (len(models) - 1))
    return Cascade(choice, (choice,) * FOLDS, right, len(models[0].right), costs)


def test_dominated_cascades_are_dropped() -> None:
    light = model("light", 1, [True] * 80 + [False] * 20, [0.5] * 100)
    heavy = model("heavy", 10, [True] * 95 + [False] * 5, [0.5] * 100)
    pair = (light, heavy)
    good = cascade(pair, 90, (3.0, 2.0))
    also_good = cascade(pair, 96, (9.0, 5.0))
    dominated = cascade(pair, 89, (3.0, 2.5))
    dearer_than_the_heavy = cascade(pair, 94, (11.0, 10.0))
    worse_than_the_light = cascade(pair, 79, (1.5, 1.0))
    hardly_cheaper = cascade(pair, 93, (9.9, 5.2))
    cascades = [
        good,
        also_good,
        dominated,
        dearer_than_the_heavy,
        worse_than_the_light,
        hardly_cheaper,
    ]
    assert frontier(cascades, pair) == [also_good, good]


def test_the_few_that_are_kept_hold_the_cheapest_for_each_floor() -> None:
    n = 10_000
    light = model("light", 1, [True] * 8000 + [False] * 2000, [0.5] * n)
    heavy = model("heavy", 100, [True] * 9700 + [False] * 300, [0.5] * n)
    candidates = [
        cascade((light, heavy), right, (cost, cost))
        for right, cost in zip(range(8100, 9800, 10), np.geomspace(2, 90, 170), strict=True)
    ]
    kept = choose_few(candidates, (light, heavy))
    assert len(kept) == MOST

    def cheapest(least: int) -> Cascade:
        return min((c for c in candidates if c.right >= least), key=lambda c: c.costs[0])

    assert cheapest(9700) in kept
    assert cheapest(9690) in kept
    assert cheapest(9680) in kept
    # The lower bound of 9,060 of 10,000 is 0.9001; that of 9,542 is 0.9499.
    assert cheapest(9060) in kept
    assert cheapest(9543) in kept


def test_as_many_are_confident_as_are_right() -> None:
    confidence = np.array([0.2, 0.9, 0.4, 0.8, 0.6])
    for right, threshold in ((5, 0.0), (3, 0.4), (0, 0.9)):
        found = confidence_threshold(confidence, right)
        assert found == threshold
        assert (confidence > found).sum() == right
    assert (
        confidence_threshold(np.array([0.5, 0.9, 0.9, 0.9]), 2) == 0.5
    )  # ties: 3 is nearer than 0


def test_the_profile_of_a_plan_adds_up() -> None:
    models = simulated(np.random.default_rng(2), 2000)
    plans = make_plans(TASK, items(2000), models, 0)
    assert [plan.name for plan in plans.plans[:4]] == ["m0", "m1", "m2", "m3"]
    cascades = [plan for plan in plans.plans if plan.is_cascade]
    assert cascades
    for plan in plans.plans:
        assert [c.label for c in plan.classes] == list(LABELS)
        assert [c.n for c in plan.classes] == [500] * 4
        accurate = sum(c.accurate for c in plan.classes)
        assert 0 <= accurate - plan.accuracy.value * 2000 < 20
        assert sum(c.confident for c in plan.classes) == accurate
    for plan in cascades:
        *before, last = plan.steps
        assert plan.steps[0].reach == 1
        assert (np.diff([step.reach for step in plan.steps]) < 0).all()
        assert last.threshold is last.error_bound is None
        for step in before:
            assert step.threshold is not None
            assert step.error_bound is not None
        shown = ",".join(f"{step.threshold:.7g}" for step in before)
        assert plan.name == ">".join(s.model for s in plan.steps) + "@" + shown


def test_plans_are_the_same_for_the_same_seed() -> None:
    models = simulated(np.random.default_rng(3), 800)
    assert make_plans(TASK, items(800), models, 5) == make_plans(TASK, items(800), models, 5)


def test_regression_has_single_plans_without_confidences() -> None:
    task = replace_task(kind="regression", labels=(), tolerance=1.0, interval_coverage=0.9)
    models = [model("ridge", 1, [True, True, False]), model("mlp", 4, [True, True, True])]
    plans = make_plans(task, items(3), models, 0)
    assert [plan.name for plan in plans.plans] == ["ridge", "mlp"]
    assert plans.plans[0].accuracy.value == pytest.approx(2 / 3)
    assert all(p.confidence_threshold is None and not p.classes for p in plans.plans)


def replace_task(**fields: object) -> TaskSpec:
    return TaskSpec.model_validate({**TASK.model_dump(), **fields})


def test_a_single_model_makes_a_single_plan() -> None:
    only = simulated(np.random.default_rng(0), 100)[0]
    plans = make_plans(TASK, items(100), [only], 0)
    assert [plan.name for plan in plans.plans] == ["m0"]


def test_more_accurate_than_dearer_ones_is_taken_for_luck() -> None:
    pair = coin_flips(np.random.default_rng(0), 100)[:2]
    costs = [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)]
    lucky = [cascade(pair, r, c) for r, c in zip((80, 73, 90), costs, strict=True)]
    credited = {c.costs[0]: c.right for c in search._credit(lucky)}
    assert credited == {1.0: 76.5, 2.0: 73, 3.0: 90}
    assert replace(lucky[0], right=76).accuracy == 0.76
