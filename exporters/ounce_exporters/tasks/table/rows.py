"""The rows that a task is made of: of one table, or of one and another to test with."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from ounce_schemas.cells import Cell, as_text, read_cell
from ounce_schemas.errors import DataError
from ounce_schemas.wording import counted
from pandas.api.types import is_numeric_dtype

from ounce_exporters.tasks.image.folders import read_folder
from ounce_exporters.tasks.sequence.ts_files import is_ts_file, read_ts
from ounce_exporters.tasks.sequence.windows import with_remaining
from ounce_exporters.tasks.splits import LEAST_ROWS
from ounce_exporters.tasks.table.anomalies import all_normal, read_anomalies
from ounce_exporters.tasks.table.clusters import unassigned
from ounce_exporters.tasks.table.float32 import to_float32
from ounce_exporters.tasks.table.options import TableOptions
from ounce_exporters.tasks.table.reading import Table, read_table
from ounce_exporters.tasks.table.target import Target, check_target, read_target


@dataclass(frozen=True)
class TableRows:
    """The rows that can be learned from, and what is said of them."""

    frame: pd.DataFrame
    n_first: int
    """Rows of the first table; those of another come behind them."""
    target: Target
    notices: tuple[str, ...]


def read_rows(path: Path, target: str | None, options: TableOptions) -> TableRows:
    """Read the table, and the one to test with; keep the rows that have a target.

    Without a target, and for clusters, all rows are kept.

    Raises:
        DataError: a file can't be read, a name is unknown, or the target can't be learned.
    """
    table = _read(path, target, options)
    frame, notices = table.frame, list(table.notices)
    if target is not None:
        check_target(frame, target)
    _check_names(frame, target, options)
    n_first = len(frame)
    if options.test is not None:
        other = _read(options.test, target, options)
        notices += [f"{options.test.name}: {line}" for line in other.notices]
        absent = [column for column in frame if column not in other.frame]
        if absent:
            raise DataError(f"{options.test} lacks the columns {', '.join(map(repr, absent[:5]))}")
        frame = _stacked(frame, other.frame)
    if len(frame) < LEAST_ROWS:
        raise DataError(
            f"{path} has {counted(len(frame), 'row')}: at least {LEAST_ROWS} are needed to train, "
            "calibrate and test"
        )
    truth = _read_truth(frame, target, options)
    notices += truth.notices
    empty = (
        0
        if target is None or options.kind == "clusters"
        else int((as_texts(frame[target]) == "").sum())
    )
    if empty:
        notices.append(
            f"{counted(empty, 'row is left out: its', 'rows are left out: their')} {target!r} is "
            "missing"
        )
    kept = frame[truth.rows].reset_index(drop=True)
    return TableRows(kept, int(truth.rows[:n_first].sum()), truth, tuple(notices))


def _read(path: Path, target: str | None, options: TableOptions) -> Table:
    if path.is_dir():
        return read_folder(path, flat=options.kind in ("anomaly", "clusters"))
    if is_ts_file(path):
        return read_ts(path).table
    if options.remaining is None or options.unit is None:
        return read_table(path, options.writing, target or "")
    table = read_table(path, options.writing, options.unit)
    frame = with_remaining(table.frame, options.unit, options.time, options.remaining)
    return replace(table, frame=frame)


def _read_truth(frame: pd.DataFrame, target: str | None, options: TableOptions) -> Target:
    if options.kind == "clusters":
        return unassigned(len(frame))
    if target is None:
        return all_normal(len(frame))
    if options.kind == "anomaly":
        return read_anomalies(as_texts(frame[target]), target)
    return read_target(frame, target, options.kind, options.writing.decimal)


def _check_names(frame: pd.DataFrame, target: str | None, options: TableOptions) -> None:
    said = [
        *(("--without", name) for name in options.without),
        *(("--columns", name) for name in options.columns),
        *(("--unit", name) for name in [options.unit] if name is not None),
        *(("--time", name) for name in [options.time] if name is not None),
        *(("--by", name) for name in [options.by] if name is not None),
    ]
    for option, name in said:
        if name not in frame:
            raise DataError(
                f"{option}: there is no column {name!r}: the table has {', '.join(frame.columns)}"
            )
        if name == target:
            raise DataError(f"{option}: {name!r} is the target")


def read_values(cell: Cell, column: pd.Series) -> tuple[NDArray[Any], int]:
    """A whole column as `read_cell` reads each cell; and how many cells it can't read."""
    if is_numeric_dtype(column) and cell.read == "number":
        return to_float32(column.to_numpy(np.float64) - (cell.offset or 0.0)), 0
    texts = as_texts(column)
    read = {text: read_cell(cell, text) for text in texts.unique()}
    unread = sum(read[text] is None for text in texts)
    values = [read[text] for text in texts]
    if cell.read in ("text", "sentence"):
        return np.array(values, dtype=object), unread
    return to_float32(np.array(values, dtype=np.float64)), unread


def _stacked(first: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """The rows of both, where one may hold numbers and the other texts."""
    columns = {}
    for name in first:
        a, b = first[name], other[name]
        if is_numeric_dtype(a) != is_numeric_dtype(b):
            a, b = as_texts(a), as_texts(b)
        columns[name] = pd.concat([a, b], ignore_index=True)
    return pd.DataFrame(columns)


def as_texts(column: pd.Series) -> pd.Series:
    """A column as a text file would hold it."""
    return column.map(as_text) if is_numeric_dtype(column) else column
