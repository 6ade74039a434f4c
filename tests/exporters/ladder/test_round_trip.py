"""Every kind of model, trained a little: the written file answers as the native model does."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_exporters.export import calibration
from ounce_exporters.export.graphs import OPSET
from ounce_exporters.ladder.building import build_ladder, export_model
from ounce_exporters.ladder.recipe import FittedModel, Inputs, Progress, Recipe, Split, TaskData
from ounce_exporters.progress.reporters import Reporters
from ounce_exporters.tasks.digits import task as digits
from ounce_exporters.tasks.digits.augmentation import distort
from ounce_exporters.tasks.digits.networks import Mlp, ResidualCnn, SmallCnn
from ounce_exporters.tasks.splits import split_task
from ounce_exporters.tasks.table import recipes as table
from ounce_exporters.training.crossfit import Trained
from ounce_exporters.training.crossfit import train as train_recipe
from ounce_exporters.training.neural import WEIGHTS_FILE, NeuralModel, Training, train
from ounce_schemas.card import ModelCard
from ounce_schemas.documents import EXPLANATION_FILE, read_card
from ounce_schemas.errors import ExportError
from ounce_schemas.task import TaskSpec, TensorSpec
from torch import nn

CLASSICAL = ("decision-tree", "logistic-regression", "gradient-boosting", "random-forest")
NETWORKS = {"mlp": Mlp, "small-cnn": SmallCnn, "residual-cnn": lambda: ResidualCnn(channels=8)}


@pytest.fixture(scope="module")
def digits_data() -> TaskData:
    return digits.load(0)


def briefly(make: Callable[[], nn.Module]) -> Recipe:
    """A network that trains for two epochs."""

    def fit(data: TaskData, seed: int, progress: Progress) -> FittedModel:
        training = Training(epochs=2, learning_rate=1e-2, augment=distort)
        part = data.train.inputs["input"][:200]
        network = train(make, part, data.train.targets[:200], training, seed, progress)
        return NeuralModel(network, data.spec.inputs[0])

    return Recipe("brief", "neural", "a network trained for two epochs", fit)


def fit(recipe: Recipe, data: TaskData) -> Trained:
    return train_recipe(recipe, data, 0, lambda share: None)


def digits_recipe(name: str, data: TaskData) -> Recipe:
    if name in NETWORKS:
        return briefly(NETWORKS[name])
    return next(recipe for recipe in digits.recipes(data) if recipe.name == name)


@pytest.mark.parametrize("name", [*CLASSICAL, *NETWORKS])
def test_digits_models_survive_the_round_trip(
    name: str, digits_data: TaskData, tmp_path: Path
) -> None:
    recipe = digits_recipe(name, digits_data)
    card = export_model(digits_data, recipe, fit(recipe, digits_data), tmp_path, 0)
    weights = {WEIGHTS_FILE} if name in NETWORKS else set()
    check_written(tmp_path / recipe.name, card, digits_data, weights)


@pytest.mark.parametrize("kind", ["classification", "regression"])
@pytest.mark.parametrize("inputs", ["both", "numeric", "categorical"])
@pytest.mark.parametrize("position", range(5))
def test_table_models_survive_the_round_trip(
    position: int, inputs: str, kind: str, tmp_path: Path
) -> None:
    data = table_data(kind, inputs)
    recipe = table.recipes(data)[position]
    card = export_model(data, recipe, fit(recipe, data), tmp_path, 0)
    check_written(tmp_path / recipe.name, card, data)


def check_written(
    folder: Path, card: ModelCard, data: TaskData, more: AbstractSet[str] = frozenset()
) -> None:
    """The folder holds one model with the task's signature that takes any batch."""
    explanation = set() if card.explanation is None else {EXPLANATION_FILE}
    assert (card.unexplained is None) == bool(explanation)
    assert {path.name for path in folder.iterdir()} == {
        "model.onnx",
        "card.json",
        "README.md",
        "validation.npy",
        *explanation,
        *more,
    }
    assert read_card(folder / "card.json") == card
    assert card.parity.n == len(data.test)
    assert card.parameters > 0
    path = folder / "model.onnx"
    model = OnnxCpuRuntime().load(path, path.read_bytes())
    assert {name: t.shape for name, t in model.inputs.items()} == {
        t.name: (None, *t.shape) for t in data.spec.inputs
    }
    output = data.spec.output
    assert {name: t.shape for name, t in model.outputs.items()} == {
        output.name: (None, *output.shape)
    }
    everything = model.run(data.test.inputs)
    for n in (1, 3, 7):
        answers = model.run({name: array[:n] for name, array in data.test.inputs.items()})
        assert answers.shape == (n, *output.shape)
        np.testing.assert_allclose(answers, everything[:n], rtol=1e-4, atol=1e-5)
    if data.spec.kind == "classification":
        np.testing.assert_allclose(everything.sum(axis=1), 1, atol=1e-5)
    else:
        assert (everything[:, 1] <= everything[:, 0]).all()
        assert (everything[:, 0] <= everything[:, 2]).all()
    versions = {o.domain: o.version for o in onnx.load(folder / "model.onnx").opset_import}
    assert versions[""] == OPSET


