"""Nominal work of fits: more of anything that takes time is more work."""

import numpy as np
import pytest
from ounce_exporters.ladder.recipe import Split, TaskData
from ounce_exporters.tasks.work import fit_work_s
from ounce_schemas.task import TaskSpec, TensorSpec


def data(tensor: TensorSpec) -> TaskData:
    spec = TaskSpec(
        name="t", kind="classification", description="t", inputs=(tensor,), labels=("a", "b")
    )
    none = Split({tensor.name: np.empty((0, *tensor.shape))}, np.empty(0, np.int64))
    return TaskData(spec, "none", none, none, none, "0" * 64)


IMAGE = TensorSpec(name="image", datatype="UINT8", shape=(28, 28, 1))
SERIES = TensorSpec(name="x", datatype="FP32", shape=(100, 1), channels=("c",))
TEXT = TensorSpec(name="text", datatype="BYTES", shape=(1,), text_bytes=96)
TABLE = TensorSpec(name="input", datatype="FP32", shape=(10,))


@pytest.mark.parametrize(
    ("light", "heavy", "tensor"),
    [
        ("logistic-regression", "residual-cnn", IMAGE),
        ("small-cnn", "cnn", IMAGE),
        ("minirocket", "gru", SERIES),
        ("cnn-1d", "gru", SERIES),
        ("mlp-1d", "cnn-1d", SERIES),
        ("hashed-linear", "byte-cnn", TEXT),
        ("gradient-boosting-small", "gradient-boosting", TABLE),
        ("mahalanobis", "autoencoder", TABLE),
    ],
)
def test_heavier_kinds_and_more_rows_are_more_work(
    light: str, heavy: str, tensor: TensorSpec
) -> None:
    task = data(tensor)

    assert fit_work_s(light, 500, task) < fit_work_s(heavy, 500, task)
    assert fit_work_s(heavy, 500, task) < fit_work_s(heavy, 50_000, task)


def test_larger_items_are_more_work() -> None:
    longer = SERIES.model_copy(update={"shape": (400, 1)})
    text = TEXT.model_copy(update={"text_bytes": 400})

    assert fit_work_s("gru", 500, data(SERIES)) < fit_work_s("gru", 500, data(longer)) / 2
    assert fit_work_s("byte-cnn", 500, data(TEXT)) < fit_work_s("byte-cnn", 500, data(text)) / 2


@pytest.mark.parametrize("name", ["hashed-mlp", "byte-cnn"])
def test_few_texts_are_learned_more_often(name: str) -> None:
    few, many = (fit_work_s(name, n, data(TEXT)) for n in (640, 6_400))
    assert many < 4 * few
