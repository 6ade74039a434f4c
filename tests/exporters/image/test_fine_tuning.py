"""A network starts from another one's weights, and is refused where it can't."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from ounce_exporters.command import command
from ounce_exporters.crossfit import select, train
from ounce_exporters.export.artifacts import write_task
from ounce_exporters.ladder import export_model
from ounce_exporters.recipe import TaskData
from ounce_exporters.tasks.table.options import TableOptions
from ounce_exporters.tasks.table.recipes import recipes
from ounce_exporters.tasks.table.task import load
from ounce_exporters.training.fine_tuning import read_start
from ounce_exporters.training.neural import WEIGHTS_FILE
from ounce_schemas.errors import ArtifactError, DataError
from safetensors.numpy import load_file, save_file

from tests.exporters.image.pictures import SIDE, write_folders

NAME = "small-cnn"


def pictures(folder: Path, n: int, side: int = SIDE) -> TaskData:
    write_folders(folder, n)
    options = TableOptions(image=(side, side, None))
    data = load(folder, None, "bars", options, 0, lambda line: None)
    assert data.folds is not None  # one fit of a network does
    return replace(data, train=select(data.train, data.folds < 0), folds=None)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a network that has seen many pictures."""
    data = pictures(tmp_path_factory.mktemp("many") / "bars", 100)
    folder = tmp_path_factory.mktemp("models") / "bars"
    write_task(folder, data.spec, data.test)
    (recipe,) = [recipe for recipe in recipes(data) if recipe.name == NAME]
    export_model(data, recipe, train(recipe, data, 0, lambda share: None), folder, 0)
    return folder / NAME


def test_a_start_is_worth_many_labels(model: Path, tmp_path: Path) -> None:
    data = pictures(tmp_path / "bars", 24)
    few = np.concatenate([np.flatnonzero(data.train.targets == i)[:2] for i in range(3)])
    chosen = np.isin(np.arange(len(data.train)), few)
    data = replace(data, train=select(data.train, chosen))
    told: list[float] = []
    right = {}
    for start in (None, read_start(model)):
        (recipe,) = [r for r in recipes(data, start=start) if r.name == NAME]
        assert ("fine-tuned from bars/small-cnn" in recipe.algorithm) == (start is not None)
        fitted = recipe.fit(data, 0, told.append)
        answers = fitted.predict(data.test.inputs).argmax(axis=1)
        right[start is not None] = float((answers == data.test.targets).mean())
    assert right[True] >= right[False]
    assert right[True] > 0.8
    assert told[-1] == pytest.approx(1.0)


def test_the_command_starts_from_a_model(model: Path, tmp_path: Path) -> None:
    images = write_folders(tmp_path / "other", 16)
    options = [f"--image={SIDE}x{SIDE}", f"--only={NAME}", f"--models={tmp_path}"]
    arguments = [f"--data={images}", f"--from={model}", *options]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    card = (tmp_path / "other" / NAME / "card.json").read_text()
    assert "fine-tuned from bars/small-cnn" in card
    assert (tmp_path / "other" / NAME / WEIGHTS_FILE).is_file()


def test_a_start_that_only_leaves_out_is_refused(model: Path, tmp_path: Path) -> None:
    images = write_folders(tmp_path / "other", 16)
    options = [f"--image={SIDE}x{SIDE}", "--only=logistic-regression", f"--models={tmp_path}"]
    result = CliRunner().invoke(command, [f"--data={images}", f"--from={model}", *options])
    assert result.exit_code == 2
    assert "--from starts small-cnn, which --only leaves out" in result.output


def test_another_architecture_is_refused(model: Path, tmp_path: Path) -> None:
    weights = load_file(model / WEIGHTS_FILE)
    assert "network.0.weight" in weights
    other = tmp_path / NAME
    other.mkdir()
    (other / "card.json").write_text((model / "card.json").read_text())
    save_file({**weights, "network.0.weight": np.zeros((9, 1, 3, 3), np.float32)},
              other / WEIGHTS_FILE)  # fmt: skip
    data = pictures(tmp_path / "same", 16)
    (recipe,) = [r for r in recipes(data, start=read_start(other)) if r.name == NAME]
    with pytest.raises(DataError, match=r"'network.0.weight' is \[9, 1, 3, 3\] there and \[8, 1"):
        recipe.fit(data, 0, lambda share: None)


def test_a_model_without_weights_and_another_network_are_refused(
    model: Path, tmp_path: Path
) -> None:
    data = pictures(tmp_path / "bars", 16)
    start = read_start(model)
    named = replace(start, card=start.card.model_copy(update={"model": "byte-cnn"}))
    with pytest.raises(DataError, match="this task has no such network; it has small-cnn, cnn"):
        recipes(data, start=named)
    table = replace(data, spec=data.spec.model_copy(update={"inputs": (
        data.spec.inputs[0].model_copy(update={"datatype": "FP32"}),)}))  # fmt: skip
    with pytest.raises(DataError, match="--from is for images and sequences"):
        recipes(table, start=start)
    (tmp_path / "card.json").write_text((model / "card.json").read_text())
    with pytest.raises(ArtifactError, match="only networks of images, of sequences and"):
        read_start(tmp_path)
    (tmp_path / WEIGHTS_FILE).write_bytes(b"no weights")
    with pytest.raises(ArtifactError, match="can't be read"):
        read_start(tmp_path)
