"""What is expected of kinds of models before a race, and what that changes."""

from dataclasses import replace

import numpy as np
import pytest
from ounce_exporters.advisor.budgeting import plan_race
from ounce_exporters.advisor.family_prior import (
    Lag,
    describe,
    doubtful,
    lag_of,
    lags,
    learned_reason,
    priors,
)
from ounce_exporters.ladder.recipe import Recipe
from ounce_schemas.advice import Look
from ounce_schemas.errors import DataError

from tests.exporters.tasks.table.test_workload import table, unused


def look(n_rows: int = 1000, **other: object) -> Look:
    return Look.model_validate(
        {
            "n_rows": n_rows,
            "n_numbers": 10,
            "n_texts": 2,
            "missing": 0,
            "duplicates": 0,
            "most_values": 3,
            "skewed": 0,
            "heavy_tailed": 0,
            "n_classes": 2,
            "constant": 0.6,
            "notices": (),
            **other,
        }
    )


def test_fitted_figures_rank_forests_before_one_tree_and_have_bands() -> None:
    known = lags(look())

    assert set(known) == {prior.model for prior in priors()}
    assert known["random-forest"].expected < known["decision-tree"].expected
    assert all(lag.low <= lag.expected <= lag.high for lag in known.values())
    assert any(lag.low < lag.high for lag in known.values())
    assert "mlp" not in known  # no evidence against networks


def test_a_tree_is_doubtful_where_classes_are_many() -> None:
    assert "decision-tree" in doubtful(lags(look(4000, n_classes=20, constant=0.08)))
    assert doubtful({"a": Lag(3.0, 0.6, 9.0), "b": Lag(3.0, 0.4, 9.0)}) == {"a"}


def test_the_reason_tells_each_with_its_band() -> None:
    reason = learned_reason(look())

    assert reason is not None
    lag = lags(look())["random-forest"]
    assert f"random-forest {lag.expected:.1f} ({lag.low:.1f} to {lag.high:.1f})" in reason.text
    assert "LCDB 1.0" in reason.source


@pytest.mark.parametrize("other", [{"n_classes": 0}, {"structure": "image"}])
def test_of_other_data_nothing_is_known(other: dict[str, object]) -> None:
    assert lags(look(**other)) == {}
    assert learned_reason(look(**other)) is None


def test_a_lag_is_never_below_zero() -> None:
    prior = priors()[0]
    least = type(prior)("m", (-1.0,) * 6, (0.0,) * 6, -1.0, 1.0)

    assert lag_of(least, describe(100, 4, 2, 0.5, 0.0)) == Lag(0.0, 0.0, 0.0)
    assert np.isfinite(describe(1, 1, 2, 1.0, 0.0)).all()


def test_what_is_hardly_worth_racing_goes_before_a_fold_does() -> None:
    data = table(6000, 10, folds=4)  # too many rows to judge again
    names = ("logistic-regression", "random-forest", "mlp")
    recipes = [Recipe(name, "classical", name, unused) for name in names]
    whole = plan_race(data, recipes, 1e6, ("mlp",)).budget
    assert (whole.n_folds, whole.left_out) == (4, ())

    usual = plan_race(data, recipes, whole.planned_s - 1).budget
    told = plan_race(data, recipes, whole.planned_s - 1, ("mlp",)).budget

    assert (usual.n_folds, usual.left_out) == (2, ())
    assert (told.n_folds, told.left_out) == (4, ("mlp",))
    with pytest.raises(DataError, match="too small for a race of two models"):
        plan_race(data, recipes, 0.01, ("mlp",))


def test_rows_in_no_fold_teach_at_every_point() -> None:
    data = table(2000, 10, folds=4)
    assert data.folds is not None
    one = replace(data, folds=np.where(np.arange(len(data.folds)) % 4, -1, 0))
    recipes = [Recipe(name, "classical", name, unused) for name in ("ridge", "random-forest")]
    plan = plan_race(one, recipes, 1e6)
    assert (plan.budget.n_folds, plan.budget.rungs[-1]) == (1, 1500)
