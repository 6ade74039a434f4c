"""The work of a table's models is bounded by rule, not by the clock."""

from dataclasses import replace

import numpy as np
import pytest
from ounce_exporters.ladder.recipe import FittedModel, Progress, Recipe, Split, TaskData
from ounce_exporters.tasks.table.workload import (
    EXPORT_S,
    FIT_S,
    TRACED_S,
    bound_work,
    why_no_glass_box,
)
from ounce_exporters.tasks.work import row_work_us
from ounce_schemas.task import TaskSpec, TensorSpec


def unused(data: TaskData, seed: int, progress: Progress) -> FittedModel:
    raise AssertionError("nothing is trained here")


def table(n_rows: int, n_columns: int, n_classes: int = 2, folds: int = 0) -> TaskData:
    spec = TaskSpec(
        name="t",
        kind="classification",
        description="t",
        inputs=(TensorSpec(name="input", datatype="FP32", shape=(n_columns,)),),
        labels=tuple(f"c{i}" for i in range(n_classes)),
    )
    rows = np.broadcast_to(np.float32(0), (n_rows, n_columns))
    train = Split({"input": rows}, np.broadcast_to(np.int64(0), n_rows))
    few = Split({"input": rows[:10]}, np.zeros(10, np.int64))
    return TaskData(
        spec, "none", train, few, few, "0" * 64, np.arange(n_rows) % folds if folds else None
    )


def bounded(name: str, data: TaskData) -> Recipe:
    [recipe] = bound_work([Recipe(name, "classical", name, unused)], data)
    return recipe


def test_a_slow_model_learns_from_a_sample_of_a_large_table() -> None:
    forest = bounded("random-forest", table(900_000, 10))
    assert forest.most_rows is not None
    assert 50_000 < forest.most_rows < 900_000
    assert forest.effort <= EXPORT_S + FIT_S + 0.2
    assert forest == bounded("random-forest", table(900_000, 10))


def test_a_quick_one_learns_from_all_of_it() -> None:
    line = bounded("logistic-regression", table(900_000, 10))
    assert line.most_rows is not None
    assert line.most_rows > 900_000


def test_columns_and_classes_are_work() -> None:
    few = bounded("gradient-boosting", table(900_000, 10))
    wide = bounded("gradient-boosting", table(900_000, 100))
    many = bounded("gradient-boosting", table(900_000, 10, n_classes=10))
    assert few.most_rows > wide.most_rows  # type: ignore[operator]
    assert few.most_rows > many.most_rows  # type: ignore[operator]
    # From 30 classes on the trees are 3,000, until rounds would be too few.
    thirty, three_hundred, most = (
        bounded("gradient-boosting", table(20_000, 10, n_classes=n)).effort for n in (30, 300, 500)
    )
    assert thirty == three_hundred < most


@pytest.mark.parametrize("name", ["mlp", "random-forest", "extra-trees", "kernel-svm"])
def test_work_grows_as_the_root_of_the_columns(name: str) -> None:
    """A kernel machine of 3,000 columns takes 17 times that of 10, not 300 times."""
    narrow, wide = (row_work_us(name, table(3_000, n)) for n in (10, 1_000))
    assert wide == pytest.approx(10 * narrow)


def test_every_model_of_a_table_that_is_cross_fitted_learns_from_all_of_it() -> None:
    for name in ("random-forest", "mlp", "one that is not known"):
        recipe = bounded(name, table(15_000, 3_000, folds=4))
        assert recipe.most_rows is not None
        assert recipe.most_rows >= 15_000
    once = bounded("mlp", table(15_000, 10))
    assert bounded("mlp", table(15_000, 10, folds=4)).effort - EXPORT_S == 5 * (
        once.effort - EXPORT_S
    )


def test_a_glass_box_bounds_its_own_work() -> None:
    assert bounded("glass-box", table(15_000, 2_000)).effort == EXPORT_S + FIT_S
    assert bounded("glass-box", table(15_000, 10)).effort < EXPORT_S + FIT_S


def test_the_work_of_sequences_is_that_of_what_is_read_of_them() -> None:
    shape, channels = (100, 2), ("a", "b")
    tensor = TensorSpec(name="sequence", datatype="FP32", shape=shape, channels=channels)
    columns = table(200, 200)
    spec = columns.spec.model_copy(update={"inputs": (tensor,)})
    steps = replace(columns, spec=spec)

    read = bounded("logistic-regression", table(200, 14)).effort - EXPORT_S
    assert bounded("logistic-regression", steps).effort - TRACED_S == pytest.approx(read)
    assert bounded("minirocket", steps).effort < TRACED_S + 1
    assert bounded("minirocket", steps).effort < bounded("gru", steps).effort


def test_only_tables_are_told_of_models_that_only_tables_have() -> None:
    def task(tensor: TensorSpec) -> TaskSpec:
        labels = tuple(f"c{i}" for i in range(60))
        return TaskSpec(
            name="t", kind="classification", description="t", inputs=(tensor,), labels=labels
        )

    numbers = task(TensorSpec(name="input", datatype="FP32", shape=(2,)))
    text = task(TensorSpec(name="text", datatype="BYTES", shape=(1,), text_bytes=64))
    assert "60 classes" in str(why_no_glass_box(numbers))
    assert why_no_glass_box(text) is None
