"""`plans.json`: what is written over the models of a folder, and what is left out of it."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ounce_exporters.cascades.planning import plan_ladder
from ounce_exporters.export.artifacts import write_task
from ounce_exporters.ladder.building import build_ladder
from ounce_exporters.ladder.recipe import Progress, Recipe, TaskData
from ounce_exporters.progress.reporters import Reporters
from ounce_exporters.tasks.digits import task as digits
from ounce_schemas.documents import read_card, read_plans
from ounce_schemas.errors import ArtifactError

NAMES = ("decision-tree", "logistic-regression")


class Recorder(Reporters):
    """Notes what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.shares: list[float] = []

    def planning(self) -> Progress:
        return self.shares.append

    def left_out(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture(scope="module")
def data() -> TaskData:
    return digits.load(0)


@pytest.fixture(scope="module")
def trained(data: TaskData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two models of digits."""
    models = tmp_path_factory.mktemp("models")
    write_task(models / "digits", data.spec, data.test)
    build_ladder(data, recipes(data, *NAMES), models, 0, Recorder())
    return models


@pytest.fixture
def models(trained: Path, tmp_path: Path) -> Path:
    """A copy to change."""
    return Path(shutil.copytree(trained, tmp_path / "models"))


def recipes(data: TaskData, *names: str) -> list[Recipe]:
    return [recipe for recipe in digits.recipes(data) if recipe.name in names]


def test_what_is_written_is_read_back(data: TaskData, models: Path) -> None:
    reporter = Recorder()
    planned = plan_ladder(data, models, 0, reporter)
    assert read_plans(models / "digits" / "plans.json") == planned.plans
    assert planned.plans.task == "digits"
    assert planned.plans.n_validation == len(data.validation)
    singles = {plan.name: plan for plan in planned.plans.plans if not plan.is_cascade}
    assert set(singles) == set(NAMES)
    for name, plan in singles.items():
        card = read_card(models / "digits" / name / "card.json")
        assert plan.accuracy == card.validation_accuracy
        assert plan.steps[0].sha256 == card.sha256
        assert planned.ms_per_item(plan, 1) == card.latency.batches[0].p50_ms
    assert reporter.lines == []
    assert reporter.shares == sorted(reporter.shares)
    assert reporter.shares[-1] == 1
    assert [path.name for path in (models / "digits").glob(".*")] == []


def test_training_one_model_plans_over_all(data: TaskData, models: Path) -> None:
    build_ladder(data, recipes(data, "random-forest"), models, 0, Recorder())
    plans = plan_ladder(data, models, 0, Recorder()).plans
    assert {p.name for p in plans.plans if not p.is_cascade} == {*NAMES, "random-forest"}


def test_planning_a_new_ladder_raises_no_alarm(
    data: TaskData, models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plan_ladder(data, models, 0, Recorder())
    assert caplog.messages == []


def test_models_that_do_not_fit_are_named_and_left_out(data: TaskData, models: Path) -> None:
    folder = models / "digits"
    build_ladder(data, recipes(data, "random-forest"), models, 0, Recorder())
    card = read_card(folder / "decision-tree" / "card.json")
    other_seed = card.model_copy(update={"seed": 7})
    (folder / "decision-tree" / "card.json").write_text(other_seed.model_dump_json())
    (folder / "random-forest" / "model.onnx").write_bytes(b"no model")
    reporter = Recorder()
    plans = plan_ladder(data, models, 0, reporter).plans
    assert [plan.name for plan in plans.plans] == ["logistic-regression"]
    assert len(reporter.lines) == 2
    assert "random-forest" in reporter.lines[0]
    assert "is not the card's" in reporter.lines[0]
    assert reporter.lines[1] == (
        "decision-tree: made with seed 7, not 0: it may know the validation items"
    )


def test_without_a_model_of_this_data_there_is_no_plan(data: TaskData, models: Path) -> None:
    reporter = Recorder()
    with pytest.raises(ArtifactError, match=r"no model was made from this data with seed 0"):
        plan_ladder(replace(data, sha256="0" * 64), models, 0, reporter)
    assert len(reporter.lines) == 2
    assert not (models / "digits" / "plans.json").exists()


def test_plans_never_see_the_test_split(data: TaskData, models: Path) -> None:
    first = plan_ladder(data, models, 0, Recorder()).plans
    wrong = replace(data.test, targets=np.zeros_like(data.test.targets))
    write_task(models / "digits", data.spec, wrong)
    assert plan_ladder(replace(data, test=wrong), models, 0, Recorder()).plans == first
