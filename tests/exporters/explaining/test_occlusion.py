"""Occlusion: contributions of any model, which add up to its score."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ounce_exporters.explaining import making
from ounce_exporters.explaining.parts import parts_of
from ounce_exporters.tasks.table.preprocessing import preprocessing
from ounce_exporters.training.classical import fit_classical
from ounce_exporters.training.kernel_svm import KernelSVM
from ounce_schemas.cells import Cell
from ounce_schemas.documents import EXPLANATION_FILE, read_card
from ounce_schemas.errors import ExportError
from ounce_schemas.task import TaskSpec, TensorSpec
from sklearn.pipeline import Pipeline

from tests.exporters.explaining.explained import export, log_odds, table


def kernel(task: TaskSpec, seed: int) -> Pipeline:
    model = KernelSVM(len(task.labels), n_vectors=16, random_state=seed)
    return Pipeline([("columns", preprocessing(task)), ("model", model)])


@pytest.fixture(autouse=True)
def _no_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of such a model nothing is known but its answers."""

    def refuses(*_: object) -> None:
        raise ExportError("no rule")

    monkeypatch.setattr(making, "rescale", refuses)


@pytest.mark.parametrize("labels", [("no", "yes"), ("low", "middle", "high")])
def test_contributions_add_up_to_the_log_odds_of_the_answer(
    tmp_path: Path, labels: tuple[str, ...]
) -> None:
    found = export(table("classes", labels), tmp_path, fit_classical(kernel))
    own = found.card.explanation
    assert own is not None
    assert (own.method, own.score) == ("occlusion", "log-odds")
    assert own.inputs == ("x", "y", "z", "text")
    np.testing.assert_allclose(found.explained[:, : len(labels)], found.answers, atol=1e-6)
    np.testing.assert_allclose(found.sums, log_odds(found.answers), rtol=1e-4, atol=1e-4)
    assert own.largest_error <= 1e-5
    strongest = np.abs(found.explained[:, -4:]).mean(axis=0).argmax()
    assert own.inputs[strongest] == "x"


def test_contributions_add_up_to_the_value(tmp_path: Path) -> None:
    data = table("quantity")
    found = export(data, tmp_path, fit_classical(kernel))
    assert found.card.explanation is not None
    assert found.card.explanation.score == "value"
    np.testing.assert_allclose(found.sums, found.answers[:, 0], rtol=1e-5, atol=1e-5)
    reference = found.card.explanation.reference
    medians = np.nanmedian(data.train.inputs["input"], axis=0)
    np.testing.assert_allclose(np.array(reference["input"], float), medians, rtol=1e-6)
    assert reference["categories"][0] in ("a", "b", "c")


def test_a_table_of_many_columns_is_not_explained_and_the_card_says_why(tmp_path: Path) -> None:
    data = table("classes")
    wide = np.random.default_rng(0).normal(size=(400, 65)).astype(np.float32)
    names = tuple(f"c{i}" for i in range(65))
    cells = tuple(Cell(column=name, read="number") for name in names)
    tensor = TensorSpec(name="input", datatype="FP32", shape=(65,), columns=names, cells=cells)
    spec = data.spec.model_copy(update={"inputs": (tensor,)})
    rows = {"train": slice(200), "validation": slice(200, 300), "test": slice(300, 400)}
    splits = {
        name: type(data.train)({"input": wide[some]}, getattr(data, name).targets)
        for name, some in rows.items()
    }
    with pytest.raises(AssertionError, match="65 inputs"):
        export(replace(data, spec=spec, **splits), tmp_path, fit_classical(kernel))
    card = read_card(tmp_path / "t" / "m" / "card.json")
    assert card.explanation is None
    assert "65 inputs" in str(card.unexplained)


def test_what_a_library_raises_costs_the_explanation_and_not_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise MemoryError("bad allocation")

    monkeypatch.setattr(making, "occlude", fails)
    with pytest.raises(AssertionError, match="bad allocation"):
        export(table("classes"), tmp_path, fit_classical(kernel))
    card = read_card(tmp_path / "t" / "m" / "card.json")
    assert card.unexplained == "MemoryError: bad allocation"
    assert not (tmp_path / "t" / "m" / EXPLANATION_FILE).exists()


def test_calls_that_read_much_are_not_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_each = 4 * 5  # four columns; the row, and with each replaced
    monkeypatch.setattr(making, "_MOST_NUMBERS", 8 * of_each)
    found = export(table("classes"), tmp_path, fit_classical(kernel))
    assert found.card.explanation is not None
    sizes = [b.batch_size for b in found.card.explanation.latency.batches]
    assert sizes == [1, 8]


@pytest.mark.parametrize(
    ("tensor", "first", "n"),
    [
        ({"datatype": "UINT8", "shape": (9, 9, 3)}, "rows 0-1 columns 0-1", 16),
        ({"datatype": "UINT8", "shape": (2, 3, 1)}, "rows 0 columns 0", 6),
        ({"datatype": "FP32", "shape": (100, 2), "channels": ("u", "v")}, "steps 0-11", 8),
        ({"datatype": "FP32", "shape": (64,)}, "input 0-3", 16),
        ({"datatype": "FP32", "shape": (3,)}, "input 0", 3),
        ({"datatype": "BYTES", "shape": (1,), "text_bytes": 64}, "input bytes 0-3", 16),
    ],
)
def test_every_element_of_an_input_is_in_one_part(tensor: Any, first: str, n: int) -> None:
    task = TaskSpec(
        name="t",
        kind="classification",
        description="",
        inputs=(TensorSpec(name="input", **tensor),),
        labels=("no", "yes"),
    )
    parts = parts_of(task)
    assert (parts[0].name, len(parts)) == (first, n)
    assert (np.sum([part.mask for part in parts], axis=0) == 1).all()
    assert len({part.name for part in parts}) == n
