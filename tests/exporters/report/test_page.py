"""The page of a ladder: whole without a network, with a section for each model."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from ounce_edge.models.runtimes.base import Inputs
from ounce_edge.models.runtimes.fake import FakeModel
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_exporters.cascades.planning import plan_ladder
from ounce_exporters.export.artifacts import new_ladder
from ounce_exporters.ladder.building import build_ladder
from ounce_exporters.ladder.recipe import Recipe, Split, TaskData
from ounce_exporters.progress.reporters import Reporters
from ounce_exporters.report.importance import find_importances
from ounce_exporters.report.learning import find_curve
from ounce_exporters.report.page import render, write_report
from ounce_exporters.tasks.table.options import TableOptions
from ounce_exporters.tasks.table.recipes import recipes
from ounce_exporters.tasks.table.task import load
from ounce_exporters.training.crossfit import train
from ounce_schemas.documents import read_card
from ounce_schemas.measure import Measure

from tests.exporters.own.foreign import rooms


def ladder(folder: Path, target: str, other: str, name: str) -> tuple[Path, TaskData, Recipe]:
    table = folder / f"{target}.csv"
    rooms(400).drop(columns=other).to_csv(table, index=False)
    options = TableOptions(
        by="site", without=frozenset({"site"}) if target == "busy" else frozenset()
    )
    data = load(table, target, target, options, 0, lambda line: None)
    recipe = next(recipe for recipe in recipes(data) if recipe.name == name)
    with new_ladder(folder, data.spec, data.test, keep_models=False) as scratch:
        build_ladder(data, [recipe], scratch, 0, Reporters())
        plan_ladder(data, scratch, 0, Reporters())
        write_report(scratch / target, data)
    return folder / target, data, recipe


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TaskData, Recipe]:
    return ladder(tmp_path_factory.mktemp("page"), "busy", "watts", "decision-tree")


def test_the_page_of_a_classification(busy: tuple[Path, TaskData, Recipe]) -> None:
    page = (busy[0] / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"https?://|<script|<link|src=", page)
    captions = re.findall(r"<figcaption>(\w+)", page)
    assert captions == ["Confusion", "Calibration", "Learning", "Importances", "Accuracy"]
    assert page.count("<svg") == page.count("</svg>") == 5
    for part in ("figure", "svg"):  # a plot is never wider than a telephone
        assert re.search(rf"\b{part}{{[^}}]*max-width:100%", page)
    card = read_card(busy[0] / "decision-tree" / "card.json")
    assert card.overall is not None
    assert card.cross_validation is not None
    for figure in (card.overall.roc_auc, card.overall.brier, card.overall.balanced_accuracy):
        assert f"<td>{figure:.3f}</td>" in page
    assert f"Accuracy by cross-validation {card.cross_validation.mean:.4f}" in page
    assert 'href="decision-tree/README.md"' in page


def test_the_page_of_a_regression(tmp_path: Path) -> None:
    folder, _, _ = ladder(tmp_path, "watts", "busy", "ridge")
    page = (folder / "report.html").read_text(encoding="utf-8")
    captions = re.findall(r"<figcaption>(\w+)", page)
    assert captions == ["Residuals", "Learning", "Importances", "Accuracy"]
    card = read_card(folder / "ridge" / "card.json")
    assert card.regression is not None
    assert f"<td>{card.regression.r2:.3f}</td>" in page


def test_a_column_that_is_no_input_tells_groups_apart(busy: tuple[Path, TaskData, Recipe]) -> None:
    folder, data, _ = busy
    assert [t.columns for t in data.spec.inputs] == [("warm", "wet")]
    assert data.groups is not None
    # The names belong to the rows: the site is 3 degrees of what decides, and was not sent.
    table = rooms(400)
    truth = {(np.float32(row.warm), np.float32(row.wet)): row.site for row in table.itertuples()}
    rows = data.validation.inputs["input"]
    assert [truth[tuple(row)] for row in rows] == data.groups.names.tolist()
    card = read_card(folder / "decision-tree" / "card.json")
    assert card.groups is not None
    assert {group.name for group in card.groups.groups} == {"north", "south", "west"}
    assert sum(group.accuracy.n for group in card.groups.groups) == len(data.validation)
    right = sum(round(g.accuracy.value * g.accuracy.n) for g in card.groups.groups)
    assert right / len(data.validation) == pytest.approx(card.validation_accuracy.value)


def test_importances_find_what_decides(busy: tuple[Path, TaskData, Recipe]) -> None:
    folder, data, _ = busy
    path = folder / "decision-tree" / "model.onnx"
    model = OnnxCpuRuntime().load(path, path.read_bytes())
    warm, wet = find_importances(data.spec, model, data.test)
    assert (warm.input, wet.input) == ("warm", "wet")
    assert warm.lost > 0.2
    assert abs(wet.lost) < 0.1
    before = data.test.inputs["input"].copy()
    find_importances(data.spec, model, data.test)
    np.testing.assert_array_equal(data.test.inputs["input"], before)


def test_importances_are_of_the_tasks_measure(busy: tuple[Path, TaskData, Recipe]) -> None:
    rare = np.repeat([0, 1], [95, 5])
    rows = np.column_stack([rare, np.zeros(100)]).astype(np.float32)
    _, data, _ = busy
    label = data.spec.labels[1]
    recall = Measure(kind="recall", label=label, false_alarms=0.1)
    spec = data.spec.model_copy(update={"measure": recall})
    one_hot = np.eye(len(spec.labels), dtype=np.float32)
    by_first = FakeModel(spec, lambda given: one_hot[given["input"][:, 0].astype(int)])

    decides, _ = find_importances(spec, by_first, Split({"input": rows}, rare))

    assert decides.lost > 0.7  # of the accuracy less than a tenth is lost


def test_the_page_says_by_which_measure_models_are_judged(
    busy: tuple[Path, TaskData, Recipe],
) -> None:
    folder, data, _ = busy
    cards = [read_card(folder / "decision-tree" / "card.json")]
    assert "judged by" not in render(folder, data, cards)
    measure = Measure(kind="balanced-accuracy")
    rare = replace(data, spec=data.spec.model_copy(update={"measure": measure}))
    assert "Models are judged by balanced accuracy." in render(folder, rare, cards)


def test_a_learning_curve_judges_by_rows_that_taught_nothing(
    busy: tuple[Path, TaskData, Recipe],
) -> None:
    _, data, recipe = busy
    seen: list[int] = []

    def fit(part: TaskData, seed: int, progress: object) -> object:
        seen.append(len(part.train))
        assert part.folds is None
        return recipe.fit(part, seed, lambda done: None)

    noted = Recipe("tree", "classical", "tree", fit)  # type: ignore[arg-type]
    judge = train(recipe, data, 0, lambda done: None).judge
    curve = find_curve(noted, data, judge, 0)
    assert data.folds is not None
    outside = int((data.folds != 0).sum())
    assert seen == [outside // 4, outside // 2]  # the judge has learned from all of them
    assert [point.n_rows for point in curve] == [*seen, outside]
    assert all(point.train >= point.validation for point in curve)

    def fail(*_: object) -> object:
        raise FloatingPointError("the loss is nan")

    failing = Recipe("a", "neural", "a", fail)  # type: ignore[arg-type]
    assert find_curve(failing, data, judge, 0) == ()
    assert find_curve(recipe, data, None, 0) == ()


def test_a_learning_curve_is_of_the_tasks_measure(busy: tuple[Path, TaskData, Recipe]) -> None:
    _, data, _ = busy
    balanced = data.spec.model_copy(update={"measure": Measure(kind="balanced-accuracy")})
    n_labels = len(balanced.labels)

    class Constant:
        parameters = 0

        def predict(self, inputs: Inputs) -> NDArray[np.float32]:
            return np.tile(np.eye(n_labels, dtype=np.float32)[0], (len(inputs["input"]), 1))

        def to_onnx(self) -> onnx.ModelProto:
            raise AssertionError("nobody exports it")

    constant = Recipe("one", "classical", "one", lambda *_: Constant())
    judge = constant.fit(data, 0, lambda done: None)
    curve = find_curve(constant, replace(data, spec=balanced), judge, 0)

    assert [point.validation for point in curve] == pytest.approx([1 / n_labels] * 3)
    assert data.folds is not None
    assert (data.train.targets[data.folds == 0] == 0).mean() != pytest.approx(1 / n_labels)
