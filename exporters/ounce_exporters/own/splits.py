"""The items that a ladder was judged by, as they stand beside it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ounce_schemas.card import ModelCard
from ounce_schemas.documents import (
    PLANS_FILE,
    TASK_FILE,
    TEST_SPLIT_FILE,
    read_plans,
    read_task,
)
from ounce_schemas.errors import ArtifactError
from ounce_schemas.task import TaskSpec

from ounce_exporters.export.artifacts import VALIDATION_SPLIT_FILE, read_cards
from ounce_exporters.recipe import Split, TaskData


@dataclass(frozen=True)
class Judges:
    """A ladder's data without the training items, which are not kept."""

    data: TaskData
    seed: int
    """Of the ladder."""
    cards: tuple[ModelCard, ...]
    """Of every model that is there."""
    are_new: bool = False
    """Whether the models that are there were judged by other items."""


def read_judges(folder: Path) -> Judges:
    """Read what a ladder was judged by.

    Args:
        folder: `models/<task>`.

    Raises:
        ArtifactError: there is no ladder, or it keeps no validation items.
    """
    task = read_task(folder / TASK_FILE)
    plans = read_plans(folder / PLANS_FILE)
    cards = tuple(read_cards(folder))
    planned = {step.sha256 for plan in plans.plans for step in plan.steps}
    origin = next((card for card in cards if card.sha256 in planned), None)
    if origin is None:
        raise ArtifactError(f"{folder}: {PLANS_FILE} was made with none of the models there")
    validation = read_split(folder / VALIDATION_SPLIT_FILE, task)
    data = TaskData(
        spec=task,
        source=origin.training.source,
        train=no_items(validation),
        validation=validation,
        test=read_split(folder / TEST_SPLIT_FILE, task),
        sha256=origin.training.sha256,
    )
    return Judges(data, origin.seed, cards)


def no_items(split: Split) -> Split:
    """An empty split of the same inputs."""
    return Split({name: array[:0] for name, array in split.inputs.items()}, split.targets[:0])


def read_split(path: Path, task: TaskSpec) -> Split:
    """Read the items of a split.

    Raises:
        ArtifactError: the file is absent, damaged or of another task.
    """
    if not path.is_file():
        raise ArtifactError(
            f"{path} is absent, so no model can be judged by the same items: train the ladder anew"
        )
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found: dict[str, Any] = {name: arrays[name] for name in arrays.files}
        targets = found.pop("targets")
        inputs = {
            tensor.name: found[tensor.name].reshape(len(targets), *tensor.shape)
            for tensor in task.inputs
        }
    except (OSError, ValueError, KeyError, EOFError) as e:
        raise ArtifactError(f"{path}: can't be read: {e}; train the ladder anew") from e
    return Split(
        {
            name: array.astype(object) if array.dtype.kind == "U" else array
            for name, array in inputs.items()
        },
        targets,
    )
