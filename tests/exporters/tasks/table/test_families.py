"""Every family of a table's models answers from its file as it does natively."""

from functools import cache

import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from ounce_exporters.ladder.recipe import FittedModel, Inputs, TaskData
from ounce_exporters.tasks.splits import split_task
from ounce_exporters.tasks.table.known_texts import with_known_texts
from ounce_exporters.tasks.table.recipes import recipes
from ounce_schemas.cells import Cell
from ounce_schemas.task import TaskSpec, TensorSpec

N = 320
CLASSES = {"two classes": 2, "three classes": 3, "a quantity": 0}


@cache
def table(n_classes: int) -> TaskData:
    """Numbers with gaps, and texts; what decides is one feature alone, and two together."""
    rng = np.random.default_rng(n_classes)
    x = rng.normal(size=(N, 3)).astype(np.float32)
    x[:, 2] = 1e6 + 100 * x[:, 2]
    x[rng.random(x.shape) < 0.1] = np.nan
    texts = rng.choice(["north", "south", "west", ""], size=(N, 1)).astype(object)
    score = np.nan_to_num(x[:, 0]) + (texts[:, 0] == "south") * np.nan_to_num(x[:, 1])
    edges = np.quantile(score, np.arange(1, n_classes) / n_classes) if n_classes else ()
    y = np.digitize(score, edges) if n_classes else (20 + 5 * score).astype(np.float32)
    cells = (Cell(column="site", read="text"),)
    spec = TaskSpec(
        name="t",
        kind="classification" if n_classes else "regression",
        description="",
        inputs=(
            TensorSpec(name="input", datatype="FP32", shape=(3,), allow_missing=True),
            TensorSpec(name="sites", datatype="BYTES", shape=(1,), columns=("site",), cells=cells),
        ),
        labels=tuple("abc"[:n_classes]),
        tolerance=None if n_classes else 3.0,
        interval_coverage=None if n_classes else 0.9,
    )
    return with_known_texts(split_task(spec, "a test", {"input": x, "sites": texts}, y, 0))


@cache
def fitted(name: str, n_classes: int) -> FittedModel:
    data = table(n_classes)
    recipe = next(r for r in recipes(data) if r.name == name)
    return recipe.fit(data, 0, lambda share: None)


def hostile(inputs: Inputs) -> Inputs:
    """Rows with more gaps, unknown texts, and numbers as large as float32 has."""
    x, texts = inputs["input"].copy(), inputs["sites"].copy()
    x[::3, 0], x[1::3, 1], x[::4, 2] = 3e38, -3e38, np.nan
    x[2::5, 2], texts[::2, 0] = 1e30, "unheard of"
    return {"input": x, "sites": texts}


def answers(session: ort.InferenceSession, inputs: Inputs) -> NDArray[np.float32]:
    (result,) = session.run(None, dict(inputs))
    return np.asarray(result)


def names(n_classes: int) -> list[str]:
    return [recipe.name for recipe in recipes(table(n_classes))]


CASES = [
    pytest.param(name, n, id=f"{name} of {kind}")
    for kind, n in CLASSES.items()
    for name in names(n)
]


@pytest.mark.parametrize(("name", "n_classes"), CASES)
def test_the_file_answers_as_the_model(name: str, n_classes: int) -> None:
    model, test = fitted(name, n_classes), table(n_classes).test
    assert model.parameters > 0
    session = ort.InferenceSession(model.to_onnx().SerializeToString())
    for inputs in (test.inputs, hostile(test.inputs)):
        native = model.predict(inputs)
        assert native.shape == (len(test), n_classes or 1)
        assert native.dtype == np.float32
        assert np.isfinite(native).all()
        found = answers(session, inputs)
        np.testing.assert_allclose(found, native, rtol=2e-5, atol=2e-5 * np.abs(native).max())
        one = {key: values[:1] for key, values in inputs.items()}
        np.testing.assert_allclose(answers(session, one), found[:1], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(("name", "n_classes"), CASES)
def test_it_has_learned(name: str, n_classes: int) -> None:
    test = table(n_classes).test
    said = fitted(name, n_classes).predict(test.inputs)
    if n_classes:
        accuracy = (said.argmax(axis=1) == test.targets).mean()
        assert accuracy > 1 / n_classes + 0.15
    else:
        error = np.square(said[:, 0] - test.targets).mean()
        assert error < 0.6 * test.targets.var()


def test_the_same_seed_gives_the_same_model() -> None:
    data = table(3)
    for name in ("kernel-svm", "glass-box", "mlp"):
        recipe = next(r for r in recipes(data) if r.name == name)
        again = recipe.fit(data, 0, lambda share: None).predict(data.test.inputs)
        np.testing.assert_array_equal(again, fitted(name, 3).predict(data.test.inputs))
