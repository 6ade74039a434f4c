"""Columns and texts of a table, in models whose operators are known."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from ounce_exporters.explaining import making
from ounce_exporters.ladder.recipe import TaskData
from ounce_exporters.tasks.table.preprocessing import preprocessing
from ounce_exporters.tasks.table.recipes import families
from ounce_exporters.training.classical import fit_classical
from ounce_exporters.training.kernel_svm import KernelSVM
from ounce_schemas.cells import Cell
from ounce_schemas.task import TaskSpec, TensorSpec
from sklearn.pipeline import Pipeline

from tests.exporters.explaining.explained import export, log_odds, table

SENTENCES = ("win a big prize", "see you at lunch")


def kernel(task: TaskSpec, seed: int) -> Pipeline:
    model = KernelSVM(len(task.labels), n_vectors=16, random_state=seed)
    return Pipeline([("columns", preprocessing(task)), ("model", model)])


def test_columns_of_a_kernel_machine(tmp_path: Path) -> None:
    """Of numbers with gaps, and of texts that become several features each."""
    found = export(table("classes"), tmp_path, fit_classical(kernel))
    own = found.card.explanation
    assert own is not None
    assert (own.method, own.inputs) == ("rescale", ("x", "y", "z", "text"))
    np.testing.assert_allclose(found.sums, log_odds(found.answers), rtol=1e-4, atol=1e-4)
    sizes = np.abs(found.explained[:, -4:]).mean(axis=0)
    assert sizes.argmax() == 0  # `x` is what the answer depends on
    assert (sizes > 0).all()


def numbers_alone() -> TaskData:
    """The table without its texts."""
    data = table("classes")
    spec = data.spec.model_copy(update={"inputs": data.spec.inputs[:1]})
    splits = {
        name: replace(some, inputs={"input": some.inputs["input"]})
        for name, some in (("train", data.train), ("validation", data.validation),
                           ("test", data.test))
    }  # fmt: skip
    return replace(data, spec=spec, **splits)


def test_what_stands_before_a_network_is_in_standard_operators_and_explained(
    tmp_path: Path,
) -> None:
    found = export(numbers_alone(), tmp_path, fit_classical(kernel), "neural")
    graph = onnx.load(tmp_path / "t/m/model.onnx").graph
    assert {node.domain for node in graph.node} == {""}
    assert {"IsNaN", "Where"} <= {node.op_type for node in graph.node}
    assert found.card.not_on_gpu is None
    assert found.card.explanation is not None
    assert found.card.explanation.method == "rescale"
    np.testing.assert_allclose(found.sums, log_odds(found.answers), rtol=1e-4, atol=1e-4)


def test_contributions_that_do_not_add_up_are_left_to_occlusion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rescale = making.rescale

    def misses(*how: Any) -> Any:
        graph, method = rescale(*how)
        (last,) = [node for node in graph.graph.node if node.output[0] == "explained"]
        last.input[1] = last.input[2]  # no base
        return graph, method

    monkeypatch.setattr(making, "rescale", misses)
    found = export(table("classes"), tmp_path, fit_classical(kernel))
    assert found.card.explanation is not None
    assert found.card.explanation.method == "occlusion"


def with_sentences() -> TaskData:
    """The table, and a column of sentences that says the class."""
    data = table("classes")
    cells = (Cell(column="message", read="sentence"),)
    tensor = TensorSpec(
        name="message", datatype="BYTES", shape=(1,), columns=("message",), cells=cells,
        text_bytes=32,
    )  # fmt: skip
    spec = data.spec.model_copy(update={"inputs": (*data.spec.inputs, tensor)})

    def split(some: Any) -> Any:
        texts = np.array([[SENTENCES[label]] for label in some.targets], object)
        return replace(some, inputs={**some.inputs, "message": texts})

    splits = {name: split(getattr(data, name)) for name in ("train", "validation", "test")}
    return replace(data, spec=spec, **splits)


@pytest.mark.parametrize("name", ["hashed-linear", "byte-cnn"])
def test_a_sentence_beside_columns(tmp_path: Path, name: str) -> None:
    data = with_sentences()
    (family,) = [family for family in families(data) if family.name == name]
    found = export(data, tmp_path, family.recipe().fit)
    own = found.card.explanation
    assert own is not None
    assert (own.method, own.inputs) == ("rescale", ("x", "y", "z", "text", "message"))
    assert own.width == 4 + 32
    np.testing.assert_allclose(found.sums, log_odds(found.answers), rtol=1e-3, atol=1e-3)
    columns, of_bytes = found.explained[:, -36:-32], found.explained[:, -32:]
    assert np.abs(of_bytes[:, :16]).sum() > np.abs(columns).sum()  # it says the class
    assert np.abs(columns[:, 0]).max() > 0
