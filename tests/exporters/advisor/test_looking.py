"""What is read of the data before a race."""

import numpy as np
import pytest
from numpy.typing import NDArray
from ounce_exporters.advisor import looking
from ounce_exporters.advisor.looking import look
from ounce_exporters.ladder.recipe import Split, TaskData
from ounce_schemas.task import TaskSpec, TensorSpec


def task_of(tensor: TensorSpec, rows: NDArray[np.generic]) -> TaskData:
    spec = TaskSpec(
        name="t", kind="classification", description="", inputs=(tensor,), labels=("no", "yes")
    )
    split = Split({"input": rows}, np.arange(len(rows)) % 2)
    return TaskData(spec, "made", split, split, split, "0" * 64)


def test_pixels_are_no_columns() -> None:
    images = np.zeros((50, 4, 4, 1), np.uint8)
    images[0] = 255  # skewed, were each pixel a column
    found = look(task_of(TensorSpec(name="input", datatype="UINT8", shape=(4, 4, 1)), images), ())
    assert (found.structure, found.skewed, found.heavy_tailed) == ("image", 0, 0)
    assert (found.n_numbers, found.missing) == (16, 0.0)
    assert found.duplicates == pytest.approx(48 / 50)


def test_the_share_of_gaps_is_of_the_rows_that_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "_MOST_ROWS", 10)
    rows = np.arange(80, dtype=np.float32).reshape(40, 2)
    rows[:, 1] = np.nan
    found = look(task_of(TensorSpec(name="input", datatype="FP32", shape=(2,)), rows), ())
    assert found.missing == 0.5
