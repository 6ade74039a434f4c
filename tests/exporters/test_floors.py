"""A ladder that can't keep the default floor says so, and which one it can keep."""

import pytest
from ounce_exporters.floors import floor_advice
from ounce_schemas.card import AccuracyEstimate
from ounce_schemas.plans import LadderPlans, PlanProfile, Step


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
