"""`ounce train --keep-lighter`: of tasks that ship and of tables, but no short ladder."""

from pathlib import Path

import click
import numpy as np
import onnx
import pandas as pd
import pytest
from click.testing import CliRunner
from ounce_exporters.train_command.command import command
from ounce_schemas.documents import read_card

from tests.support.process.command import Run


@pytest.mark.parametrize("words", [["digits", "--quick"], ["digits", "--time-limit", "9"]])
def test_keeping_lighter_forms_needs_a_whole_ladder(words: list[str]) -> None:
    with CliRunner().isolation():
        context = command.make_context("train", [*words, "--keep-lighter"])
        with pytest.raises(click.UsageError, match="--keep-lighter is for whole ladders"):
            command.invoke(context)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Numbers with gaps, about a hundred thousand, and a class."""
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"pascal": 101_325 + 400 * rng.normal(size=160), "light": rng.random(160)})
    rows["state"] = np.where(rows["pascal"] > 101_325, "high", "low")
    rows.loc[::10, "light"] = np.nan
    path = tmp_path_factory.mktemp("tables") / "air.csv"
    rows.round(3).to_csv(path, index=False)
    return path


def test_models_of_a_table_have_forms_where_they_are_asked_for(
    train: Run, table: Path, tmp_path: Path
) -> None:
    only = ["--only", "decision-tree", "--only", "mlp-small"]
    result = train("--data", table, "--target", "state", "--models", tmp_path, *only,
                   "--keep-lighter")  # fmt: skip
    assert result.code == 0, result.stderr
    assert "2 models, 6 other forms to try" in result.stdout
    assert "mlp-small-int8: left out: it has no convolution" in result.stdout
    cards = {path.parent.name: read_card(path) for path in tmp_path.glob("air/*/card.json")}
    forms = {"decision-tree-tensors", "mlp-small-fp16", "mlp-small-int8-dynamic"}
    assert cards.keys() == {"decision-tree", "mlp-small", *forms}
    assert all(card.training.n_folds == 4 for card in cards.values())
    assert all(cards[name].validation_accuracy.n == 120 for name in forms)
    assert cards["mlp-small-fp16"].parity.agreement > 0.97
    tree = onnx.load(tmp_path / "air" / "decision-tree-tensors" / "model.onnx")
    assert {node.domain for node in tree.graph.node} == {""}


def test_models_of_a_table_have_no_forms_otherwise(train: Run, table: Path, tmp_path: Path) -> None:
    result = train("--data", table, "--target", "state", "--models", tmp_path,
                   "--only", "decision-tree")  # fmt: skip
    assert result.code == 0, result.stderr
    assert [path.parent.name for path in tmp_path.glob("air/*/card.json")] == ["decision-tree"]


def test_what_a_search_finds_has_forms_where_they_are_asked_for(
    train: Run, table: Path, tmp_path: Path
) -> None:
    result = train("--data", table, "--target", "state", "--models", tmp_path,
                   "--tune", "1", "--only", "decision-tree", "--keep-lighter")  # fmt: skip
    assert result.code == 0, result.stderr
    assert "1 model, 1 other form to try" in result.stdout
    names = {path.parent.name for path in tmp_path.glob("air/*/card.json")}
    assert len(names) == 2
    assert min(names, key=len) + "-tensors" in names
