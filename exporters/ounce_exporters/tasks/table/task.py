"""Data of a task made from a person's table."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from ounce_schemas.errors import DataError
from ounce_schemas.task import TaskKind, TaskSpec, TensorSpec
from ounce_schemas.wording import counted
from pandas.api.types import is_numeric_dtype

from ounce_exporters.evaluation.groups import group_names
from ounce_exporters.ladder.recipe import Groups, TaskData
from ounce_exporters.tasks.folds import with_folds
from ounce_exporters.tasks.image.folders import as_folder
from ounce_exporters.tasks.image.images import find_images
from ounce_exporters.tasks.sequence.sequences import find_sequences, with_window
from ounce_exporters.tasks.splits import split_task
from ounce_exporters.tasks.table.anomalies import FALSE_ALARMS, check_normal
from ounce_exporters.tasks.table.clusters import agreement, with_clusters
from ounce_exporters.tasks.table.columns import Columns, InputColumn, choose_columns
from ounce_exporters.tasks.table.constants import constants_of
from ounce_exporters.tasks.table.data_checks import check_task_name
from ounce_exporters.tasks.table.dates import in_order, is_dates
from ounce_exporters.tasks.table.known_texts import with_known_texts
from ounce_exporters.tasks.table.measuring import with_measure
from ounce_exporters.tasks.table.options import TableOptions, check_kind
from ounce_exporters.tasks.table.repeats import find_neighbours
from ounce_exporters.tasks.table.rows import TableRows, as_texts, read_rows, read_values
from ounce_exporters.tasks.table.seen_gaps import with_seen_gaps
from ounce_exporters.tasks.table.splitting import (
    Parts,
    make_data,
    split_by_time,
    split_by_unit,
    split_other,
)
from ounce_exporters.tasks.table.suspects import (
    find_causes,
    find_leaks,
    find_marks,
    find_personal,
    find_sum,
)
from ounce_exporters.tasks.table.target import MOST_BOOSTED_CLASSES
from ounce_exporters.tasks.table.tensors import Tensors, make_tensors
from ounce_exporters.tasks.table.tolerance import with_tolerance
from ounce_exporters.tasks.table.workload import why_no_glass_box

INTERVAL_COVERAGE = 0.9
Notice = Callable[[str], None]


def load(
    path: Path, target: str | None, name: str, options: TableOptions, seed: int, notice: Notice
) -> TaskData:
    """Read a table, make a task of it, and split it.

    Args:
        path: the table.
        target: column to predict; None where there is none to learn anomalies without.
        name: of the task.
        options: what is said of the table.
        seed: fixes the splits.
        notice: told one line about everything that is left out or assumed.

    Raises:
        DataError: the table can't be read or learned from.
    """
    check_task_name(name)
    target, options = with_window(path, *as_folder(path, target, options))
    check_kind(target, options)
    rows = read_rows(path, target, options)
    for line in rows.notices:
        notice(line)
    inputs: Sequence[InputColumn] = ()
    constants: dict[str, float | str] | None = None
    images = find_images(path, rows, target, options)
    if images is not None and options.window is not None:
        raise DataError("--window is for sequences: the data is of images")
    found = images or find_sequences(path, rows, target, options)
    if found is not None:
        rows = found.rows
        for line in found.notices:
            notice(line)
        tensors = Tensors((found.tensor,), {found.tensor.name: found.values})
    else:
        columns = _choose(rows, target, options)
        for line in columns.notices:
            notice(line)
        inputs = _complete(columns.inputs, rows, notice)
        tensors = make_tensors(inputs)
        constants = constants_of(_asked(rows, target, options)) or None
    truth = rows.target
    if options.tolerance is not None and truth.labels:
        raise DataError(
            f"--tolerance is for quantities: target {target!r} has the classes "
            f"{', '.join(truth.labels[:5])} (--kind regression makes it a quantity)"
        )
    data, lines = _split(path, name, tensors, rows, options, seed)
    for line in lines:
        notice(line)
    data = with_seen_gaps(with_known_texts(data))
    data = replace(data, spec=data.spec.model_copy(update={"constants": constants}))
    if options.kind == "clusters":
        data, made = with_clusters(data, options.clusters, options.reference, seed)
        for line in made:
            notice(line)
        if target is not None:
            names = group_names(rows.frame[target])[_numbered(path, tensors, rows, options, seed)]
            notice(agreement(data.validation.targets, names, target))
    data, limits = with_measure(data, options.measure)
    for line in limits:
        notice(line)
    if options.by is not None:
        named = _numbered(path, tensors, rows, options, seed)
        data = replace(data, groups=Groups(options.by, group_names(rows.frame[options.by])[named]))
    _warn(inputs, rows, data, notice)
    if truth.labels or options.tolerance is not None:
        return data
    in_file_order = options.time is not None or options.test is not None
    data, line = with_tolerance(data, truth.name, shuffle=not in_file_order)
    notice(line)
    return data


def task_name(path: Path) -> str:
    """A task's name from a file's: `Room data.csv` becomes `room-data`."""
    stem = path.name.removesuffix(".gz").rpartition(".")[0] or path.stem
    return re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:63].rstrip("-")


def _choose(rows: TableRows, target: str | None, options: TableOptions) -> Columns:
    """Inputs of the first table's rows."""
    frame = rows.frame.iloc[: rows.n_first]
    unused = set(options.without)
    notices: tuple[str, ...] = ()
    if options.unit is not None:
        unused.add(options.unit)
        notices += (f"column {options.unit!r} tells units apart and is no input",)
    time = options.time
    if time is not None and time not in options.columns and not _is_date(frame[time]):
        unused.add(time)
        notices += (f"column {time!r} tells the time and is no input: later rows are beyond it",)
    kept = frame.drop(columns=list(unused))
    columns = choose_columns(kept, target, options.columns, options.writing.decimal)
    return replace(columns, notices=notices + columns.notices)


