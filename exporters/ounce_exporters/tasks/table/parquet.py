"""Reading a Parquet file, every type of column."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as kinds
from ounce_schemas.errors import DataError

from ounce_exporters.tasks.table.names import check_names
from ounce_exporters.tasks.table.sampled_reading import read_batches

_UNNAMED_INDEX = "__index_level_"


def read_parquet(path: Path, target: str) -> tuple[pd.DataFrame, list[str]]:
    """Columns as float64 (truth values are 1 and 0) or texts (dates as ISO 8601), and notices.

    Args:
        path: the file.
        target: the column to predict: its truth values are the classes true and false.

    Raises:
        pyarrow.ArrowException, OSError: it can't be read.
        DataError: column names repeat, or the target is of no type that can be predicted.
    """
    check_names(pq.read_schema(path).names)
    table, sampled = read_batches(path)
    columns: dict[str, pd.Series] = {}
    notices = [sampled] if sampled else []
    index = _index_of(table)
    for name in table.column_names:
        if name.startswith(_UNNAMED_INDEX):
            notices.append("the index that pandas wrote is left out: it has no name")
            continue
        column = table.column(name)
        if name == target and kinds.is_boolean(column.type):
            column = column.cast(pa.string())
        values = _values(column)
        if values is None and name == target:
            raise DataError(
                f"target {name!r} holds values of type {column.type}: a column of numbers, texts, "
                "dates or truth values is needed"
            )
        if values is None:
            notices.append(
                f"column {name!r} is left out: values of type {column.type} can't be sent as input"
            )
            continue
        if name in index:
            notices.append(f"the index {name!r} that pandas wrote is a column like others")
        columns[name] = values
    return pd.DataFrame(columns), notices


def _index_of(table: pa.Table) -> list[str]:
    written = (table.schema.pandas_metadata or {}).get("index_columns", [])
    return [name for name in written if isinstance(name, str)]


def _values(column: pa.ChunkedArray) -> pd.Series | None:
    """A column as numbers or texts; None for what is neither."""
    if kinds.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if kinds.is_null(kind):
        return pd.Series([""] * len(column), dtype=str)
    if kinds.is_boolean(kind):
        column = column.cast(pa.int8())
    elif kinds.is_duration(kind):
        seconds = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[kind.unit]
        return _numbers(column.cast(pa.int64())) / seconds
    elif kinds.is_date(kind):
        return _texts(pc.strftime(column.cast(pa.date32()).cast(pa.timestamp("s")), "%Y-%m-%d"))
    elif kinds.is_timestamp(kind):
        # The clock that the cell shows: of the column's own zone.
        local = pc.local_timestamp(column) if kind.tz else column
        return _texts(pc.strftime(local.cast(pa.timestamp("s"), safe=False), "%Y-%m-%dT%H:%M:%S"))
    elif kinds.is_time(kind):
        texts = [None if t is None else t.isoformat() for t in column.to_pylist()]
        return _texts(pa.chunked_array([pa.array(texts, pa.string())]))
    if kinds.is_integer(column.type) or kinds.is_floating(kind) or kinds.is_decimal(kind):
        return _numbers(column)
    if kinds.is_string(kind) or kinds.is_large_string(kind) or str(kind) == "string_view":
        return _texts(column)
    return None


def _numbers(column: pa.ChunkedArray) -> pd.Series:
    values = column.cast(pa.float64(), safe=False).to_numpy()
    return pd.Series(np.asarray(values, np.float64))


def _texts(column: pa.ChunkedArray) -> pd.Series:
    texts = pc.utf8_trim_whitespace(pc.fill_null(column.cast(pa.string()), ""))
    return pd.Series(texts.to_pandas(), dtype=str)
