"""Which rows are held out together, and that none of the test rows is among them."""

import numpy as np
import pytest
from ounce_exporters.crossfit import NEVER_HELD_OUT
from ounce_exporters.recipe import TaskData
from ounce_exporters.tasks import folds as module
from ounce_exporters.tasks.folds import N_FOLDS, with_folds
from ounce_exporters.tasks.splits import split_task
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
