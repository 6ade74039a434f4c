"""Splitting a table as it will be met: by chance, by unit, by time, or against another table."""

import warnings
from itertools import permutations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.errors import DataError
from ounce_schemas.task import TaskSpec
from ounce_schemas.wording import counted
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, train_test_split

from ounce_exporters.ladder.recipe import Inputs, Split, TaskData
from ounce_exporters.tasks.splits import LEAST_ROWS, TRAIN_SHARE, digest

Rows = NDArray[np.int64]
_STRETCHES = 20
"""Of later time, half of which validate and half of which test; and of another table."""
_FOLDS = 4
"""Two to train, one to validate, one to test: the shares of a split by chance."""


class Parts(NamedTuple):
    """Rows of each split, none of them in two."""

    train: Rows
    validation: Rows
    test: Rows
    clusters: NDArray[np.int64]
    """Of each row of the table: rows that tell of each other have the same number."""


def split_by_unit(targets: NDArray[Any], units: NDArray[Any], seed: int) -> Parts:
    """Rows to train, validate and test; all rows of a unit are in one of them.

    Args:
        targets: label indices, int64, or values, float32; array of shape (n_rows,).
        units: whose each row is; array of shape (n_rows,).
        seed: fixes which unit goes where.

    Raises:
        DataError: there are fewer than four units.
    """
    clusters = np.unique(units, return_inverse=True)[1]
    n = int(clusters.max()) + 1
    if n < _FOLDS:
        raise DataError(f"--unit: units found: {n}; at least {_FOLDS} are needed to train and test")
    classifies = targets.dtype == np.int64
    folds = (StratifiedGroupKFold if classifies else GroupKFold)(
        _FOLDS, shuffle=True, random_state=seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class of fewer units than folds
        parts = [held_out for _, held_out in folds.split(targets, targets, units)]
    if classifies:  # the two folds with the most classes train
        orders = list(permutations(range(_FOLDS)))
        order = max(
            orders, key=lambda o: len(set(targets[parts[o[0]]]) | set(targets[parts[o[1]]]))
        )
        parts = [parts[i] for i in order]
    return Parts(np.sort(np.concatenate(parts[:2])), parts[2], parts[3], clusters)


def split_by_time(order: Rows) -> Parts:
    """Rows to train, validate and test: the first half trains, stretches of the rest take turns.

    So both figures are of all the later time, not of one quiet day each, and few rows of one stand
    beside rows of the other.

    Args:
        order: rows by time.
    """
    first = int(TRAIN_SHARE * len(order))
    stretches = np.array_split(order[first:], _STRETCHES)
    clusters = np.zeros(len(order), np.int64)
    for number, stretch in enumerate(stretches):
        clusters[stretch] = number
    return Parts(
        order[:first], np.concatenate(stretches[::2]), np.concatenate(stretches[1::2]), clusters
    )


def split_other(n_train: int, targets: NDArray[Any], seed: int) -> Parts:
    """All rows of one table to train; of another, which comes behind it, half validate, half test.

    Neighbours in the other table tell of each other, as readings of one hour do: each twentieth of
    it is a cluster.

    Args:
        n_train: rows of the first table.
        targets: of both tables.
        seed: fixes which row of the second table goes where.
    """
    other = np.arange(n_train, len(targets))
    if len(other) < 2:
        raise DataError("--test: the file has too few rows that can be used")
    counts = np.bincount(targets[other]) if targets.dtype == np.int64 else np.array([2])
    can_stratify = targets.dtype == np.int64 and counts[counts > 0].min() >= 2
    validation, test = train_test_split(
        other,
        train_size=0.5,
        random_state=seed,
        stratify=targets[other] if can_stratify else None,
    )
    clusters = np.zeros(len(targets), np.int64)
    clusters[other] = np.arange(len(other)) * _STRETCHES // len(other)
    return Parts(np.arange(n_train), validation, test, clusters)


def make_data(
    spec: TaskSpec,
    source: str,
    inputs: Inputs,
    targets: NDArray[Any],
    parts: Parts,
) -> tuple[TaskData, list[str]]:
    """A task's data from the rows of each split, and lines about what is left out.

    Classes that no training row has are left out with their rows: no model can learn them.

    Raises:
        DataError: too few rows, in all or in a split, or in training but one class.
    """
    lines = []
    *splits, clusters = parts
    if spec.kind == "classification":
        counts = np.bincount(targets[parts.train], minlength=len(spec.labels))
        for label, n in zip(spec.labels, np.bincount(targets), strict=True):
            if counts[spec.labels.index(label)] == 0:
                lines.append(
                    f"class {label!r} has no training row, but {n} in the other splits: they are "
                    "left out, and no model will ever answer with it"
                )
        present = np.flatnonzero(counts)
        if len(present) < 2:
            raise DataError("all training rows are of one class: give another --seed or split")
        spec = spec.model_copy(update={"labels": tuple(spec.labels[i] for i in present)})
        splits = [rows[np.isin(targets[rows], present)] for rows in splits]
        targets = np.searchsorted(present, targets)
    for name, rows in zip(("training", "validation", "test"), splits, strict=True):
        if len(rows) < LEAST_ROWS // 4:
            raise DataError(
                f"{counted(len(rows), 'row is', 'rows are')} left for the {name} split: "
                f"{LEAST_ROWS // 4} are needed"
            )

    def take(rows: Rows) -> Split:
        return Split({name: array[rows] for name, array in inputs.items()}, targets[rows])

    sha256 = digest(inputs, targets)
    train, validation, test = map(take, splits)
    taught, judged = (clusters[rows] for rows in splits[:2])
    by_unit = len(np.unique(taught)) > 1  # of other splits all rows that train are one cluster
    units = taught if by_unit else None
    data = TaskData(spec, source, train, validation, test, sha256, clusters=judged, units=units)
    return data, lines
