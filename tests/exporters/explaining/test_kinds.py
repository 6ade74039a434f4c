"""Every kind of input and task is explained: images, sequences, sentences, anomalies, clusters."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from ounce_exporters.ladder.recipe import Split, TaskData
from ounce_exporters.tasks.table.recipes import families
from ounce_schemas.task import TaskSpec, TensorSpec

from tests.exporters.explaining.explained import export, log_odds

N = 200


def made(
    tensor: dict[str, Any], array: NDArray[Any], targets: NDArray[Any], **how: Any
) -> TaskData:
    spec = TaskSpec(
        **{
            "name": "t",
            "kind": "classification",
            "description": "",
            "inputs": (TensorSpec(name="input", **tensor),),
            "labels": ("no", "yes"),
            **how,
        }
    )

    def split(rows: slice) -> Split:
        return Split({"input": array[rows]}, targets[rows])

    splits = split(slice(100)), split(slice(100, 150)), split(slice(150, N))
    return TaskData(spec, "made", *splits, "0" * 64)


def fit(data: TaskData, name: str) -> Any:
    (family,) = [family for family in families(data) if family.name == name]
    return family.recipe().fit


@pytest.fixture(scope="module")
def truth() -> NDArray[np.int64]:
    return (np.arange(N) % 2).astype(np.int64)


def strongest(found: Any) -> str:
    own = found.card.explanation
    sizes = np.abs(found.explained[:, -len(own.inputs) :]).mean(axis=0)
    return str(own.inputs[sizes.argmax()])


def test_blocks_of_an_image(tmp_path: Path, truth: NDArray[np.int64]) -> None:
    images = np.random.default_rng(0).integers(0, 60, (N, 8, 8, 1), dtype=np.uint8)
    images[truth == 1, :2, 2:4] += 150
    data = made({"datatype": "UINT8", "shape": (8, 8, 1)}, images, truth)
    found = export(data, tmp_path, fit(data, "logistic-regression"))
    assert strongest(found) == "rows 0-1 columns 2-3"
    np.testing.assert_allclose(found.sums, log_odds(found.answers), rtol=1e-3, atol=1e-3)


def test_steps_of_a_sequence(tmp_path: Path, truth: NDArray[np.int64]) -> None:
    rows = np.random.default_rng(0).normal(size=(N, 16, 2)).astype(np.float32)
    rows[truth == 1, 4:6] += 4
    tensor = {"datatype": "FP32", "shape": (16, 2), "channels": ("u", "v")}
    data = made(tensor, rows, truth)
    found = export(data, tmp_path, fit(data, "gradient-boosting"))
    own = found.card.explanation
    assert own is not None
    assert (own.method, len(own.inputs)) == ("occlusion", 8)
    assert len(own.reference["input"]) == 2  # a value of each channel
    np.testing.assert_allclose(found.sums, log_odds(found.answers), rtol=1e-3, atol=1e-3)


def test_steps_that_a_shorter_sequence_does_not_have_contribute_nothing(
    tmp_path: Path, truth: NDArray[np.int64]
) -> None:
    rows = np.random.default_rng(0).normal(size=(N, 16, 2)).astype(np.float32)
    rows[truth == 1, 2:4] += 4
    rows[::5, :6] = np.nan
    tensor = {"datatype": "FP32", "shape": (16, 2), "channels": ("u", "v"), "allow_missing": True}
    data = made(tensor, rows, truth)
    found = export(data, tmp_path, fit(data, "logistic-regression"))
    short = np.isnan(data.test.inputs["input"][:, 0, 0])
    assert 0 < short.sum() < len(short)
    np.testing.assert_allclose(found.explained[short, -8:-5], 0, atol=1e-6)
    assert np.abs(found.explained[~short, -8:-5]).max() > 1e-6
    np.testing.assert_allclose(found.sums, log_odds(found.answers), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "method"),
    [("hashed-linear", "exact"), ("hashed-mlp", "rescale"), ("byte-cnn", "rescale")],
)
def test_bytes_of_a_sentence(
    tmp_path: Path, truth: NDArray[np.int64], name: str, method: str
) -> None:
    texts = np.array([["win a prize" if yes else "see you at lunch"] for yes in truth], object)
    texts[::10] = ""
    tensor = {"datatype": "BYTES", "shape": (1,), "text_bytes": 32}
    data = made(tensor, texts, truth)
    found = export(data, tmp_path, fit(data, name))
    own = found.card.explanation
    assert own is not None
    assert (own.method, own.inputs, own.texts["input"].size_bytes) == (method, ("input",), 32)
    asked = data.test.inputs["input"][:, 0]
    np.testing.assert_allclose(found.explained[asked == "", -32:], 0, atol=1e-6)
    np.testing.assert_allclose(found.sums, log_odds(found.answers), rtol=1e-3, atol=1e-3)
    of_bytes = found.explained[np.flatnonzero(asked != "")[0], -32:]
    assert np.abs(of_bytes[:11]).sum() > 10 * np.abs(of_bytes[17:]).sum()


def test_the_score_of_an_anomaly(tmp_path: Path, truth: NDArray[np.int64]) -> None:
    rows = np.random.default_rng(0).normal(size=(N, 3)).astype(np.float32)
    rows[truth == 1, 1] += 9
    how = {"kind": "anomaly", "labels": ("normal", "anomaly"), "false_alarms": 0.1}
    data = made({"datatype": "FP32", "shape": (3,)}, rows, truth, **how)
    found = export(data, tmp_path, fit(data, "isolation-forest"))
    own = found.card.explanation
    assert own is not None
    assert own.score == "anomaly-score"
    strange = found.answers[:, 1] > 0.5
    assert strange.any()
    sizes = np.abs(found.explained[strange, -3:]).mean(axis=0)
    assert own.inputs[sizes.argmax()] == "input 1"
    assert own.largest_error <= 1e-5
