"""Data and recipes of a task made from a user's table."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.errors import DataError
from ounce_schemas.task import TaskSpec, TensorSpec
from ounce_schemas.topics import TASK_NAME_PATTERN

from ounce_exporters.recipe import TaskData
from ounce_exporters.tasks.splits import split_task
from ounce_exporters.tasks.table.columns import (
    choose_columns,
    numbers,
    precision_notices,
    read_target,
    texts,
)
from ounce_exporters.tasks.table.reading import read_table

NUMERIC_INPUT = "input"
CATEGORICAL_INPUT = "categories"
INTERVAL_COVERAGE = 0.9
TOLERANCE_SHARE = 0.1
"""Default tolerance as a share of the interquartile range of the training targets."""


def load(
    path: Path,
    target: str,
    name: str,
    tolerance: float | None,
    seed: int,
    notice: Callable[[str], None],
) -> TaskData:
    """Read a table, make a task of it, and split it by seed.

    Args:
        path: .csv or .parquet.
        target: column to predict.
        name: of the task.
        tolerance: of a regression, in the target's unit; None for the default.
        seed: fixes the splits.
        notice: told one line about everything that is left out or assumed.

    Raises:
        DataError: the table can't be read or learned from.
    """
    if re.match(TASK_NAME_PATTERN, name) is None:
        raise DataError(
            f"task name {name!r}: use lower-case letters, digits and '-', 63 at most (--task NAME)"
        )
    table, notices = read_table(path)
    truth = read_target(table, target)
    if not truth.rows.all():
        notices.append(f"{int((~truth.rows).sum())} rows are left out: their {target!r} is missing")
        table = table[truth.rows]
    columns = choose_columns(table, target)
    for line in (*notices, *columns.notices):
        notice(line)
    if tolerance is not None and truth.labels:
        raise DataError(
            f"--tolerance is for quantities: target {target!r} has the classes "
            f"{', '.join(truth.labels[:5])}"
        )

    specs: list[TensorSpec] = []
    inputs: dict[str, NDArray[Any]] = {}
    if columns.numeric:
        specs.append(_tensor(NUMERIC_INPUT, "FP32", columns.numeric))
        inputs[NUMERIC_INPUT] = numbers(table, columns.numeric)
    if columns.categorical:
        specs.append(_tensor(CATEGORICAL_INPUT, "BYTES", columns.categorical))
        inputs[CATEGORICAL_INPUT] = texts(table, columns.categorical)

    regression = not truth.labels
    if regression:
        for line in precision_notices(f"target {target!r}", table[target]):
            notice(line)
    spec = TaskSpec(
        name=name,
        kind="regression" if regression else "classification",
        description=f"Predicts {target} from {path.name}.",
        inputs=tuple(specs),
        labels=truth.labels,
        tolerance=tolerance or (1.0 if regression else None),
        interval_coverage=INTERVAL_COVERAGE if regression else None,
    )
    data = split_task(spec, path.name, inputs, truth.values, seed)
    if regression and tolerance is None:
        chosen = default_tolerance(data.train.targets)
        notice(
            f"a prediction within ±{chosen:g} of {target!r} counts as acceptable "
            "(change it with --tolerance)"
        )
        data = replace(data, spec=spec.model_copy(update={"tolerance": chosen}))
    return data


def default_tolerance(targets: NDArray[Any]) -> float:
    """A tenth of the interquartile range, or of the standard deviation where that range is 0.

    Rounded to three digits, so that it can be read and repeated.
    """
    values = targets.astype(np.float64)
    low, high = np.percentile(values, [25, 75])
    scale = (high - low) or values.std()
    if scale == 0:
        raise DataError("the target is the same in every training row: there is nothing to learn")
    return float(f"{TOLERANCE_SHARE * scale:.3g}")


def task_name(path: Path) -> str:
    """A task's name from a file's: `Room data.csv` becomes `room-data`."""
    return re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-")[:63]


def _tensor(name: str, datatype: str, columns: tuple[str, ...]) -> TensorSpec:
    return TensorSpec.model_validate(
        {
            "name": name,
            "datatype": datatype,
            "shape": (len(columns),),
            "columns": columns,
            "allow_missing": True,
        }
    )
