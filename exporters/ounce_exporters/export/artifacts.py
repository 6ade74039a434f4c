"""Writing to the models folder so that a reader never sees half of anything.

::

    <models>/<task>/task.json, test-split.npz, example-request.json
    <models>/<task>/plans.json, validation-split.npz, report.html
    <models>/<task>/<model>/model.onnx, card.json, README.md, validation.npy, weights.safetensors
    <models>/<task>/<model>/explanation.onnx

Names that start with a dot or end in `.new` are unfinished and not to be read.
"""

import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from ounce_schemas.card import ModelCard
from ounce_schemas.documents import (
    CARD_FILE,
    PLANS_FILE,
    TASK_FILE,
    TEST_SPLIT_FILE,
    read_card,
    read_task,
)
from ounce_schemas.errors import ArtifactError, DataError
from ounce_schemas.plans import LadderPlans
from ounce_schemas.task import TaskSpec
from ounce_schemas.whole_file import UNFINISHED, write_whole

from ounce_exporters.export.example import EXAMPLE_FILE, example_request
from ounce_exporters.export.replacement import fresh_folder
from ounce_exporters.ladder.recipe import Split, TaskData

REPORT_FILE = "report.html"
"""Beside `task.json`: the ladder on one page."""
VALIDATION_SPLIT_FILE = "validation-split.npz"
"""Beside `plans.json`, in the layout of the test split: the items that plans rest on, so that a
model that joins later is judged by the same."""
CLUSTERS, GROUPS, GROUPED_BY = "validation.clusters", "validation.groups", "validation.by"
"""Arrays of that file besides: clusters and groups of the items, and the column of the groups."""


@contextmanager
def new_ladder(models: Path, task: TaskSpec, test: Split, *, keep_models: bool) -> Iterator[Path]:
    """A scratch models folder. Its `<task>` replaces `models/<task>` at the end, all at once.

    After an error, or where the process is killed, the ladder that was there is as it was. Files
    that are no part of a ladder move along.

    Args:
        models: the folder of all tasks.
        task: written as `task.json`.
        test: written as `test-split.npz`.
        keep_models: the new ladder starts with the models of the old one.

    Raises:
        DataError: `keep_models` is set and the old models have another signature.
        ArtifactError: the folder can't be written, or another training holds it.
    """
    folder = models / task.name
    kept = models_of(folder)
    if not keep_models:
        kept = []
    elif kept and not _same_task(folder / TASK_FILE, task):
        raise DataError(
            f"{folder} holds models of another signature ({', '.join(kept)}): "
            "retrain the whole ladder, without --only"
        )
    with fresh_folder(folder) as fresh:
        for name in kept:
            shutil.copytree(folder / name, fresh / name)
        for path in _other_files(folder):
            shutil.copy2(path, fresh)
        write_task(fresh, _as_senders_name_it(task, folder / TASK_FILE), test)
        yield fresh.parent


def _as_senders_name_it(task: TaskSpec, before: Path) -> TaskSpec:
    """With what people added to the task that was there: other names of columns and of the id, and
    values for gaps."""
    try:
        old = read_task(before)
    except ArtifactError:
        return task
    added = {
        cell.column: {"aliases": cell.aliases, "missing": cell.missing}
        for spec in old.inputs
        for cell in spec.cells or ()
        if cell.aliases or cell.missing
    }
    inputs = []
    for spec in task.inputs:
        if spec.cells:
            cells = tuple(cell.model_copy(update=added.get(cell.column)) for cell in spec.cells)
            spec = spec.model_copy(update={"cells": cells})
        inputs.append(spec)
    return task.model_copy(update={"inputs": tuple(inputs), "id_names": old.id_names})


def write_task(folder: Path, task: TaskSpec, test: Split) -> None:
    """Write `task.json`, `test-split.npz` and `example-request.json`.

    Raises:
        ArtifactError: the folder can't be written.
    """
    text = task.model_dump_json(indent=2, exclude_none=True) + "\n"
    arrays = {**test.inputs, "targets": test.targets}
    example = example_request(task, test).body
    try:
        write_whole(folder / TEST_SPLIT_FILE, _zipped(arrays))
        write_whole(folder / EXAMPLE_FILE, f"{example}\n".encode())
        write_whole(folder / TASK_FILE, text.encode())
    except OSError as e:
        raise ArtifactError(f"{folder}: can't be written: {e.strerror or e}") from e


def write_plans(folder: Path, plans: LadderPlans, data: TaskData) -> None:
    """Write `plans.json` beside `task.json`, and the validation items that the plans rest on.

    Raises:
        ArtifactError: the folder can't be written.
    """
    text = plans.model_dump_json(indent=2, exclude_none=True) + "\n"
    arrays = {**data.validation.inputs, "targets": data.validation.targets}
    if data.clusters is not None:
        arrays[CLUSTERS] = data.clusters
    if data.groups is not None:
        arrays[GROUPS] = data.groups.names
        arrays[GROUPED_BY] = np.array([data.groups.column])
    try:
        write_whole(folder / VALIDATION_SPLIT_FILE, _zipped(arrays))
        write_whole(folder / PLANS_FILE, text.encode())
    except OSError as e:
        raise ArtifactError(f"{folder}: can't be written: {e.strerror or e}") from e


def models_of(folder: Path) -> list[str]:
    """Names of the models that a task's folder holds."""
    return sorted(path.parent.name for path in folder.glob(f"[!.]*/{CARD_FILE}"))


def read_cards(folder: Path) -> list[ModelCard]:
    """The cards of the models that a task's folder holds.

    Raises:
        ArtifactError: one can't be read.
    """
    return [read_card(folder / name / CARD_FILE) for name in models_of(folder)]


def _other_files(folder: Path) -> list[Path]:
    """What a person has put beside a ladder, such as a policy."""
    if not folder.is_dir():
        return []
    splits = (TEST_SPLIT_FILE, VALIDATION_SPLIT_FILE)
    own = (TASK_FILE, *splits, PLANS_FILE, EXAMPLE_FILE, REPORT_FILE)
    return [
        path
        for path in folder.iterdir()
        if path.is_file() and path.name not in own and path.suffix != UNFINISHED
    ]


def _same_task(path: Path, task: TaskSpec) -> bool:
    try:
        return read_task(path).is_asked_like(task)
    except ArtifactError:
        return False  # absent or of an older format


def _zipped(arrays: dict[str, np.ndarray]) -> bytes:
    # Text as fixed-width unicode, so that the file loads with allow_pickle=False.
    plain = {
        name: array.astype(np.str_) if array.dtype == object else array
        for name, array in arrays.items()
    }
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **plain)
    return file.getvalue()