def table_data(kind: str, inputs: str) -> TaskData:
    """160 rows with missing values in both tensors, and a target that depends on each."""
    rng = np.random.default_rng(0)
    n = 160
    numbers = rng.normal(size=(n, 2)).astype(np.float32)
    texts = rng.choice(np.array(["red", "grün", ""], dtype=object), size=(n, 2))
    score = numbers[:, 0] + (texts[:, 0] == "red")
    numbers[rng.random((n, 2)) < 0.1] = np.nan
    tensors = {
        "input": (numbers, TensorSpec(name="input", datatype="FP32", shape=(2,))),
        "categories": (texts, TensorSpec(name="categories", datatype="BYTES", shape=(2,))),
    }
    chosen = {"both": ["input", "categories"], "numeric": ["input"], "categorical": ["categories"]}
    classifies = kind == "classification"
    spec = TaskSpec(
        name="table",
        kind="classification" if classifies else "regression",
        description="Made for a test.",
        inputs=tuple(tensors[name][1] for name in chosen[inputs]),
        labels=("low", "high") if classifies else (),
        tolerance=None if classifies else 0.5,
        interval_coverage=None if classifies else 0.9,
    )
    targets = (score > 0.3).astype(np.int64) if classifies else score.astype(np.float32)
    return split_task(
        spec, "a test", {name: tensors[name][0] for name in chosen[inputs]}, targets, 0
    )


def test_a_text_never_seen_in_training_is_tolerated(tmp_path: Path) -> None:
    data = table_data("classification", "both")
    recipe = table.recipes(data)[0]
    export_model(data, recipe, fit(recipe, data), tmp_path, 0)
    path = tmp_path / recipe.name / "model.onnx"
    model = OnnxCpuRuntime().load(path, path.read_bytes())
    answers = model.run(
        {
            "input": np.array([[0.5, np.nan]], np.float32),
            "categories": np.array([["violet", ""]], dtype=object),
        }
    )
    assert np.isfinite(answers).all()


@pytest.mark.parametrize("name", ["random-forest", "small-cnn"])
def test_the_same_seed_gives_the_same_file_and_metrics(
    name: str, digits_data: TaskData, tmp_path: Path
) -> None:
    recipe = digits_recipe(name, digits_data)
    first, second = (
        export_model(digits_data, recipe, fit(recipe, digits_data), tmp_path, 0) for _ in range(2)
    )
    changing = {"latency": True, "created": True, "explanation": {"latency"}}
    assert first.model_dump(exclude=changing) == second.model_dump(exclude=changing)


class Untrue:
    """A native model whose graph answers otherwise."""

    parameters = 1

    def __init__(self, native: FittedModel) -> None:
        self._native = native
        self.to_onnx = native.to_onnx

    def predict(self, inputs: Inputs) -> np.ndarray:
        return np.roll(self._native.predict(inputs), 1, axis=1)


class Recorder(Reporters):
    """Notes what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.finished_names: list[str] = []
        self.errors: list[str] = []

    def finished(self, recipe: Recipe, card: ModelCard) -> None:
        self.finished_names.append(recipe.name)

    def failed(self, recipe: Recipe, error: ExportError) -> None:
        self.errors.append(str(error))


def diverge(*_: object) -> FittedModel:
    raise FloatingPointError("the loss is nan")


def test_a_model_that_fails_costs_only_itself(digits_data: TaskData, tmp_path: Path) -> None:
    tree, logistic = digits.recipes(digits_data)[:2]
    untrue = replace(tree, name="untrue", fit=lambda *args: Untrue(tree.fit(*args)))
    diverging = replace(tree, name="diverging", fit=diverge)
    reporter = Recorder()
    (tmp_path / "digits").mkdir()
    built = build_ladder(digits_data, [untrue, diverging, logistic], tmp_path, 0, reporter)
    assert [card.model for card in built.cards] == reporter.finished_names == [logistic.name]
    assert len(built.failures) == len(reporter.errors) == 2
    assert built.failures[0].startswith("untrue: parity check failed")
    assert built.failures[1] == ("diverging: training failed: FloatingPointError: the loss is nan")
    assert [path.name for path in (tmp_path / "digits").iterdir()] == [logistic.name]


def test_a_ladder_without_a_model_is_an_error(digits_data: TaskData, tmp_path: Path) -> None:
    diverging = replace(digits.recipes(digits_data)[0], name="diverging", fit=diverge)
    (tmp_path / "digits").mkdir()
    with pytest.raises(ExportError, match=r"every model failed, .*: diverging: training failed"):
        build_ladder(digits_data, [diverging], tmp_path, 0, Recorder())


def test_calibration_and_choice_never_see_the_test_split(
    digits_data: TaskData, tmp_path: Path
) -> None:
    """Other test items change neither the file nor what routing relies on."""
    recipe = digits.recipes(digits_data)[0]
    fitted = fit(recipe, digits_data)
    card = export_model(digits_data, recipe, fitted, tmp_path, 0)
    other = Split({"input": digits_data.test.inputs["input"][:50]}, digits_data.test.targets[:50])
    again = export_model(replace(digits_data, test=other), recipe, fitted, tmp_path, 0)
    assert again.sha256 == card.sha256
    assert again.validation_accuracy == card.validation_accuracy
    assert again.test_accuracy.n == 50
    assert calibration.fit_temperature(
        fitted.validation_outputs, digits_data.validation.targets
    ) == pytest.approx(card.calibration.temperature)
