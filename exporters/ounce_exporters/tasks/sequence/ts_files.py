"""Reading .ts files, as the UCR and UEA archives have them, maybe in gzip.

Lines of `@NAME VALUE`, then `@data`, then one case a line: dimensions between colons, values
between commas, and the class or value at the end. `?` is a gap. Source: sktime's description,
https://www.sktime.net/en/stable/api_reference/file_specifications/ts.html
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from ounce_schemas.errors import DataError
from ounce_schemas.wording import counted

from ounce_exporters.tasks.table.reading import Table
from ounce_exporters.tasks.table.text_encoding import find_encoding, unpack

SERIES, LABEL = "series", "class"
"""Columns of the table that a file is read as: the number of a series, and what it is."""
_GAPS = ("?", "nan", "")


@dataclass(frozen=True)
class TsFile:
    """The cases of a file."""

    series: Sequence[NDArray[np.float32]]
    """Each of shape (n_steps, n_channels); a gap is NaN."""
    labels: Sequence[str]

    @property
    def table(self) -> Table:
        """A row for each series."""
        numbers = [str(i) for i in range(len(self.series))]
        lengths = sorted(map(len, self.series))
        said = f"{lengths[0]} to {lengths[-1]}" if lengths[0] < lengths[-1] else str(lengths[0])
        n_channels = self.series[0].shape[1]
        line = (
            f"read as: {len(self.series)} series of {counted(n_channels, 'channel')}, {said} steps"
        )
        return Table(pd.DataFrame({SERIES: numbers, LABEL: self.labels}, dtype=str), (line,))


def is_ts_file(path: Path) -> bool:
    """Whether a file's name ends as those of .ts files do."""
    return path.name.lower().removesuffix(".gz").endswith(".ts")


def read_ts(path: Path) -> TsFile:
    """Read a file.

    Raises:
        DataError: it can't be read, has time stamps, holds no labels, or a line is wrong.
    """
    try:
        content = unpack(path.read_bytes())
        encoding, _ = find_encoding(content, None)
        lines = content.decode(encoding).splitlines()
    except OSError as e:
        raise DataError(f"{path}: can't be read: {e.strerror or e}") from e
    header: dict[str, str] = {}
    series: list[NDArray[np.float32]] = []
    labels: list[str] = []
    in_data = False
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if not in_data:
            name, _, value = text.partition(" ")
            header[name.lower()] = value.strip().lower()
            in_data = name.lower() == "@data"
            if in_data:
                _check_header(path, header)
            continue
        try:
            one, label = _case(text)
            if series and one.shape[1] != series[0].shape[1]:
                raise ValueError(
                    f"{counted(one.shape[1], 'channel')}, and {series[0].shape[1]} before it"
                )
        except ValueError as e:
            raise DataError(f"{path}: line {number}: {e}") from None
        series.append(one)
        labels.append(label)
    if not series:
        raise DataError(f"{path}: no series is in the file: cases follow a line @data")
    return TsFile(series, labels)


def _check_header(path: Path, header: dict[str, str]) -> None:
    if header.get("@timestamps", "false").startswith("true"):
        raise DataError(f"{path}: has time stamps (@timeStamps true), which are not read")
    told = (header.get("@classlabel", ""), header.get("@targetlabel", ""))
    if not any(value.startswith("true") for value in told):
        raise DataError(f"{path}: its cases have no class and no value: there is nothing to learn")


def _case(text: str) -> tuple[NDArray[np.float32], str]:
    *channels, label = text.split(":")
    if not channels:
        raise ValueError("no colon is before the class or value")
    columns = [_values(channel) for channel in channels]
    lengths = {len(column) for column in columns}
    if max(lengths) == 0:
        raise ValueError("the series has no step")
    if len(lengths) > 1:
        raise ValueError(
            f"channels of {sorted(lengths)[:5]} steps: a channel is missing or cut off"
        )
    return np.stack(columns, axis=1), label.strip()


def _values(text: str) -> NDArray[np.float32]:
    if not text.strip():
        return np.empty(0, np.float32)
    values = [np.nan if v.strip().lower() in _GAPS else float(v) for v in text.split(",")]
    return np.array(values, np.float32)
