"""Distillation: who teaches, what is learned, and what is kept."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from ounce_exporters.export.graphs import IR_VERSION, OPSET, UNCALIBRATED
from ounce_exporters.ladder.building import build_ladder
from ounce_exporters.ladder.recipe import FittedModel, Progress, Recipe, TaskData
from ounce_exporters.lighter.forms import NotWorthwhileError
from ounce_exporters.progress.reporters import Reporters
from ounce_exporters.tasks.folds import with_folds
from ounce_exporters.tasks.splits import split_task
from ounce_exporters.tasks.table import networks
from ounce_exporters.tasks.table import recipes as table_recipes
from ounce_exporters.training.crossfit import train as cross_fit
from ounce_exporters.training.distillation import unseen_answers, with_distilled
from ounce_exporters.training.mixed_rows import mix_rows
from ounce_exporters.training.tuning import Family
from ounce_schemas.card import ModelCard
from ounce_schemas.documents import read_card
from ounce_schemas.errors import ExportError
from ounce_schemas.task import TaskSpec, TensorSpec

from tests.support.exporters.memory import Memory
from tests.support.networks import GraphModel
from tests.support.process.command import Run

NAME, TAUGHT = "small-cnn", "small-cnn-distilled"


@pytest.fixture(scope="module")
def data() -> TaskData:
    """One number whose sign says the class, in one row of ten wrongly; with folds."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 1)).astype(np.float32)
    y = ((x[:, 0] > 0) ^ (rng.random(400) < 0.1)).astype(np.int64)
    spec = TaskSpec(
        name="signs",
        kind="classification",
        description="The sign of a number",
        inputs=(TensorSpec(name="input", datatype="FP32", shape=(1,)),),
        labels=("no", "yes"),
    )
    return with_folds(split_task(spec, "a test", {"input": x}, y, 0), 0)


def model(slope: float) -> FittedModel:
    """Logits of both classes that differ by twice the slope times the number."""
    weights = numpy_helper.from_array(np.array([[-slope, slope]], np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["input", "w"], [UNCALIBRATED])],
        "signs",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 1])],
        [helper.make_tensor_value_info(UNCALIBRATED, TensorProto.FLOAT, ["batch", 2])],
        [weights],
    )
    opsets = [helper.make_opsetid("", OPSET)]
    return GraphModel(helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION))


def recipe(name: str, fit: Callable[[TaskData], FittedModel]) -> Recipe:
    return Recipe(name, "neural", "a network", lambda data, seed, progress: fit(data))


def student(taught: float, alone: float) -> Recipe:
    """A network of one slope with a teacher, and another without."""
    return recipe(NAME, lambda data: model(alone if data.train.soft is None else taught))


class Told(Reporters):
    """Notes what is dropped, what failed, and the shares done."""

    def __init__(self) -> None:
        super().__init__()
        self.reasons: dict[str, str] = {}
        self.errors: list[str] = []
        self.shares: list[float] = []

    def training(self, recipe: Recipe) -> Progress:
        return self.shares.append

    def failed(self, recipe: Recipe, error: ExportError) -> None:
        self.errors.append(f"{recipe.name}: {error}")

    def dropped(self, recipe: Recipe, reason: str) -> None:
        self.reasons[recipe.name] = reason


def built(data: TaskData, folder: Path, *recipes: Recipe) -> tuple[Told, set[str]]:
    told = Told()
    (folder / "signs").mkdir()
    build_ladder(data, with_distilled(recipes), folder, 0, told)
    assert told.errors == []
    return told, {path.name for path in (folder / "signs").iterdir()}


def test_a_student_that_gains_has_a_card_of_its_own(data: TaskData, tmp_path: Path) -> None:
    teacher, poor = recipe("tree", lambda _: model(2.0)), recipe("poor", lambda _: model(-2.0))
    told, names = built(data, tmp_path, poor, student(1.0, -1.0), teacher)
    assert (told.reasons, names) == ({}, {"poor", NAME, "tree", TAUGHT})
    cards = {name: read_card(tmp_path / "signs" / name / "card.json") for name in names}
    assert cards[TAUGHT].algorithm == "a network, distilled from tree"
    assert cards[NAME].algorithm == "a network"
    values = {name: card.validation_accuracy.value for name, card in cards.items()}
    assert values[TAUGHT] == values["tree"] > values[NAME]
    assert cards[TAUGHT].learning_curve == ()


