"""A network starts from another one's weights, and is refused where it can't."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from ounce_exporters.export.artifacts import write_task
from ounce_exporters.ladder.building import export_model
from ounce_exporters.ladder.recipe import TaskData
from ounce_exporters.tasks.table.options import TableOptions
from ounce_exporters.tasks.table.recipes import recipes
from ounce_exporters.tasks.table.task import load
from ounce_exporters.train_command.command import command
from ounce_exporters.training.crossfit import select, train
from ounce_exporters.training.fine_tuning import read_start
from ounce_exporters.training.neural import WEIGHTS_FILE
from ounce_schemas.errors import ArtifactError, DataError
from safetensors.numpy import load_file, save_file

from tests.exporters.tasks.image.pictures import SIDE, write_folders
from tests.support.process.command import Run

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
    with pytest.raises(DataError, match=r"'network.0.weight' is \[9, 1, 3, 3\] there and \[8, 1"):
        recipes(data, start=read_start(other))


def as_model(folder: Path, source: Path, **changes: Any) -> Path:
    """A folder of the same weights, whose card says something else."""
    card = json.loads((source / "card.json").read_text())
    folder.mkdir()
    (folder / "card.json").write_text(json.dumps({**card, **changes}))
    (folder / WEIGHTS_FILE).write_bytes((source / WEIGHTS_FILE).read_bytes())
    return folder


NUMBERS = {"name": "input", "datatype": "FP32", "shape": [64]}
STEPS = {"name": "sequence", "datatype": "FP32", "shape": [9, 2], "channels": ["a", "b"]}


@pytest.mark.parametrize(
    ("changes", "options", "says"),
    [
        ({}, ["--data=no.ts"], "it reads images, and the data is of sequences"),
        (
            {},
            ["--data=no.csv", "--target=y", "--image=12x12x3"],
            "it reads images of 1 channel, and --image 12x12x3 has 3: give --image 12x12x1",
        ),
        (
            {"model": "cnn-9"},
            ["--data=no.csv", "--target=y"],
            "no network of that name is trained here; start from one of small-cnn, cnn",
        ),
        (
            {"inputs": [NUMBERS]},
            ["--data=no.csv", "--target=y"],
            "its network reads 64 numbers, and --from is for those of images and sequences; take "
            "it as it is with --from-onnx ",
        ),
        (
            {"inputs": [STEPS], "model": "gru"},
            ["--data=no.csv", "--target=y"],
            "say with --window N --unit COLUMN",
        ),
        (
            {"inputs": [STEPS], "model": "gru"},
            ["--data=no.csv", "--target=y", "--image=12x12"],
            "it reads sequences, and the data is of images",
        ),
    ],
)
def test_what_can_not_fit_is_refused_before_the_data_is_read(
    model: Path,
    tmp_path: Path,
    train: Run,
    changes: dict[str, Any],
    options: list[str],
    says: str,
) -> None:
    other = as_model(tmp_path / "other", model, **changes)
    result = train(f"--from={other}", *options)  # the data is not there
    assert result.code == 1
    assert result.stderr.startswith(f"ounce: --from bars/{changes.get('model', NAME)}: ")
    assert says in result.stderr.replace("\n", " ")
    assert "Reading" not in result.stdout


def test_other_layers_are_refused_before_any_model_learns(
    model: Path, tmp_path: Path, train: Run
) -> None:
    weights = load_file(model / WEIGHTS_FILE)
    other = as_model(tmp_path / "of-colours", model)
    colours = {**weights, "pixels.mean": np.zeros(3, np.float32)}
    save_file(colours, other / WEIGHTS_FILE)
    images = write_folders(tmp_path / "images", 16)
    result = train(f"--data={images}", f"--from={other}", f"--models={tmp_path}")
    assert result.code == 1
    assert "layer 'pixels.mean' is [3] there and [1] here" in result.stderr.replace("\n", " ")
    assert not (tmp_path / "images" / "task.json").exists()
    assert "logistic-regression" not in result.stdout


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
