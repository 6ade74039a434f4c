"""Lighter forms are models of their own, kept where they gain something."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from ounce_edge.models.runtimes.base import Inputs, LoadedModel
from ounce_exporters.export.dense import emit_linear
from ounce_exporters.export.graphs import rename_input
from ounce_exporters.export.parity import Limits
from ounce_exporters.ladder.building import build_ladder
from ounce_exporters.ladder.recipe import FittedModel, Progress, Recipe, TaskData
from ounce_exporters.lighter import recipes as lighter
from ounce_exporters.lighter.forms import Form, NotWorthwhileError
from ounce_exporters.lighter.recipes import LighterModel, with_lighter
from ounce_exporters.progress.reporters import Reporters
from ounce_exporters.tasks.digits import task as digits
from ounce_exporters.tasks.folds import with_folds
from ounce_exporters.training.crossfit import train
from ounce_schemas.documents import read_card
from ounce_schemas.errors import ExportError
from scipy.stats import ConstantInputWarning

from tests.support.networks import GraphModel, convolutional, perceptron


@pytest.fixture(scope="module")
def data() -> TaskData:
    return digits.load(0)


class Counted:
    """A recipe's fit that counts."""

    def __init__(self, graph: onnx.ModelProto | None = None) -> None:
        self.n = self.n_exports = 0
        self.graph = graph or convolutional()

    def __call__(self, data: TaskData, seed: int, progress: Progress) -> FittedModel:
        self.n += 1
        counted = self

        class Model(GraphModel):
            def to_onnx(self) -> onnx.ModelProto:
                counted.n_exports += 1
                return super().to_onnx()

        return Model(self.graph)


class Dropped(Reporters):
    """Notes what is dropped."""

    def __init__(self) -> None:
        super().__init__()
        self.reasons: dict[str, str] = {}
        self.errors: list[str] = []

    def failed(self, recipe: Recipe, error: ExportError) -> None:
        self.errors.append(f"{recipe.name}: {error}")

    def dropped(self, recipe: Recipe, reason: str) -> None:
        self.reasons[recipe.name] = reason


def network(fit: Counted) -> Recipe:
    return Recipe("net", "neural", "a network", fit)


def cheaper(light: LoadedModel, original: LoadedModel, sample: Inputs) -> dict[int, float]:
    return {1: 1.5, 32: 0.5}


def dearer(light: LoadedModel, original: LoadedModel, sample: Inputs) -> dict[int, float]:
    return {1: 0.95, 32: 2.0}


def test_each_model_has_its_forms_behind_it() -> None:
    tree = Recipe("tree", "classical", "a tree", Counted())
    found = with_lighter([tree, network(Counted())])
    names = ["tree", "tree-tensors", "net", *(f"net-{form}" for form in Form)]
    assert [r.name for r in found] == names
    assert [r.form_of for r in found] == [None, "tree", None, *["net"] * len(Form)]


def test_a_form_that_is_cheaper_gets_a_card_of_its_own(data: TaskData, tmp_path: Path) -> None:
    fit, reporter = Counted(), Dropped()
    (tmp_path / "digits").mkdir()
    build_ladder(data, with_lighter([network(fit)], race=cheaper), tmp_path, 0, reporter)
    assert reporter.errors == []
    assert fit.n == 1  # trained once for all forms
    assert fit.n_exports == 2  # for itself, and for all forms
    assert reporter.reasons == {
        "net-int8-dynamic": "it has convolutions, or no products",
        "net-tensors": "it has only operators that GPUs know",
    }
    cards = {p.name: read_card(p / "card.json") for p in (tmp_path / "digits").iterdir()}
    assert cards.keys() == {"net", "net-fp16", "net-int8", "net-int8-symmetric"}
    assert len({card.sha256 for card in cards.values()}) == 4
    assert len({card.calibration.temperature for card in cards.values()}) > 1
    assert cards["net-int8"].algorithm == "a network, with convolutions in INT8"
    assert cards["net-int8"].parity.largest_difference > cards["net"].parity.largest_difference
    assert cards["net-int8"].validation_accuracy.n == len(data.validation)
    assert cards["net-fp16"].size_bytes < cards["net"].size_bytes


