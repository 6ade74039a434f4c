"""Writing to the models folder so that a reader never sees half of anything.

::

    <models>/<task>/task.json, test-split.npz, plans.json
    <models>/<task>/<model>/model.onnx, card.json, README.md

Names that start with a dot are unfinished and not to be read.
"""

import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from ounce_schemas.documents import (
    CARD_FILE,
    PLANS_FILE,
    TASK_FILE,
    TEST_SPLIT_FILE,
    read_task,
)
from ounce_schemas.errors import ArtifactError, DataError
from ounce_schemas.plans import LadderPlans
from ounce_schemas.task import TaskSpec

from ounce_exporters.recipe import Split


def write_task(folder: Path, task: TaskSpec, test: Split, *, keep_models: bool) -> None:
    """Write `task.json` and `test-split.npz`.

    Models of another signature than `task` are removed first: they could never serve it. So is
    `plans.json`: models are about to change, and plans of others must not outlive them.

    Raises:
        DataError: `keep_models` is set and the folder holds models of another signature.
        ArtifactError: the folder can't be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not _same_task(folder / TASK_FILE, task):
            others = models_of(folder)
            if others and keep_models:
                raise DataError(
                    f"{folder} holds models of another signature ({', '.join(others)}): "
                    "retrain the whole ladder, without --only"
                )
            (folder / PLANS_FILE).unlink(missing_ok=True)
            remove_models(folder, others)
        (folder / PLANS_FILE).unlink(missing_ok=True)
        write_file(
            folder / TEST_SPLIT_FILE,
            lambda path: _write_arrays(path, {**test.inputs, "targets": test.targets}),
        )
        text = task.model_dump_json(indent=2, exclude_none=True) + "\n"
        write_file(folder / TASK_FILE, lambda path: path.write_text(text, encoding="utf-8"))
    except OSError as e:
        raise ArtifactError(f"{folder}: can't be written: {e.strerror or e}") from e


def write_plans(folder: Path, plans: LadderPlans) -> None:
    """Write `plans.json` beside `task.json`.

    Raises:
        ArtifactError: the folder can't be written.
    """
    text = plans.model_dump_json(indent=2, exclude_none=True) + "\n"
    try:
        write_file(folder / PLANS_FILE, lambda path: path.write_text(text, encoding="utf-8"))
    except OSError as e:
        raise ArtifactError(f"{folder}: can't be written: {e.strerror or e}") from e


def models_of(folder: Path) -> list[str]:
    """Names of the models that a task's folder holds."""
    return sorted(path.parent.name for path in folder.glob(f"[!.]*/{CARD_FILE}"))


def remove_models(folder: Path, names: Collection[str]) -> None:
    """Delete models by name."""
    for name in names:
        shutil.rmtree(folder / name)


@contextmanager
def fresh_folder(folder: Path) -> Iterator[Path]:
    """A scratch folder that takes the place of `folder` at the end, or vanishes on an error.

    Raises:
        ArtifactError: the folder can't be written.
    """
    try:
        with tempfile.TemporaryDirectory(prefix=".new-", dir=folder.parent) as scratch:
            fresh, old = Path(scratch) / "new", Path(scratch) / "old"
            fresh.mkdir()
            yield fresh
            if folder.exists():
                folder.rename(old)
            fresh.rename(folder)
    except OSError as e:
        raise ArtifactError(f"{folder}: can't be written: {e.strerror or e}") from e


def write_file(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file under a hidden name, then put it in place in one step."""
    scratch = path.with_name(f".new-{path.name}")
    write(scratch)
    scratch.replace(path)


def _same_task(path: Path, task: TaskSpec) -> bool:
    try:
        return read_task(path) == task
    except ArtifactError:
        return False  # absent or of an older format


def _write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    # Text as fixed-width unicode, so that the file loads with allow_pickle=False.
    plain = {
        name: array.astype(np.str_) if array.dtype == object else array
        for name, array in arrays.items()
    }
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **plain)
