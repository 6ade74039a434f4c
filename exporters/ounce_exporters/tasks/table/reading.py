"""Reading a table from a file: what was found out is said, and errors name file and fault."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
from ounce_schemas.errors import DataError
from ounce_schemas.wording import counted

from ounce_exporters.tasks.table.dialect import NAMES, Dialect, find_dialect
from ounce_exporters.tasks.table.names import check_names, visible
from ounce_exporters.tasks.table.options import Writing
from ounce_exporters.tasks.table.parquet import read_parquet
from ounce_exporters.tasks.table.sampled_reading import read_text
from ounce_exporters.tasks.table.text_encoding import find_encoding, unpack
from ounce_exporters.tasks.table.totals import drop_totals

TEXT_SUFFIXES = (".csv", ".txt", ".tsv", ".tab", ".data", ".dat")
PARQUET_SUFFIXES = (".parquet", ".pq")
_SAMPLE = 1_000_000  # characters
_FEW = 20
_MOST_SHORT = 0.01
"""Share of rows with too few values that may be left out."""


@dataclass(frozen=True)
class Table:
    """A table as it stands in its file."""

    frame: pd.DataFrame
    """Columns are float64 (NaN is a gap) or texts (empty is a gap), without blanks around them."""
    notices: tuple[str, ...]


def read_table(path: Path, writing: Writing, target: str) -> Table:
    """Read a text file of rows, maybe in gzip, or a Parquet file.

    Args:
        path: the file.
        writing: how it is written, as far as given.
        target: the column to predict.

    Raises:
        DataError: absent, empty, unreadable, of an unknown kind, or written in a way that could be
            read in two ways.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    suffix = next(iter(s for s in reversed(suffixes) if s != ".gz"), "")
    if suffix and suffix not in (*TEXT_SUFFIXES, *PARQUET_SUFFIXES):
        raise DataError(
            f"{path}: unknown kind of file {suffix!r}: give a .csv, .tsv or .txt file (or .gz of "
            "one), or a .parquet file; a spreadsheet can be saved as .csv"
        )
    try:
        if path.stat().st_size == 0:
            raise DataError(f"{path} is empty: a header line and rows are needed")
        if suffix in PARQUET_SUFFIXES:
            frame, notices = read_parquet(path, target)
        else:
            sampled = read_text(path)
            frame, notices = _read_text(sampled.content, writing, target)
            notices += [sampled.notice] if sampled.notice else []
    except OSError as e:  # pyarrow's are OSErrors too
        raise DataError(f"{path}: can't be read: {_one_line(e.strerror or e)}") from e
    except pa.ArrowException as e:
        raise DataError(f"{path}: not a Parquet file: {_one_line(e)}") from e
    except DataError as e:
        raise DataError(f"{path}: {e}" if str(path) not in str(e) else str(e)) from e
    if len(frame) == 0:
        raise DataError(f"{path} has a header and no rows")
    frame, said = drop_totals(frame)
    return Table(frame, (*notices, *said))


def _read_text(raw: bytes, writing: Writing, target: str) -> tuple[pd.DataFrame, list[str]]:
    content = unpack(raw)
    encoding, name = find_encoding(content, writing.encoding)
    name += ", gzip" if content is not raw else ""
    raw = content
    sample = io.TextIOWrapper(io.BytesIO(raw), encoding, newline="").read(_SAMPLE)
    if len(sample) == _SAMPLE:
        sample = sample[: sample.rindex("\n") + 1] if "\n" in sample else sample
    if "\0" in sample or not sample.strip():
        raise DataError("not a table: it holds no text, or zero bytes")
    dialect = find_dialect(sample, writing, target)
    notices = [_how_it_is_read(dialect, name)]
    names, dropped = _names(dialect)
    quoted_names = _are_quoted(names)
    names = [name[1:-1] for name in names] if quoted_names else names
    seen, names = names, [visible(name) for name in names]
    check_names(names)
    n_rows, short = _short_rows(raw, encoding, dialect)
    frame = _parse(raw, encoding, dialect, names)
    if len(frame) != n_rows:
        raise DataError(
            f"its quotes are not in order: it could be read as {n_rows} or as "
            f"{counted(len(frame), 'row')}"
        )
    if hidden := [new for old, new in zip(seen, names, strict=True) if old != new]:
        notices.append(f"invisible characters around the names are taken off: {', '.join(hidden)}")
    quoted = [name for name in names if _is_quoted(frame[name])]
    for name in quoted:
        frame[name] = frame[name].str.slice(1, -1).str.strip()
    if quoted:
        notices.append(f"the quotes ' around the cells are taken off: {', '.join(quoted)}")
    if short:
        frame = frame.drop(index=list(short)).reset_index(drop=True)
        notices.append(
            f"rows of fewer than {dialect.width} values are left out: {len(short)} of them, "
            f"the first in line {next(iter(short.values()))}"
        )
    if dialect.empty_last:
        frame = frame.drop(columns=[names[-1]])
        notices.append("every row ends with a separator: the empty last column is left out")
    if dialect.labels_first:
        frame = frame.drop(columns=[names[0]])
        notices.append(
            "the first column is left out: it has no name in the header, as row labels have"
        )
    notices += [
        f"column {i + 1} has no name in the header: it is called {name!r}"
        for i, name in enumerate(dropped)
        if name
    ]
    return frame, notices