@pytest.mark.parametrize("name", ["decision-tree", "logistic-regression"])
def test_a_classical_model_in_tensor_operators_answers_as_before(
    data: TaskData, tmp_path: Path, name: str
) -> None:
    recipe = next(r for r in digits.recipes(data) if r.name == name)
    reporter = Dropped()
    (tmp_path / "digits").mkdir()
    build_ladder(data, with_lighter([recipe], keep=True), tmp_path, 0, reporter)
    assert (reporter.errors, reporter.reasons) == ([], {})
    first, second = (
        read_card(tmp_path / "digits" / n / "card.json") for n in (name, f"{name}-tensors")
    )
    assert second.parity.agreement == 1.0
    assert second.parity.largest_difference < 1e-5
    assert second.validation_accuracy == first.validation_accuracy
    model = onnx.load(tmp_path / "digits" / second.model / "model.onnx")
    assert {node.domain for node in model.graph.node} == {""}


def test_a_form_that_is_not_cheaper_is_left_out(data: TaskData, tmp_path: Path) -> None:
    reporter = Dropped()
    (tmp_path / "digits").mkdir()
    build_ladder(data, with_lighter([network(Counted())], race=dearer), tmp_path, 0, reporter)
    assert [path.name for path in (tmp_path / "digits").iterdir()] == ["net"]
    why = "it is not cheaper here: a call of 1 takes 0.95 times as long, one of 32 2.00 times"
    assert reporter.reasons["net-int8"] == why


def test_a_form_that_is_not_cheaper_stays_where_it_is_asked_for(data: TaskData) -> None:
    made = with_lighter([network(Counted())], keep=True, race=dearer)
    model = next(r for r in made if r.name == "net-fp16").fit(data, 0, lambda share: None)
    assert isinstance(model, LighterModel)


def test_a_form_that_answers_otherwise_is_left_out(
    data: TaskData, monkeypatch: pytest.MonkeyPatch
) -> None:
    def another(*_: object) -> onnx.ModelProto:
        other = convolutional()
        weights = next(t for t in other.graph.initializer if t.name == "w3")
        flipped = -onnx.numpy_helper.to_array(weights)
        weights.CopyFrom(onnx.numpy_helper.from_array(flipped, "w3"))
        return other

    monkeypatch.setattr(lighter, "convert", another)
    recipe = with_lighter([network(Counted())])[1]
    with pytest.raises(NotWorthwhileError, match=r"only \d+\.\d% of its answers are its original"):
        recipe.fit(data, 0, lambda share: None)


@pytest.mark.parametrize(("sign", "is_kept"), [(1.0, True), (-1.0, False)])
def test_scores_keep_their_order_or_the_form_is_left_out(
    data: TaskData, monkeypatch: pytest.MonkeyPatch, sign: float, is_kept: bool
) -> None:
    weights = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
    bias = np.zeros(1, np.float32)
    of_scores = rename_input(emit_linear(weights, bias), "input")
    other = rename_input(emit_linear(np.float32(sign) * weights, bias), "input")
    monkeypatch.setattr(lighter, "convert", lambda *_: other)
    recipe = with_lighter([network(Counted(of_scores))], keep=True)[1]
    if is_kept:
        assert isinstance(recipe.fit(data, 0, lambda share: None), LighterModel)
        return
    with pytest.raises(NotWorthwhileError, match=r"rank correlation of only -1\.00 with its"):
        recipe.fit(data, 0, lambda share: None)


@pytest.mark.parametrize(("error", "is_kept"), [(0.1, True), (2.0, False), (np.nan, False)])
def test_values_stay_within_the_tolerance_or_the_form_is_left_out(
    data: TaskData, monkeypatch: pytest.MonkeyPatch, error: float, is_kept: bool
) -> None:
    weights = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
    one, other = (
        rename_input(emit_linear(weights, np.full(1, off, np.float32)), "input")
        for off in (0.0, error)
    )
    monkeypatch.setattr(lighter, "convert", lambda *_: other)
    spec = data.spec.model_copy(
        update={"kind": "regression", "labels": (), "tolerance": 1.0, "interval_coverage": 0.9}
    )
    recipe = with_lighter([network(Counted(one))], keep=True)[1]
    if is_kept:
        assert isinstance(recipe.fit(replace(data, spec=spec), 0, lambda share: None), LighterModel)
        return
    with pytest.raises(NotWorthwhileError, match=r"only 0\.0% of its answers are within the tol"):
        recipe.fit(replace(data, spec=spec), 0, lambda share: None)


