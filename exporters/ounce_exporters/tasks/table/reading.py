"""Reading a table from a file, with errors that name the file and what is wrong with it."""

import csv
from pathlib import Path

import pandas as pd
import pyarrow as pa
from ounce_schemas.errors import DataError

CSV_SUFFIXES = (".csv", ".txt")


def read_table(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Read a CSV file with a header line, or a Parquet file.

    Returns:
        The table, and notices: what was left out, and why.

    Raises:
        DataError: absent, empty, unreadable, of an unknown kind, or column names repeat.
    """
    suffix = path.suffix.lower()
    if suffix not in (*CSV_SUFFIXES, ".parquet"):
        raise DataError(f"{path}: unknown kind of file {suffix!r}: give a .csv or .parquet file")
    try:
        if path.stat().st_size == 0:
            raise DataError(f"{path} is empty: a header line and rows are needed")
        table = pd.read_parquet(path) if suffix == ".parquet" else _read_csv(path)
    except OSError as e:  # pyarrow's are OSErrors too
        raise DataError(f"{path}: can't be read: {_one_line(e.strerror or e)}") from e
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as e:
        raise DataError(f"{path}: not a CSV file in UTF-8: {_one_line(e)}") from e
    except pa.ArrowException as e:
        raise DataError(f"{path}: not a Parquet file: {_one_line(e)}") from e
    table.columns = pd.Index([str(name) for name in table.columns])
    repeated = table.columns[table.columns.duplicated()].unique()
    if len(repeated):
        raise DataError(f"{path}: column names repeat: {', '.join(repeated)}")
    if len(table) == 0:
        raise DataError(f"{path} has a header and no rows")
    if suffix == ".parquet":
        return table.reset_index(drop=True), []
    if not _first_column_has_no_name(path):
        return table, []
    notice = "the first column is left out: it has no name in the header, as row labels have"
    return table.reset_index(drop=True), [notice]


def _read_csv(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, low_memory=False)  # low_memory guesses types block by block


def _first_column_has_no_name(path: Path) -> bool:
    """Whether rows have one value more than the header has names; pandas makes that the index."""
    with path.open(encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        return len(next(lines)) + 1 == len(next(lines))


def _one_line(error: object) -> str:
    return " ".join(str(error).split())
