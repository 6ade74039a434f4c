"""A short run of the trial of generated pipelines, and that it finds what it looks for."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from ounce_exporters.ladder.recipe import FittedModel, Inputs

from trials.pipelines import comparison
from trials.pipelines.__main__ import main
from trials.pipelines.tables import generate

FEW = ["--only", "decision-tree", "--only", "gradient-boosting"]


@pytest.fixture(autouse=True)
def _apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # results are written to a folder of the working directory


def test_generated_tables_are_hard_and_come_again() -> None:
    tables = [generate(np.random.default_rng(seed)).frame for seed in range(40)]
    again = generate(np.random.default_rng(7)).frame
    assert again.equals(tables[7])
    numbers = np.concatenate([table.select_dtypes("number").to_numpy().ravel() for table in tables])
    assert np.isnan(numbers).any()
    assert np.nanmax(np.abs(numbers)) > 1e36
    assert (np.abs(numbers[numbers != 0]) < 1e-38).any()
    assert any(table["target"].eq("one row of it").sum() == 1 for table in tables)
    assert any("again" in table and table["again"].equals(table["c0"]) for table in tables)


def test_eight_pipelines() -> None:
    result = CliRunner().invoke(main, ["--cases=8", *FEW])
    assert result.exit_code == 0, result.output
    [line] = [line for line in result.output.splitlines() if line.startswith("**all**")]
    name, pipelines, _, rows, not_finite, equal, different = line.split()
    assert (name, pipelines, different) == ("**all**", "8", "0")
    assert int(rows.replace(",", "")) > 500
    assert int(not_finite) > 50
    assert float(equal.rstrip("%")) >= 99.9


def test_a_model_that_answers_otherwise_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def shifted(fitted: FittedModel, rows: Inputs) -> NDArray[np.float32]:
        outputs = fitted.predict(rows)
        outputs[0, 0] += 1e6
        return outputs

    monkeypatch.setattr(comparison, "_predict", shifted)
    result = CliRunner().invoke(main, ["--cases=2", *FEW])
    assert result.exit_code == 1
    assert "instead of" in result.output
