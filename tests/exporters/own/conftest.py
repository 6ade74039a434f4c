"""A ladder of two light models that own models join."""

import shutil
from pathlib import Path

import pytest
from ounce_exporters.cascades.planning import plan_ladder
from ounce_exporters.export.artifacts import new_ladder
from ounce_exporters.ladder.building import build_ladder
from ounce_exporters.progress.reporters import Reporters
from ounce_exporters.tasks.table.options import TableOptions
from ounce_exporters.tasks.table.recipes import recipes
from ounce_exporters.tasks.table.task import load

from tests.exporters.own.foreign import rooms

LIGHT = {"decision-tree", "logistic-regression", "ridge"}


@pytest.fixture(scope="session")
def own_ladders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with the classification `rooms` and the regression `watts`."""
    folder = tmp_path_factory.mktemp("own")
    for task, target, other in (("rooms", "busy", "watts"), ("watts", "watts", "busy")):
        table = folder / f"{task}.csv"
        rooms().drop(columns=other).to_csv(table, index=False)
        data = load(table, target, task, TableOptions(), 0, lambda line: None)
        chosen = [recipe for recipe in recipes(data) if recipe.name in LIGHT]
        with new_ladder(folder / "models", data.spec, data.test, keep_models=False) as scratch:
            build_ladder(data, chosen, scratch, 0, Reporters())
            plan_ladder(data, scratch, 0, Reporters())
    return folder


@pytest.fixture
def models(own_ladders: Path, tmp_path: Path) -> Path:
    """A copy to change."""
    return Path(shutil.copytree(own_ladders / "models", tmp_path / "models"))
