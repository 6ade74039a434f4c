"""Promises of a table's ladder on recall, F1 and balanced accuracy."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ounce_edge.models.catalogue import load_ladder
from ounce_edge.models.execution import run_plan
from ounce_edge.models.first_beliefs import card_belief
from ounce_edge.models.planning import make_plans
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_exporters.cascades.planning import PlannedLadder, plan_ladder
from ounce_exporters.evaluation.figures import estimate_accuracy
from ounce_exporters.evaluation.promises import false_alarms
from ounce_exporters.export.artifacts import new_ladder
from ounce_exporters.ladder.building import build_ladder
from ounce_exporters.ladder.recipe import TaskData
from ounce_exporters.progress.reporters import Reporters
from ounce_exporters.tasks.table.options import TableOptions, read_measure
from ounce_exporters.tasks.table.recipes import recipes
from ounce_exporters.tasks.table.task import load
from ounce_schemas.documents import read_card, read_plans, read_task
from ounce_schemas.errors import ArtifactError, DataError
from ounce_schemas.measure import Measure
from ounce_schemas.policy import Policy

N = 6000
RARE = 0.015


@pytest.fixture(scope="module")
def payments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Payments of which 1.5% are fraud; half of it is plain to see."""
    rng = np.random.default_rng(0)
    fraud = rng.random(N) < RARE
    far = fraud & (rng.random(N) < 0.5)
    table = pd.DataFrame(
        {
            "amount": rng.normal(size=N) + 2.0 * fraud + 4.0 * far,
            "age": rng.normal(size=N) - 1.0 * fraud,
            "state": np.where(fraud, "fraud", "fine"),
        }
    )
    path = tmp_path_factory.mktemp("payments") / "payments.csv"
    table.to_csv(path, index=False)
    return path


def loaded(path: Path, measure: str, **options: Any) -> tuple[TaskData, list[str]]:
    said: list[str] = []
    table = TableOptions(measure=read_measure(measure), **options)
    return load(path, "state", "payments", table, 0, said.append), said


def trained(data: TaskData, models: Path) -> PlannedLadder:
    chosen = [r for r in recipes(data) if r.name in ("logistic-regression", "decision-tree")]
    with new_ladder(models, data.spec, data.test, keep_models=False) as scratch:
        build_ladder(data, chosen, scratch, 0, Reporters())
        return plan_ladder(data, scratch, 0, Reporters())


@pytest.mark.parametrize("measure", ["recall:fraud@0.01", "f1:fraud", "balanced-accuracy"])
def test_what_is_promised_by_a_measure_is_seen_on_new_rows(
    payments: Path, tmp_path: Path, measure: str
) -> None:
    data, _ = loaded(payments, measure)
    planned = trained(data, tmp_path)
    folder = tmp_path / "payments"
    asked = read_measure(measure)
    assert read_task(folder / "task.json").measure == asked
    assert read_plans(folder / "plans.json").measure == asked
    card = read_card(folder / "logistic-regression" / "card.json")
    assert card.measure == asked
    assert len(card.calibration.biases) == 2
    assert str(asked) in (folder / "logistic-regression" / "README.md").read_text()
    served = load_ladder(tmp_path, "payments", OnnxCpuRuntime())
    plans, models = make_plans(
        served, Policy().for_task("payments"), lambda model: card_belief(model.card)
    )
    test = data.test
    for i, plan in enumerate(plans.plans):
        promised = next(p for p in planned.plans.plans if p.name == plan.name)
        assert (plans.accuracy.low[i], plans.accuracy.value[i]) == pytest.approx(
            (promised.accuracy.low, promised.accuracy.value)
        )
        answers = run_plan(plan.steps, models, plans.models, test.inputs, None).result
        seen = estimate_accuracy(data.spec, answers, test.targets)
        assert promised.accuracy.low <= seen.high, plan.name
        assert 0.2 < promised.accuracy.low < 0.95, plan.name  # not the 0.985 of a constant guess
        alarms = false_alarms(data.spec, answers.argmax(axis=1), test.targets)
        if asked.kind == "recall":
            assert promised.false_alarms is not None
            assert alarms is not None
            assert promised.false_alarms.value <= 0.01
            assert alarms.low <= 0.01
        else:
            assert promised.false_alarms is alarms is None


def test_a_card_of_another_measure_is_refused(payments: Path, tmp_path: Path) -> None:
    data, _ = loaded(payments, "accuracy")
    trained(data, tmp_path)
    path = tmp_path / "payments" / "task.json"
    other = read_task(path).model_copy(update={"measure": Measure(kind="f1", label="fraud")})
    path.write_text(other.model_dump_json(exclude_none=True))
    with pytest.raises(ArtifactError, match="promises accuracy, the task's measure is F1 of 'fra"):
        load_ladder(tmp_path, "payments", OnnxCpuRuntime())


def notice_of(said: Sequence[str], part: str) -> str:
    (line,) = [line for line in said if part in line]
    return line


def test_accuracy_of_a_rare_class_comes_with_a_notice(payments: Path) -> None:
    _, said = loaded(payments, "accuracy")
    line = notice_of(said, "accuracy says little")
    assert "'fine': a constant guess is as accurate" in line
    assert "--measure 'recall:fraud@0.01'" in line
    _, said = loaded(payments, "recall:fraud@0.01")
    assert not [line for line in said if "accuracy says little" in line]


def test_too_few_rows_to_promise_by_are_told(payments: Path) -> None:
    _, said = loaded(payments, "recall:fraud@0.0001")
    assert "29956 are needed" in notice_of(said, "too few to show")
    assert "rows of class 'fraud' for validation" in notice_of(said, "for validation: of so few")


@pytest.mark.parametrize(
    "text",
    ["recall", "recall:fraud", "recall:fraud@", "recall:@0.1", "recall:fraud@2", "recall:fraud@no",
     "f1", "f1:", "accuracy:fraud", "balanced-accuracy:x", "precision:fraud", ""],
)  # fmt: skip
def test_what_is_no_measure_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="give accuracy, balanced-accuracy, recall:CLASS@RATE"):
        read_measure(text)


def test_a_class_may_have_any_name() -> None:
    assert read_measure("recall:a:b@c@0.05") == Measure(
        kind="recall", label="a:b@c", false_alarms=0.05
    )
    assert read_measure("f1:x@0.1") == Measure(kind="f1", label="x@0.1")


def test_a_measure_of_no_class_of_the_target_is_refused(payments: Path) -> None:
    with pytest.raises(DataError, match=r"'froud' is no class of the target: it has 'fine', 'fr"):
        loaded(payments, "f1:froud")


def test_a_quantity_has_no_recall(payments: Path) -> None:
    table = TableOptions(measure=read_measure("f1:fraud"))
    with pytest.raises(DataError, match="--measure f1 is for classes"):
        load(payments, "amount", "payments", table, 0, lambda line: None)


def test_a_class_without_rows_to_validate_with_is_refused(payments: Path, tmp_path: Path) -> None:
    other = pd.read_csv(payments).query("state == 'fine'")
    other.to_csv(tmp_path / "other.csv", index=False)
    with pytest.raises(DataError, match="no row of class 'fraud' is left to validate with"):
        loaded(payments, "f1:fraud", test=tmp_path / "other.csv")
