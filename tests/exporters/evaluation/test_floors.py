"""A ladder that can't keep the default floor, or is no better than a guess, says so."""

import numpy as np
import pytest
from ounce_exporters.evaluation.floors import floor_advice, guess_advice
from ounce_schemas.card import AccuracyEstimate
from ounce_schemas.plans import LadderPlans, PlanProfile, Step
from ounce_schemas.task import TaskSpec, TensorSpec


def plans(*lows: float) -> LadderPlans:
    digest = "0" * 64
    return LadderPlans(
        task="rooms",
        n_validation=100,
        plans=tuple(
            PlanProfile(
                name=f"m{i}",
                steps=(Step(model=f"m{i}", sha256=digest, reach=1.0),),
                accuracy=AccuracyEstimate(value=0.99, low=low, high=1.0, n=100),
            )
            for i, low in enumerate(lows)
        ),
    )


@pytest.mark.parametrize("lows", [(0.5, 0.9), (0.95,)])
def test_nothing_is_said_where_a_plan_meets_the_floor(lows: tuple[float, ...]) -> None:
    assert floor_advice(plans(*lows), quantity=False) is None


def test_a_floor_is_proposed_that_the_best_plan_meets() -> None:
    said = floor_advice(plans(0.5, 0.7189), quantity=False)
    assert said is not None
    assert "default floor of 0.9" in said
    assert "tasks: {rooms: {min_accuracy: 0.71}}" in said
    assert "--tolerance" not in said
    assert "--tolerance" in (floor_advice(plans(0.5), quantity=True) or "")
    assert "a floor of 0.71 or less in the policy" in said
    assert "a floor of 0 in the policy" in (floor_advice(plans(0.003), quantity=False) or "")


INPUTS = (TensorSpec(name="x", shape=(2,), datatype="FP32"),)
ROOMS = TaskSpec(
    name="rooms", kind="classification", description="Rooms.", inputs=INPUTS, labels=("no", "yes")
)
WATTS = TaskSpec(
    name="watts",
    kind="regression",
    description="Watts.",
    inputs=INPUTS,
    tolerance=1.0,
    offset=50.0,
    interval_coverage=0.9,
)


def test_a_ladder_that_is_no_better_than_a_guess_says_so() -> None:
    targets = np.array([0] * 70 + [1] * 30)
    assert guess_advice(plans(0.6, 0.71), ROOMS, targets) is None
    said = guess_advice(plans(0.6, 0.7), ROOMS, targets) or ""
    assert "always answering 'no', which is acceptable for 70.0% of" in said


def test_a_constant_that_keeps_the_tolerance_asks_for_a_smaller_one() -> None:
    targets = np.array([0.0] * 60 + [0.5] * 20 + [9.0] * 20, np.float32)
    assert guess_advice(plans(0.81), WATTS, targets) is None
    said = guess_advice(plans(0.8), WATTS, targets) or ""
    assert "always answering 50, which is acceptable for 80.0% of" in said
    assert "smaller --tolerance" in said
