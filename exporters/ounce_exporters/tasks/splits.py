"""Splitting a task's data once, by seed: disjoint, and stratified where there are classes."""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.errors import DataError
from ounce_schemas.task import TaskSpec
from ounce_schemas.wording import counted
from sklearn.model_selection import train_test_split

from ounce_exporters.ladder.recipe import Inputs, Split, TaskData
from ounce_exporters.training.sampling import sample_rows

TRAIN_SHARE = 0.5
VALIDATION_SHARE = 0.25
"""The test split is the rest. Routing relies on validation and the reader on the test. Both are
large: the width of an interval shrinks with the root of their size."""
MOST_JUDGED = 50_000
"""Items of the validation and of the test split. With so many, the interval of an accuracy of 0.9
is 0.0026 to either side. More would narrow none that matters, and teach no model."""
LEAST_ROWS = 40
LEAST_PER_CLASS = 8
"""So that each class has four items to learn from, two to calibrate on and two to be tested by."""


def split_task(
    spec: TaskSpec, source: str, inputs: Inputs, targets: NDArray[Any], seed: int
) -> TaskData:
    """Split all items of a task, about 50% train, 25% validation and 25% test.

    Of very many items more train: `MOST_JUDGED` validate and as many test.

    Args:
        spec: the task.
        source: where the data comes from, for the cards.
        inputs: arrays by name, first axis the items.
        targets: label indices, int64, or values, float32; array of shape (n_items,).
        seed: fixes which item goes where.

    Raises:
        DataError: too few items, in all or of a class, or an item belongs to no class of `spec`.
    """
    check_sizes(spec, targets)
    stratified = spec.classifies and targets.min() < targets.max()
    everything = np.arange(len(targets))
    train, rest = train_test_split(
        everything,
        train_size=TRAIN_SHARE,
        random_state=seed,
        stratify=targets if stratified else None,
    )
    validation, test = train_test_split(
        rest,
        train_size=VALIDATION_SHARE / (1 - TRAIN_SHARE),
        random_state=seed,
        stratify=targets[rest] if stratified else None,
    )
    if len(validation) > MOST_JUDGED:
        judged = [
            part[sample_rows(targets[part], MOST_JUDGED, seed)] for part in (validation, test)
        ]
        validation, test = judged
        train = np.setdiff1d(everything, np.concatenate(judged))

    def take(indices: NDArray[np.int64]) -> Split:
        return Split({name: array[indices] for name, array in inputs.items()}, targets[indices])

    return TaskData(
        spec, source, take(train), take(validation), take(test), digest(inputs, targets)
    )


def check_sizes(spec: TaskSpec, targets: NDArray[Any]) -> None:
    """Refuse data that can't be split three ways.

    Raises:
        DataError: names the count that is too small, and the least that will do.
    """
    if len(targets) < LEAST_ROWS:
        raise DataError(
            f"task {spec.name!r} has {counted(len(targets), 'row')}: at least {LEAST_ROWS} are "
            "needed to train, calibrate and test"
        )
    if spec.kind == "classification":
        counts = np.bincount(targets.astype(np.int64), minlength=len(spec.labels))
        for label, count in zip(spec.labels, counts, strict=True):
            if count < LEAST_PER_CLASS:
                raise DataError(
                    f"class {label!r} of task {spec.name!r} has {counted(count, 'row')}: at least "
                    f"{LEAST_PER_CLASS} are needed; add rows of this class or remove it"
                )


def digest(inputs: Inputs, targets: NDArray[Any]) -> str:
    """SHA-256 of inputs, in order of their names, and targets; hexadecimal."""
    sha = hashlib.sha256()
    for array in [*(inputs[name] for name in sorted(inputs)), targets]:
        sha.update(f"{array.dtype} {array.shape};".encode())
        if array.dtype == object:
            for text in array.ravel():
                data = str(text).encode()
                sha.update(len(data).to_bytes(8, "little") + data)
        else:
            sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()
