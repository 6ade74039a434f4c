"""The items that a ladder was judged by, as they stand beside it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
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

from ounce_exporters.export.artifacts import (
    CLUSTERS,
    GROUPED_BY,
    GROUPS,
    VALIDATION_SPLIT_FILE,
    read_cards,
)
from ounce_exporters.ladder.recipe import Groups, Split, TaskData


@dataclass(frozen=True)
class Rows:
    """Rows of a person's file."""

    path: Path
    target: str
    """Its column that is predicted."""
    by: str | None = None
    """Column by which figures are told apart; None: as those of the ladder are."""


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
    path = folder / VALIDATION_SPLIT_FILE
    test = folder / TEST_SPLIT_FILE
    arrays = _read_arrays(path)
    column = arrays.pop(GROUPED_BY, None)
    names = arrays.pop(GROUPS, None)
    clusters = arrays.pop(CLUSTERS, None)
    validation = _as_split(path, arrays, task)
    data = TaskData(
        spec=task,
        source=origin.training.source,
        train=no_items(validation),
        validation=validation,
        test=_as_split(test, _read_arrays(test), task),
        sha256=origin.training.sha256,
        clusters=clusters,
        groups=None if column is None or names is None else Groups(str(column[0]), names),
    )
    return Judges(data, origin.seed, cards)


def no_items(split: Split) -> Split:
    """An empty split of the same inputs."""
    return Split({name: array[:0] for name, array in split.inputs.items()}, split.targets[:0])


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a split's file.

    Raises:
        ArtifactError: the file is absent or damaged.
    """
    if not path.is_file():
        raise ArtifactError(
            f"{path} is absent, so no model can be judged by the same items: train the ladder anew"
        )
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {
                name: array.astype(object) if array.dtype.kind == "U" else array
                for name, array in arrays.items()
            }
    except (OSError, ValueError, EOFError, BadZipFile) as e:
        raise ArtifactError(f"{path}: can't be read: {e}; train the ladder anew") from e


def _as_split(path: Path, arrays: dict[str, NDArray[Any]], task: TaskSpec) -> Split:
    """The items of a split.

    Raises:
        ArtifactError: the arrays are of another task.
    """
    try:
        targets = arrays["targets"]
        inputs = {
            tensor.name: arrays[tensor.name].reshape(len(targets), *tensor.shape)
            for tensor in task.inputs
        }
    except (ValueError, KeyError) as e:
        raise ArtifactError(f"{path}: can't be read: {e}; train the ladder anew") from e
    return Split(inputs, targets)
