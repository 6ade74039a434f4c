"""Anomaly tasks of tables: promised false alarms are kept, with and without labels."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from ounce_exporters.cascades.planning import plan_ladder
from ounce_exporters.export.artifacts import new_ladder
from ounce_exporters.ladder.building import build_ladder
from ounce_exporters.ladder.recipe import TaskData
from ounce_exporters.progress.reporters import Reporters
from ounce_exporters.tasks.table.options import TableOptions, read_measure
from ounce_exporters.tasks.table.recipes import recipes
from ounce_exporters.tasks.table.task import load
from ounce_exporters.train_command.command import command
from ounce_schemas.documents import read_card, read_plans, read_task
from ounce_schemas.errors import DataError

N = 2400


def pumps(strange: NDArray[np.bool_]) -> pd.DataFrame:
    """Two readings that belong together, a gap now and then, and a site; strange ones break it."""
    rng = np.random.default_rng(0)
    n = len(strange)
    flow = rng.normal(size=n)
    pressure = 2.0 * flow + 0.3 * rng.normal(size=n) + np.where(strange, 6.0, 0.0)
    table = pd.DataFrame({"flow": flow, "pressure": pressure, "site": rng.choice(["a", "b"], n)})
    table.loc[rng.random(n) < 0.02, "flow"] = np.nan
    return table


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One row of twenty is strange, in two ways that have names."""
    strange = np.arange(N) % 20 == 0
    table = pumps(strange)
    table["state"] = np.where(strange, np.where(np.arange(N) % 40 == 0, "leak", "wear"), "ok")
    path = tmp_path_factory.mktemp("pumps") / "pumps.csv"
    table.to_csv(path, index=False)
    return path


def loaded(path: Path, target: str | None, **options: Any) -> tuple[TaskData, str]:
    said: list[str] = []
    table = TableOptions(kind="anomaly", **options)
    return load(path, target, "pumps", table, 0, said.append), "\n".join(said)


@pytest.fixture(scope="module")
def trained(labelled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a ladder."""
    data, _ = loaded(labelled, "state", false_alarms=0.02)
    models = tmp_path_factory.mktemp("models")
    with new_ladder(models, data.spec, data.test, keep_models=False) as scratch:
        build_ladder(data, recipes(data), scratch, 0, Reporters())
        plan_ladder(data, scratch, 0, Reporters())
    return models / "pumps"


@pytest.mark.parametrize("model", ["isolation-forest", "mahalanobis", "autoencoder"])
def test_a_card_promises_false_alarms_and_keeps_them(trained: Path, model: str) -> None:
    card = read_card(trained / model / "card.json")
    assert card.calibration.method == "conformal-p-values"
    assert card.calibration.false_alarms == 0.02
    assert card.validation_false_alarms is not None
    assert card.validation_false_alarms.value <= 0.02
    assert card.test_false_alarms is not None
    assert card.test_false_alarms.low <= 0.02
    assert card.overall is not None
    assert (card.overall.roc_auc or 0) > 0.9  # a coin has 0.5
    assert "2.000% of normal items" in (trained / model / "README.md").read_text()


@pytest.mark.parametrize("model", ["mahalanobis", "autoencoder"])
def test_a_correlation_that_breaks_is_found(trained: Path, model: str) -> None:
    card = read_card(trained / model / "card.json")
    assert card.parity.agreement == 1.0
    found = {of.label: of.recall for of in card.classes}
    assert found["anomaly"] > 0.9


def test_no_plan_raises_more_alarms_than_promised(trained: Path) -> None:
    task = read_task(trained / "task.json")
    assert (task.kind, task.labels, task.false_alarms) == ("anomaly", ("normal", "anomaly"), 0.02)
    for plan in read_plans(trained / "plans.json").plans:
        assert plan.false_alarms is not None
        assert plan.false_alarms.value <= 0.02


def test_which_label_is_normal_is_said(labelled: Path) -> None:
    data, said = loaded(labelled, "state")
    assert data.spec.false_alarms == 0.01
    assert "'ok' of 'state' is normal; 120 rows of" in said
    assert data.train.targets.sum() == 60


def test_without_a_target_all_rows_are_normal(labelled: Path) -> None:
    data, said = loaded(labelled, None, without=frozenset({"state"}))
    assert "all rows are taken for normal" in said
    assert not data.train.targets.any()
    assert {name for t in data.spec.inputs for name in t.columns or ()} == {
        "flow", "pressure", "site"}  # fmt: skip


def test_a_rate_that_the_rows_cannot_show_is_refused(labelled: Path) -> None:
    with pytest.raises(DataError, match=r"--false-alarms 0.001 needs 999; give more rows, or a"):
        loaded(labelled, "state", false_alarms=0.001)


@pytest.mark.parametrize("n", [372, 376, 390])
def test_the_rate_that_is_proposed_is_taken(n: int, labelled: Path, tmp_path: Path) -> None:
    few = tmp_path / "few.csv"
    table = pd.read_csv(labelled)
    pd.concat([table[table["state"] == "ok"][:n], table[table["state"] != "ok"]]).to_csv(few)
    with pytest.raises(DataError, match="or a rate of ") as refused:
        loaded(few, "state", false_alarms=0.001)
    rate = float(str(refused.value).split("or a rate of ")[1].split()[0])
    assert loaded(few, "state", false_alarms=rate)[0].spec.false_alarms == rate
    with pytest.raises(DataError, match="or a rate of "):
        loaded(few, "state", false_alarms=0.98 * rate)


def test_too_few_anomalies_to_judge_by_are_refused(labelled: Path, tmp_path: Path) -> None:
    table = pd.read_csv(labelled).query("state == 'ok'")
    table.iloc[:3, -1] = "leak"
    table.to_csv(tmp_path / "few.csv", index=False)
    with pytest.raises(DataError, match="3 rows that are not 'ok': at least 8 are needed"):
        loaded(tmp_path / "few.csv", "state")


def test_one_label_is_refused(labelled: Path, tmp_path: Path) -> None:
    pd.read_csv(labelled).query("state == 'ok'").to_csv(tmp_path / "one.csv", index=False)
    with pytest.raises(DataError, match=r"'state' has 1 value.*leave out --target"):
        loaded(tmp_path / "one.csv", "state")


def test_a_recall_is_refused_as_the_flag_keeps_the_rate(labelled: Path) -> None:
    with pytest.raises(DataError, match="give accuracy or balanced-accuracy"):
        loaded(labelled, "state", measure=read_measure("recall:anomaly@0.01"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--kind=anomaly", "--tune=2"], "--tune needs labels to search by"),
        ([], "--data needs --target COLUMN, or --kind anomaly"),
        (["--target=state", "--false-alarms=0.1"], "--false-alarms is for --kind anomaly"),
    ],
)
def test_options_that_do_not_go_together(labelled: Path, options: list[str], said: str) -> None:
    result = CliRunner().invoke(command, [f"--data={labelled}", *options])
    assert result.exit_code != 0
    assert said in result.output + str(result.exception)
