"""Equal accuracy is judged by paired differences, on the most items that there are."""

import numpy as np
import pytest
from ounce_edge.recommender.beliefs.accuracy import AccuracyPrior
from ounce_edge.recommender.beliefs.plans import Plan, PlanStep

from benchmarks.routing.equal_accuracy import Comparison, Difference, Side
from benchmarks.routing.tables import Answers

PRIOR = AccuracyPrior(0.9, 0.89, 0.91, 100, 0.7, [100], [90], [90])
LIGHT, HEAVY = Plan("light", [PlanStep(0)], PRIOR), Plan("heavy", [PlanStep(1)], PRIOR)
CASCADE = Plan("light>heavy", [PlanStep(0, 1.0, 0.9), PlanStep(1, 0.5)], PRIOR)
# Of 100 items both models are right in 90; light alone in 2, heavy alone in 6.
ONLY_LIGHT, ONLY_HEAVY = [True] * 2 + [False] * 6, [False] * 2 + [True] * 6
ANSWERS = Answers(
    right=np.array([[True] * 90 + only + [False] * 2 for only in (ONLY_LIGHT, ONLY_HEAVY)]),
    confidence=np.array([[1.0] * 95 + [0.5] * 5, [1.0] * 100], dtype=np.float32),
)


def test_a_plans_answers_are_those_of_the_steps_that_give_them() -> None:
    right, reach = ANSWERS.of_plan(CASCADE)
    assert reach.tolist() == [1.0, 0.05]
    assert right.tolist() == [True] * 92 + [False] * 3 + [True] * 3 + [False] * 2


def test_a_difference_has_the_noise_of_the_items_that_differ() -> None:
    found = Difference.between(ANSWERS, LIGHT, HEAVY)
    assert found.value == pytest.approx(-0.04)
    assert found.error == pytest.approx(((8 - 100 * 0.04**2) / 99 / 100) ** 0.5)
    assert Difference.between(ANSWERS, HEAVY, HEAVY) == Difference(0.0, 0.0, 100)
    assert str(found) == "-4.00 points (standard error 2.81) on 100 items"


@pytest.mark.parametrize(
    ("on_test", "on_fresh", "equal"),
    [(-0.0022, None, False), (-0.002, None, True), (-0.0022, -0.0009, True), (0.0, -0.003, False)],
)
def test_fresh_items_decide_where_there_are_any(
    on_test: float, on_fresh: float | None, equal: bool
) -> None:
    side = Side("light", 0.9, 0.9, 1.0, 1.0)
    fresh = None if on_fresh is None else Difference(on_fresh, 0.0002, 200_000)
    comparison = Comparison("made-up", side, side, side, Difference(on_test, 0.001, 10_000), fresh)
    assert comparison.is_equal is equal
