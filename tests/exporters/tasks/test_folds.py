"""Which rows are held out together, and that none of the test rows is among them."""

import numpy as np
import pytest
from ounce_exporters.ladder.recipe import TaskData
from ounce_exporters.tasks import folds as module
from ounce_exporters.tasks.folds import N_FOLDS, with_folds
from ounce_exporters.tasks.splits import split_task
from ounce_exporters.tasks.table.splitting import Parts, make_data
from ounce_exporters.training.crossfit import NEVER_HELD_OUT
from ounce_schemas.task import TaskSpec, TensorSpec

INPUT = TensorSpec(name="input", datatype="FP32", shape=(1,))
CLASSES = TaskSpec(
    name="c", kind="classification", description="c", inputs=(INPUT,), labels=("a", "b")
)
QUANTITY = TaskSpec(
    name="q",
    kind="regression",
    description="q",
    inputs=(INPUT,),
    tolerance=1.0,
    interval_coverage=0.9,
)


def by_unit(spec: TaskSpec, units: np.ndarray, targets: np.ndarray) -> TaskData:
    """Rows of units 0 and 1 train, of 2 validate and of 3 test, and so on by fours."""
    rows = np.arange(len(units), dtype=np.float32)
    places = [np.flatnonzero(np.isin(units % 4, part)) for part in ((0, 1), (2,), (3,))]
    parts = Parts(*places, np.asarray(units))
    return make_data(spec, "none", {"input": rows[:, None]}, targets, parts)[0]


def split(spec: TaskSpec, n: int = 200) -> TaskData:
    rows = np.arange(n, dtype=np.float32)
    rare = (rows % 10 == 0).astype(np.int64)
    targets = rare if spec.labels else rows
    return split_task(spec, "none", {"input": rows[:, None]}, targets, 0)


@pytest.mark.parametrize("spec", [CLASSES, QUANTITY])
def test_every_row_but_the_tests_teaches_and_is_held_out_once(spec: TaskSpec) -> None:
    before = split(spec)
    data = with_folds(before, 0)
    assert data.folds is not None
    kept = data.train.inputs["input"][:, 0]
    assert len(kept) == len(before.train) + len(before.validation)
    assert not set(kept) & set(before.test.inputs["input"][:, 0])
    assert data.validation is data.train
    assert np.bincount(data.folds).tolist() == pytest.approx([len(kept) / N_FOLDS] * N_FOLDS, abs=2)
    if spec.labels:
        of_rare = [data.train.targets[data.folds == fold].sum() for fold in range(N_FOLDS)]
        assert max(of_rare) - min(of_rare) <= 1
    np.testing.assert_array_equal(with_folds(before, 0).folds, data.folds)
    assert (with_folds(before, 1).folds != data.folds).any()


def test_of_many_rows_the_validation_split_is_the_only_fold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 100)
    before = split(CLASSES)
    data = with_folds(before, 0)
    assert data.folds is not None
    assert (data.folds == 0).sum() == len(before.validation) == len(data.validation)
    assert (data.folds == NEVER_HELD_OUT).sum() == len(before.train)
    np.testing.assert_array_equal(
        data.train.inputs["input"][data.folds == 0], data.validation.inputs["input"]
    )


def test_of_very_many_rows_none_is_held_out_of_a_second_fit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 10)
    monkeypatch.setattr(module, "ENOUGH_ROWS", 50)
    before = split(CLASSES)
    assert with_folds(before, 0) is before


@pytest.mark.parametrize("spec", [CLASSES, QUANTITY])
def test_a_unit_is_held_out_whole_and_test_units_teach_nothing(spec: TaskSpec) -> None:
    units = np.arange(240) % 24
    values = np.arange(240)
    targets = (values % 5 == 0).astype(np.int64) if spec.labels else values.astype(np.float32)
    data = with_folds(by_unit(spec, units, targets), 0)
    assert data.folds is not None
    assert data.units is not None
    of_rows = units[data.train.inputs["input"][:, 0].astype(int)]
    np.testing.assert_array_equal(of_rows, data.units)
    assert set(data.units) == {unit for unit in range(24) if unit % 4 != 3}
    for fold in range(N_FOLDS):
        assert not set(data.units[data.folds == fold]) & set(data.units[data.folds != fold])
    assert data.validation is data.train
    np.testing.assert_array_equal(data.clusters, data.units)


def test_a_class_of_one_unit_leaves_the_validation_units_as_the_only_fold() -> None:
    units = np.arange(160) % 16
    targets = (units == 4).astype(np.int64)
    before = by_unit(CLASSES, units, targets)
    data = with_folds(before, 0)
    assert data.folds is not None
    assert len(data.train) == 120
    np.testing.assert_array_equal(
        data.train.inputs["input"][data.folds == 0], before.validation.inputs["input"]
    )
    assert (data.folds == NEVER_HELD_OUT).sum() == len(before.train)
    assert data.units is not None
    assert len(data.units) == 120
    np.testing.assert_array_equal(data.clusters, before.clusters)


def test_of_three_units_each_is_a_fold() -> None:
    units = np.arange(80) % 4
    data = with_folds(by_unit(CLASSES, units, (np.arange(80) // 4 % 2).astype(np.int64)), 0)
    assert data.folds is not None
    assert len({(int(f), int(u)) for f, u in zip(data.folds, data.units, strict=True)}) == 3  # type: ignore[arg-type]
    assert set(data.folds) == {0, 1, 2}
