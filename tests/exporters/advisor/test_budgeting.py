"""What a budget leaves out: folds, then rows, then the dearest kinds of models."""

from typing import Any

import numpy as np
import pytest
from ounce_exporters.advisor.budgeting import RacePlan, plan_race
from ounce_exporters.ladder.recipe import Recipe, Split, TaskData
from ounce_schemas.errors import DataError
from ounce_schemas.task import TaskSpec, TensorSpec

NAMES = ("decision-tree", "glass-box", "random-forest", "mlp")
N_ROWS = 2_400


TABLE = TensorSpec(name="input", datatype="FP32", shape=(10,))


def plan(tensor: TensorSpec, budget_s: float) -> RacePlan:
    """Of a race that four folds judge."""
    spec = TaskSpec(
        name="t",
        kind="classification",
        description="t",
        inputs=(tensor,),
        labels=("a", "b"),
    )
    inputs = {"input": np.zeros((N_ROWS, *tensor.shape), np.float32)}
    rows = Split(inputs, np.zeros(N_ROWS, np.int64))
    folds = np.arange(N_ROWS) % 4
    data = TaskData(spec, "none", rows, rows, rows, "0" * 64, folds=folds)

    def fit(*_: Any) -> Any:
        raise AssertionError("nothing is fitted")

    return plan_race(data, [Recipe(name, "classical", "", fit) for name in NAMES], budget_s)


@pytest.mark.parametrize(
    ("budget_s", "n_folds", "n_rows", "left_out"),
    [
        (30, 4, N_ROWS, ()),
        (20, 2, N_ROWS, ()),
        (9, 1, N_ROWS, ()),
        (7, 1, N_ROWS // 2, ()),
        (6, 1, N_ROWS, ("mlp",)),
        (2, 1, N_ROWS // 2, ("glass-box", "mlp")),
        (1.3, 1, N_ROWS // 8, ("glass-box", "mlp")),
    ],
)
def test_folds_go_first_then_rows_then_models(
    budget_s: float, n_folds: int, n_rows: int, left_out: tuple[str, ...]
) -> None:
    found = plan(TABLE, budget_s).budget

    assert found.planned_s <= budget_s
    assert (found.n_folds, found.n_rows, found.left_out) == (n_folds, n_rows, left_out)
    assert found.of_rows == N_ROWS


def test_networks_of_sequences_race_on_few() -> None:
    series = TensorSpec(name="input", datatype="FP32", shape=(10, 1), channels=("c",))

    found = plan(series, 6).budget

    assert found.left_out == ()
    assert found.n_rows < 1_000


def test_a_budget_for_less_than_two_models_is_refused() -> None:
    with pytest.raises(DataError, match=r"--budget 0\.1: too small for a race of two models"):
        plan(TABLE, 0.1)