def _are_quoted(texts: Sequence[str]) -> bool:
    """Whether a single quote stands at both ends of each of some texts."""
    return bool(texts) and all(t[0] == t[-1] == "'" and len(t) > 1 for t in texts)


def _is_quoted(column: pd.Series) -> bool:
    # The first few tell nearly always; then all are looked at.
    head = [text for text in column.iloc[:_FEW].to_list() if text]
    if head and not _are_quoted(head):
        return False
    texts = column[column != ""]
    return _are_quoted(texts.iloc[:_FEW].to_list()) and _are_quoted(texts.to_list())


def _how_it_is_read(dialect: Dialect, encoding: str) -> str:
    header = f"header in line {dialect.first_line}"
    if not dialect.header:
        header = f"no header, columns named 0 to {len(dialect.names) - 1}"
        if dialect.first_line > 1:
            header += f", from line {dialect.first_line}"
    separator = NAMES.get(dialect.separator, repr(dialect.separator))
    return f"read as: {separator} separated, {encoding}, {header}"


def _names(dialect: Dialect) -> tuple[list[str], list[str]]:
    """Names of all columns; and, in the order of the header, those that were made up."""
    made_up = ["" if name else f"column {i + 1}" for i, name in enumerate(dialect.names)]
    names = [name or made for name, made in zip(dialect.names, made_up, strict=True)]
    if dialect.labels_first:
        names.insert(0, "\0labels")
    if dialect.empty_last:
        names.append("\0empty")
    return names, made_up


def _short_rows(raw: bytes, encoding: str, dialect: Dialect) -> tuple[int, dict[int, int]]:
    """Number of rows; and those with too few values: place among the rows, and line.

    Raises:
        DataError: rows have too many values, or more than a few too few.
    """
    short: dict[int, int] = {}
    n = 0
    for line, width in _widths(raw, encoding, dialect):
        if width > dialect.width:
            raise DataError(
                f"line {line} has {counted(width, 'value')} where the table has "
                f"{counted(dialect.width, 'column')}: "
                "quote values that hold the separator, or name another one with --sep"
            )
        if width < dialect.width - dialect.empty_last:
            short[n] = line
        n += 1
    if len(short) > max(_MOST_SHORT * n, 1):
        raise DataError(
            f"{len(short)} of {n} rows have fewer than {dialect.width} values, the first in line "
            f"{next(iter(short.values()))}: name the separator with --sep, or skip lines before "
            "the header with --skip"
        )
    return n, short


def _widths(raw: bytes, encoding: str, dialect: Dialect) -> Iterator[tuple[int, int]]:
    """Of every row that is not blank, its first line and its number of values."""
    file = _rows(raw, encoding, dialect)
    first = dialect.first_row
    if dialect.separator == " ":
        widths = ((i, len(line.split())) for i, line in enumerate(file, first))
        yield from ((line, width) for line, width in widths if width)
        return
    reader = csv.reader(file, delimiter=dialect.separator, skipinitialspace=True)
    line = first
    try:
        for cells in reader:
            if len(cells) > 1 or (cells and cells[0].strip()):
                yield line, len(cells)
            line = first + reader.line_num
    except csv.Error as e:
        raise DataError(f"line {line}: {e}") from e


def _rows(raw: bytes, encoding: str, dialect: Dialect) -> io.TextIOWrapper:
    """The file from its first row on."""
    file = io.TextIOWrapper(io.BytesIO(raw), encoding, newline="")
    for _ in range(dialect.first_row - 1):
        file.readline()
    return file


def _parse(raw: bytes, encoding: str, dialect: Dialect, names: list[str]) -> pd.DataFrame:
    try:
        frame = pd.read_csv(
            _rows(raw, encoding, dialect),
            sep=r"\s+" if dialect.separator == " " else dialect.separator,
            header=None,
            names=names,
            index_col=False,
            dtype=str,
            keep_default_na=False,
            skipinitialspace=True,
        )
    except pd.errors.EmptyDataError:
        return pd.DataFrame(columns=names, dtype=str)
    except pd.errors.ParserError as e:
        raise DataError(f"not a table: {_one_line(e)}") from e
    return pd.DataFrame({name: frame[name].str.strip() for name in names})


def _one_line(error: object) -> str:
    return " ".join(str(error).split())
