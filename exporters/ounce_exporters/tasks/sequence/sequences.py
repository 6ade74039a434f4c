"""The sequences of a task, from windows of a table or the series of .ts files."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from ounce_schemas.errors import DataError
from ounce_schemas.task import TensorSpec
from ounce_schemas.wording import counted

from ounce_exporters.tasks.sequence.ts_files import LABEL, SERIES, is_ts_file, read_ts
from ounce_exporters.tasks.sequence.windows import REMAINING, cut_windows, in_order, pad, read_times
from ounce_exporters.tasks.table.float32 import to_float32
from ounce_exporters.tasks.table.options import TableOptions
from ounce_exporters.tasks.table.rows import TableRows

SEQUENCE_INPUT = "sequence"
_MOST_BYTES = 4_000_000_000
_MOST_STEPS = 4096
"""Of a series, where nobody says more."""


@dataclass(frozen=True)
class Sequences:
    """What a task of sequences is made of."""

    tensor: TensorSpec
    values: NDArray[np.float32]
    """Array of shape (n_items, n_steps, n_channels); NaN is missing."""
    rows: TableRows
    """The row of each item."""
    notices: tuple[str, ...]


def with_window(
    path: Path, target: str | None, options: TableOptions
) -> tuple[str | None, TableOptions]:
    """Target and options where data is of sequences; of other data as they are.

    Raises:
        DataError: options don't go together.
    """
    if options.remaining is not None:
        if target is not None or options.window is None or options.unit is None:
            raise DataError("--remaining needs --window and --unit, and no --target")
        if options.kind not in (None, "regression"):
            raise DataError(f"--remaining is a quantity, not of --kind {options.kind}")
        return REMAINING, replace(options, kind="regression")
    if is_ts_file(path):
        if target not in (None, LABEL):
            raise DataError(f"--target {target}: a .ts file names the class of each series itself")
        return LABEL, options
    if options.window is not None and options.unit is None:
        raise DataError("--window needs --unit: the column that tells whose the rows are")
    return target, options


def find_sequences(
    path: Path, rows: TableRows, target: str | None, options: TableOptions
) -> Sequences | None:
    """The sequences of a table; None where it has none.

    Args:
        path: the table, or the .ts file.
        rows: of the table.
        target: what is predicted.
        options: `window` says how many steps; `unit` and `time` whose rows these are, and when.

    Raises:
        DataError: they can't be made.
    """
    if not is_ts_file(path) and options.window is None:
        return None
    if is_ts_file(path):
        return _of_series(path, rows, options)
    return _of_windows(rows, target, options)


def _of_series(path: Path, rows: TableRows, options: TableOptions) -> Sequences:
    numbers = rows.frame[SERIES].astype(int).tolist()
    first = read_ts(path).series
    other = first if options.test is None else read_ts(options.test).series
    found = [(first if i < rows.n_first else other)[n] for i, n in enumerate(numbers)]
    channels = {one.shape[1] for one in found}
    if len(channels) > 1:
        raise DataError(
            f"{options.test}: {counted(other[0].shape[1], 'channel')}, and {path} has others"
        )
    longest = max(map(len, found))
    n_steps = min(longest, options.window or _MOST_STEPS)
    notices = []
    if n_steps < longest or min(map(len, found)) < n_steps:
        notices.append(
            f"series of unequal lengths: models read the last {n_steps} steps, and what is missing "
            "before a shorter series is marked"
        )
    _check_memory(len(found), n_steps, channels.pop())
    values = pad(found, n_steps)
    names = tuple(f"channel{i + 1}" for i in range(values.shape[2]))
    return Sequences(_tensor(n_steps, names), values, rows, tuple(notices))


def _of_windows(rows: TableRows, target: str | None, options: TableOptions) -> Sequences:
    assert options.window is not None
    if options.test is not None:
        raise DataError("--window takes no --test: other units validate and test")
    left_out = {target, options.unit, options.time, options.by, *options.without}
    left_out |= {name for name, kind in options.columns.items() if kind == "ignore"}
    frame = rows.frame
    columns, constant, unread = [], [], []
    names = []
    for name in (str(n) for n in frame if n not in left_out):
        numbers = to_float32(pd.to_numeric(frame[name], errors="coerce").to_numpy(np.float64))
        if np.isnan(numbers).mean() > 0.5:
            unread.append(name)
        elif np.nanmin(numbers) == np.nanmax(numbers):
            constant.append(name)
        else:
            columns.append(numbers)
            names.append(name)
    notices = [
        f"columns {', '.join(map(repr, some[:8]))}{' and more' if len(some) > 8 else ''} are no "
        f"channels: {why}"
        for some, why in ((constant, "their value never changes"), (unread, "they are no numbers"))
        if some
    ]
    if not names:
        raise DataError("no column of numbers is left to make sequences of")
    times = None if options.time is None else read_times(frame, options.time)
    units = frame[options.unit].to_numpy(object)
    order, stretches, lines = in_order(units, times)
    _check_memory(len(order), options.window, len(names))
    values = cut_windows(np.stack(columns, axis=1)[order], stretches, options.window)
    short = int((np.bincount(stretches) == 1).sum())
    if short:
        lines.append(
            f"{counted(short, 'stretch of a unit has', 'stretches of a unit have')} a single row: "
            "what is before it is missing"
        )
    told = f"each row ends a window of {options.window} steps of {counted(len(names), 'channel')}"
    kept = replace(
        rows,
        frame=frame.iloc[order].reset_index(drop=True),
        n_first=len(order),
        target=replace(rows.target, values=rows.target.values[order]),
    )
    tensor = _tensor(options.window, tuple(names))
    return Sequences(tensor, values, kept, (told, *notices, *lines))


def _check_memory(n: int, n_steps: int, n_channels: int) -> None:
    n_bytes = 4 * n * n_steps * n_channels
    if n_bytes > _MOST_BYTES:
        raise DataError(
            f"{n} sequences of {n_steps} steps and {counted(n_channels, 'channel')} take "
            f"{n_bytes / 1e9:.1f} "
            f"GB, and may take {_MOST_BYTES / 1e9:.0f}: give fewer steps with --window"
        )


def _tensor(n_steps: int, channels: tuple[str, ...]) -> TensorSpec:
    shape = (n_steps, len(channels))
    return TensorSpec(
        name=SEQUENCE_INPUT, datatype="FP32", shape=shape, channels=channels, allow_missing=True
    )