def _asked(rows: TableRows, target: str | None, options: TableOptions) -> pd.DataFrame:
    """Columns that may be inputs, of the first table's rows."""
    others = {target, options.unit, options.time, *options.without}
    ignored = {name for name, kind in options.columns.items() if kind == "ignore"}
    kept = [name for name in rows.frame if name not in others | ignored]
    return rows.frame.loc[: rows.n_first - 1, kept]


def _complete(
    columns: Sequence[InputColumn], rows: TableRows, notice: Notice
) -> tuple[InputColumn, ...]:
    """The columns with the rows of the other table behind, read as a worker reads cells."""
    other = rows.frame.iloc[rows.n_first :]
    if len(other) == 0:
        return tuple(columns)
    result = []
    for column in columns:
        values, unread = read_values(column.cell, other[column.cell.column])
        if unread:
            where = f"of column {column.cell.column!r} in the other file"
            notice(f"read as gaps: {counted(unread, 'cell')} {where}")
        result.append(replace(column, values=np.concatenate([column.values, values])))
    return tuple(result)


def _split(
    path: Path,
    name: str,
    tensors: Tensors,
    rows: TableRows,
    options: TableOptions,
    seed: int,
) -> tuple[TaskData, list[str]]:
    truth = rows.target
    regression, anomaly = not truth.labels, options.kind == "anomaly"
    unlabelled = anomaly or options.kind == "clusters"
    kind: TaskKind = "regression" if regression else "classification"
    if unlabelled and options.kind is not None:
        kind = options.kind
    spec = TaskSpec(
        name=name,
        kind=kind,
        description=f"{_purpose(kind, truth.name)} {path.name}.",
        inputs=tensors.specs,
        labels=truth.labels,
        tolerance=options.tolerance or (1.0 if regression else None),
        offset=truth.offset,
        interval_coverage=INTERVAL_COVERAGE if regression else None,
        false_alarms=(options.false_alarms or FALSE_ALARMS) if anomaly else None,
    )
    how = _parts(rows, options, seed)
    if how is None:
        data = split_task(spec, path.name, tensors.arrays, truth.values, seed)
        if unlabelled:
            return data, []
        return _folded(data, tensors.specs[0], seed), []
    parts, said = how
    data, lines = make_data(spec, f"{path.name}, {said}", tensors.arrays, truth.values, parts)
    if unlabelled or options.unit is None:
        return data, lines
    return _folded(data, tensors.specs[0], seed), lines