def test_a_student_that_gains_nothing_is_left_out(data: TaskData, tmp_path: Path) -> None:
    told, names = built(data, tmp_path, student(-2.0, -1.0), recipe("tree", lambda _: model(2.0)))
    assert names == {NAME, "tree"}
    share = read_card(tmp_path / "signs" / NAME / "card.json").validation_accuracy.value
    assert told.reasons == {
        TAUGHT: f"{share:.4f} of the validation items, and {NAME} has {share:.4f} without a teacher"
    }


def test_the_most_accurate_network_needs_no_teacher(data: TaskData, tmp_path: Path) -> None:
    told, names = built(data, tmp_path, student(1.0, 1.0), recipe("tree", lambda _: model(-1.0)))
    assert names == {NAME, "tree"}
    assert told.reasons == {TAUGHT: f"no model is more accurate than {NAME}"}


def test_another_form_of_a_model_is_no_teacher(data: TaskData, tmp_path: Path) -> None:
    tree, form = recipe("tree", lambda _: model(1.0)), recipe("tree-fp16", lambda _: model(2.0))
    found, names = built(data, tmp_path, student(1.0, -1.0), tree, replace(form, form_of="tree"))
    assert (found.reasons, names) == ({}, {NAME, "tree", "tree-fp16", TAUGHT})
    card = read_card(tmp_path / "signs" / TAUGHT / "card.json")
    assert card.algorithm == "a network, distilled from tree"


def test_a_network_that_failed_has_no_student(data: TaskData, tmp_path: Path) -> None:
    def fail(_: TaskData) -> FittedModel:
        raise ExportError("it can't")

    told = Told()
    (tmp_path / "signs").mkdir()
    recipes = with_distilled([recipe(NAME, fail), recipe("tree", lambda _: model(1.0))])
    build_ladder(data, recipes, tmp_path, 0, told)
    assert told.errors == [f"{NAME}: it can't"]
    assert told.reasons == {TAUGHT: f"there is no {NAME} to compare it with"}


def numbers(data: TaskData) -> frozenset[float]:
    return frozenset(data.train.inputs["input"][:, 0].tolist())


def test_a_teacher_answers_rows_that_it_has_not_learned_from(data: TaskData) -> None:
    teacher = recipe("memory", lambda data: Memory(numbers(data)))
    answers = unseen_answers(teacher, data, 0, lambda share: None)
    assert answers.shape == (len(data.train), 2)
    assert (answers[:, 0] > answers[:, 1]).all()


def test_no_row_that_judges_a_student_has_taught_its_teacher(
    data: TaskData, tmp_path: Path
) -> None:
    seen: list[frozenset[float]] = []
    lessons: list[tuple[frozenset[float], frozenset[float]]] = []

    def teach(data: TaskData) -> FittedModel:
        seen.append(numbers(data))
        return model(2.0)

    def learn(data: TaskData) -> FittedModel:
        if data.train.soft is None:
            return model(-1.0)
        lessons.append((numbers(data), frozenset().union(*seen)))
        seen.clear()
        n = len(data.train) // 6  # five mixed rows are behind each
        truth = np.eye(2)[data.train.targets]
        of_teacher = data.train.soft.copy()
        of_teacher[:n] = 2 * of_teacher[:n] - truth[:n]  # what is learned is the mean of both
        right = (data.train.inputs["input"][:, 0] > 0).astype(int)
        assert (of_teacher.argmax(axis=1) == right).all()
        assert (of_teacher > 0).all()
        assert (data.train.targets[n:] == right[n:]).all()
        assert (data.train.targets[:n] != right[:n]).any()
        return model(1.0)

    teacher, network = recipe("tree", teach), recipe(NAME, learn)
    cards = build_ladder_cards(data, tmp_path, network, teacher)
    seen.clear()
    made = with_distilled([network, teacher])[-1]
    assert made.given is not None
    lessons.clear()
    told: list[float] = []
    cross_fit(made.given(made, cards), data, 0, told.append)
    assert data.folds is not None
    assert len(lessons) == data.folds.max() + 2
    for rows, of_teacher in lessons:
        assert of_teacher == rows
    everything = numbers(data)
    assert [len(rows) < len(everything) for rows, _ in lessons] == [True] * 4 + [False]


