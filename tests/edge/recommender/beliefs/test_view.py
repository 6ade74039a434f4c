"""What is looked up in a view: the largest batch in time, and the best of the usable plans."""

from dataclasses import replace

import pytest
from ounce_edge.recommender.beliefs.view import GRID

from tests.support.edge.cascades import CASCADE, HEAVY, LIGHT, plans

MOST = int(GRID[-1])
"""The largest batch of the curves; one of the light plan takes 0.1 ms an item."""


def test_a_batch_that_takes_just_the_budget_fits() -> None:
    view = plans().view(0.0)
    assert view.most_within(LIGHT, view.p99_ms[LIGHT][0], 8) == 1
    assert view.most_within(LIGHT, 0.999 * view.p99_ms[LIGHT][0], 8) == 0


@pytest.mark.parametrize("share", [1.0, 1.25, 1.5])
def test_beyond_the_curves_a_batch_grows_with_its_budget(share: float) -> None:
    view = plans().view(0.0)
    budget_ms = share * view.p99_ms[LIGHT][-1]
    assert view.most_within(LIGHT, budget_ms, 4 * MOST) == pytest.approx(share * MOST, abs=1)


def test_where_no_single_model_is_usable_savings_are_held_against_the_best_cascade() -> None:
    accurate = [0.9, 0.98, 0.99]
    for usable, best in (([CASCADE], CASCADE), ([LIGHT, HEAVY, CASCADE], HEAVY)):
        view = replace(plans().view(0.0), usable=usable, accuracy=accurate)
        assert view.ranking(8).always_best == best