def _folded(data: TaskData, first: TensorSpec, seed: int) -> TaskData:
    """Networks of images and sequences take long to fit: with one fold they are fitted twice."""
    is_slow = first.datatype == "UINT8" or first.channels is not None
    return with_folds(data, seed, 0 if is_slow else None)


def _purpose(kind: TaskKind, target: str) -> str:
    if kind == "anomaly":
        return "Flags what is strange in rows like those of"
    if kind == "clusters":
        return "Tells which cluster a row belongs to, by those of"
    return f"Predicts {target} from"


def _numbered(
    path: Path, tensors: Tensors, rows: TableRows, options: TableOptions, seed: int
) -> NDArray[np.int64]:
    """The row of each validation item: the rows' numbers are split as the rows are."""
    numbers = {spec.name: np.arange(len(rows.frame)) for spec in tensors.specs}
    data, _ = _split(path, "rows", Tensors(tensors.specs, numbers), rows, options, seed)
    found: NDArray[np.int64] = data.validation.inputs[tensors.specs[0].name]
    return found


def _parts(rows: TableRows, options: TableOptions, seed: int) -> tuple[Parts, str] | None:
    """Rows of each split and how the card says it; None for a split by chance."""
    given = [o for o in ("unit", "time", "test") if getattr(options, o) is not None]
    if options.window is not None and options.unit is not None:
        given = ["unit"]  # the time orders each unit's steps
    if len(given) > 1:
        raise DataError(f"--{' and --'.join(given)}: give one of them")
    if options.unit is not None:
        units = as_texts(rows.frame[options.unit]).to_numpy(object)
        parts = split_by_unit(rows.target.values, units, seed)
        return parts, f"all rows of one {options.unit!r} in one split"
    if options.time is not None:
        _, _, date_format = options.columns.get(options.time, "").partition(":")
        parts = split_by_time(in_order(rows.frame[options.time], date_format or None))
        return parts, f"later rows by {options.time!r} validate and test"
    if options.test is not None:
        parts = split_other(rows.n_first, rows.target.values, seed)
        return parts, f"validated and tested with {options.test.name}"
    return None


def _warn(inputs: Sequence[InputColumn], rows: TableRows, data: TaskData, notice: Notice) -> None:
    """Say what a person should look at before trusting the ladder."""
    if data.spec.kind == "anomaly":
        check_normal(data)
    if data.spec.kind == "clusters":
        for line in find_personal(inputs):
            notice(line)
        return
    classifies = data.spec.classifies
    of_chance = data.folds is not None and data.units is None
    for line in (
        *find_leaks(inputs, rows.target.values, classifies=classifies),
        *find_marks(inputs),
        *find_personal(inputs),
        *(find_neighbours(inputs, rows.frame, rows.target.name) if of_chance else []),
    ):
        notice(line)
    together = (find_causes if classifies else find_sum)(inputs, rows.target.values)
    if together is not None:
        notice(together)
    no_trees = data.spec.image is not None or any(t.text_bytes for t in data.spec.inputs)
    if len(data.spec.labels) > MOST_BOOSTED_CLASSES and not no_trees:
        notice(
            f"gradient-boosting is left out: {len(data.spec.labels)} classes are more than "
            f"{MOST_BOOSTED_CLASSES}, and each takes a tree in every round"
        )
    if (too_wide := why_no_glass_box(data.spec)) is not None:
        notice(too_wide)


def _is_date(column: pd.Series) -> bool:
    return not is_numeric_dtype(column) and is_dates(column)