def build_ladder_cards(data: TaskData, folder: Path, *recipes: Recipe) -> list[ModelCard]:
    (folder / "signs").mkdir()
    return list(build_ladder(data, recipes, folder, 0, Reporters()).cards)


def test_mixed_rows_hold_values_of_their_columns() -> None:
    numbers = np.arange(40, dtype=np.float32).reshape(20, 2)
    texts = np.array([[f"t{i}"] for i in range(20)], object)
    mixed = mix_rows({"input": numbers, "texts": texts}, numbers, 0)
    assert mixed["input"].shape == (100, 2)
    assert mixed["input"].dtype == np.float32
    assert set(mixed["input"][:, 0] % 2) == {0}
    assert set(mixed["input"][:, 1] % 2) == {1}
    assert set(mixed["texts"].ravel()) == set(texts.ravel())
    known = {tuple(row) for row in numbers.tolist()}
    n_new = sum(tuple(row) not in known for row in mixed["input"].tolist())
    assert 25 < n_new < 75  # half of the pairs, about
    apart = np.abs(mixed["input"][:, 0] - mixed["input"][:, 1])
    assert apart.max() <= 21  # a neighbour is ten rows away at most
    again = mix_rows({"input": numbers, "texts": texts}, numbers, 0)
    assert (again["input"] == mixed["input"]).all()


def test_a_class_of_too_few_rows_has_no_teacher(data: TaskData) -> None:
    targets = np.zeros(len(data.train), np.int64)
    targets[0] = 1
    few = replace(data, train=replace(data.train, targets=targets))
    units = np.arange(len(targets)) // 50
    with pytest.raises(NotWorthwhileError, match="a class has too few rows"):
        unseen_answers(
            recipe("tree", lambda _: model(1.0)),
            replace(few, units=units),
            0,
            lambda share: None,
        )


@pytest.mark.parametrize(
    ("options", "left_out"),
    [
        (["--only=mlp"], "--only"),
        (["--tune=3", "--time-limit=60"], "--tune, --time-limit"),
        (["--kind=anomaly"], "--kind"),
    ],
)
def test_it_is_for_whole_ladders(train: Run, options: list[str], left_out: str) -> None:
    result = train("--data=t.csv", "--target=y", "--distil", *options)
    assert result.code == 2
    text = "--distil is for whole ladders of classes or quantities: leave out "
    assert f"{text}{left_out}" in result.stderr


def test_it_is_not_for_tasks_that_ship(train: Run) -> None:
    result = train("digits", "--distil")
    assert "--distil: of a table, so --data FILE is needed, too" in result.stderr


def test_the_command_distils(
    train: Run, rooms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = table_recipes.families

    def few(data: TaskData, **options: Any) -> list[Family]:
        names = ("logistic-regression", "linear-svm", "mlp-small")
        return [family for family in whole(data, **options) if family.name in names]

    monkeypatch.setattr(table_recipes, "families", few)
    monkeypatch.setitem(networks.TAUGHT, "most_steps", 200)
    words = [f"--data={rooms}", "--target=busy", f"--models={tmp_path}", "--task=rooms"]
    result = train(*words, "--distil")
    assert result.code == 0, result.stderr
    assert "2 models, 1 other form to try" in result.stdout
    (left_out,) = re.findall(r"^mlp-small-distilled: (left out|accuracy)", result.stdout, re.M)
    made = {path.parent.name for path in (tmp_path / "rooms").glob("*/card.json")}
    kept = {"mlp-small-distilled"} if left_out == "accuracy" else set()
    assert made == {"logistic-regression", "mlp-small"} | kept
    assert train(*words).code == 0
    made = {path.parent.name for path in (tmp_path / "rooms").glob("*/card.json")}
    assert made == {"logistic-regression"}
