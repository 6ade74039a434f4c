"""Every light network learns what it is given in place of the targets."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ounce_exporters.ladder.recipe import TaskData
from ounce_exporters.tasks.sequence import models
from ounce_exporters.tasks.table import networks
from ounce_exporters.tasks.table.options import TableOptions
from ounce_exporters.tasks.table.recipes import recipes
from ounce_exporters.tasks.table.task import load
from ounce_exporters.training.distillation import STUDENTS

from tests.exporters.tasks.image.pictures import write_folders
from tests.exporters.tasks.sequence.waves import write_ts
from tests.exporters.tasks.table.test_families import table
from tests.exporters.tasks.table.test_sentences import messages


def read(path: Path, target: str | None = None) -> TaskData:
    return load(path, target, "t", TableOptions(), 0, lambda line: None)


def rows(folder: Path) -> TaskData:
    return table(2)


def texts(folder: Path) -> TaskData:
    messages(240).to_csv(folder / "t.csv", index=False)
    return read(folder / "t.csv", "kind")


def images(folder: Path) -> TaskData:
    return read(write_folders(folder / "t", 40))


def sequences(folder: Path) -> TaskData:
    return read(write_ts(folder / "t.ts", 120))


@pytest.mark.parametrize(
    ("make", "name"), list(zip([rows, images, texts, sequences], STUDENTS, strict=True))
)
@pytest.mark.parametrize("balanced", [False, True])
def test_classes_are_learned_as_probabilities(
    make: Callable[[Path], TaskData],
    name: str,
    balanced: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(models, "_LEAST_STEPS", 300)
    data = make(tmp_path)
    n = len(data.spec.labels)
    others = np.roll(np.eye(n, dtype=np.float32), 1, axis=1)[data.train.targets]
    soft = 0.8 * others + 0.2 / n  # what is learned is that each row is of the next class
    (recipe,) = [r for r in recipes(data, balanced=balanced) if r.name == name]
    taught = replace(data, train=replace(data.train, soft=soft))
    answers = recipe.fit(taught, 0, lambda share: None).predict(data.test.inputs)
    wanted = (data.test.targets + 1) % n
    assert (answers.argmax(axis=1) == wanted).mean() > 0.75
    powers = np.exp(answers - answers.max(axis=1, keepdims=True))
    sure = (powers / powers.sum(axis=1, keepdims=True)).max(axis=1)
    assert np.median(sure) < 0.97  # as unsure as what was learned


def test_a_quantity_is_learned_as_values() -> None:
    data = table(0)
    (recipe,) = [r for r in recipes(data) if r.name == "mlp-small"]
    taught = replace(data, train=replace(data.train, soft=1000 - data.train.targets))
    answers = recipe.fit(taught, 0, lambda share: None).predict(data.test.inputs)[:, 0]
    errors = answers - (1000 - data.test.targets)
    assert np.abs(errors).mean() < 0.7 * np.abs(data.test.targets - data.test.targets.mean()).mean()


def test_probabilities_that_are_certain_teach_what_labels_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(networks, "TAUGHT", {})  # they learn as long
    data = table(3)
    (recipe,) = [r for r in recipes(data) if r.name == "mlp-small"]
    certain = np.eye(3, dtype=np.float32)[data.train.targets]
    taught = replace(data, train=replace(data.train, soft=certain))
    answers = [
        recipe.fit(items, 0, lambda share: None).predict(data.test.inputs)
        for items in (data, taught)
    ]
    assert np.abs(answers[0] - answers[1]).mean() < 0.02