def test_scores_that_are_all_the_same_have_no_order(
    data: TaskData, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
    bias = np.zeros(1, np.float32)
    of_scores = rename_input(emit_linear(weights, bias), "input")
    flat = rename_input(emit_linear(0 * weights, bias), "input")
    monkeypatch.setattr(lighter, "convert", lambda *_: flat)
    recipe = with_lighter([network(Counted(of_scores))], keep=True)[1]
    with (
        pytest.warns(ConstantInputWarning),
        pytest.raises(NotWorthwhileError, match="rank correlation of only nan"),
    ):
        recipe.fit(data, 0, lambda share: None)


def test_a_form_that_differs_on_test_items_costs_itself_alone(
    data: TaskData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reporter = Dropped()
    (tmp_path / "digits").mkdir()
    monkeypatch.setattr("ounce_exporters.ladder.building.LIGHTER", Limits(2.0, 1.0, 1.0))
    build_ladder(data, with_lighter([network(Counted())], keep=True), tmp_path, 0, reporter)
    assert reporter.errors == []
    assert "parity check failed" in reporter.reasons["net-fp16"]
    assert [path.name for path in (tmp_path / "digits").iterdir()] == ["net"]


def test_with_folds_each_form_is_judged_by_forms_of_the_folds_models(data: TaskData) -> None:
    folded = with_folds(data, 0)

    def fit(part: TaskData, seed: int, progress: Progress) -> FittedModel:
        fitted.append(len(part.train))
        return GraphModel(perceptron(len(fitted)))  # each fit learns another

    fitted: list[int] = []
    made = with_lighter([Recipe("net", "neural", "a network", fit)], keep=True)
    original, fp16 = (
        train(next(r for r in made if r.name == name), folded, 0, lambda share: None)
        for name in ("net", "net-fp16")
    )
    assert len(fitted) == 5  # of four folds, and of all rows: none for the form
    wanted, found = original.validation_outputs, fp16.validation_outputs
    assert 0 < np.abs(found - wanted).max() < 0.05 * np.abs(wanted).max()


def test_a_form_has_no_learning_curve(data: TaskData, tmp_path: Path) -> None:
    (tmp_path / "digits").mkdir()
    build_ladder(
        with_folds(data, 0), with_lighter([network(Counted())], keep=True), tmp_path, 0, Dropped()
    )
    curves = {n: read_card(tmp_path / "digits" / n / "card.json") for n in ("net", "net-fp16")}
    assert [len(card.learning_curve) for card in curves.values()] == [3, 0]


def test_a_form_that_can_not_be_made_is_left_out(
    data: TaskData, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> onnx.ModelProto:
        raise ValueError("no such thing")

    monkeypatch.setattr(lighter, "convert", fail)
    recipe = with_lighter([network(Counted())])[1]
    with pytest.raises(NotWorthwhileError, match="can't be made: ValueError: no such thing"):
        recipe.fit(data, 0, lambda share: None)


def test_a_ladder_of_forms_that_gain_nothing_is_an_error(data: TaskData, tmp_path: Path) -> None:
    form = with_lighter([network(Counted())], race=dearer)[1]
    (tmp_path / "digits").mkdir()
    with pytest.raises(ExportError, match="nothing is written: net-fp16: it is not cheaper"):
        build_ladder(data, [form], tmp_path, 0, Reporters())


def test_other_data_or_another_seed_trains_anew(data: TaskData) -> None:
    fit = Counted()
    shared = with_lighter([network(fit)])[0]
    soft = replace(data.train, soft=np.ones((len(data.train), 10), np.float32))
    copied = replace(data.train, targets=data.train.targets.copy())
    for rows, seed in (
        (data.train, 0), (copied, 0), (data.train, 1), (data.test, 1), (soft, 1), (soft, 1)
    ):  # fmt: skip
        shared.fit(replace(data, train=rows), seed, lambda share: None)
    assert fit.n == 4
