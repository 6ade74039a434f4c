"""Rows to send, from the command line or a file."""

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

from ounce_schemas.errors import DataError
from ounce_schemas.wording import counted

MOST_ROWS = 10_000


def read_rows(data: str | None, file: Path | None) -> list[Any]:
    """Bodies of requests: rows by column names where the file is a table, else what stands there.

    Args:
        data: one body as text; `-` is what comes on standard input.
        file: `.csv` and `.tsv`, with a header line or numbers alone; `.jsonl` with a body a line;
            `.json` with a body or a list of rows; any other file is one body, byte for byte.

    Raises:
        DataError: the file can't be read, or holds no row or too many.
    """
    if file is None:
        return [sys.stdin.buffer.read() if data == "-" else data]
    try:
        content = file.read_bytes()
        rows = _rows(content, file.suffix.lower())
    except OSError as e:
        raise DataError(f"{file}: can't be read: {e.strerror or e}") from e
    except UnicodeDecodeError as e:
        raise DataError(f"{file}: can't be read: byte {e.start} is no UTF-8; save it so") from e
    except (ValueError, csv.Error) as e:
        raise DataError(f"{file}: can't be read: {e}") from e
    if not 0 < len(rows) <= MOST_ROWS:
        raise DataError(
            f"{file}: holds {counted(len(rows), 'row')}; 1 to {MOST_ROWS} can be asked at once"
        )
    return rows


def _rows(content: bytes, suffix: str) -> list[Any]:
    if suffix in (".csv", ".tsv"):
        return _table(content.decode("utf-8-sig"), "\t" if suffix == ".tsv" else None)
    if suffix in (".jsonl", ".ndjson"):
        return [line for line in content.splitlines() if line.strip()]
    if suffix == ".json":
        found = json.loads(content)
        if isinstance(found, list) and found and all(isinstance(row, dict) for row in found):
            return found
    return [content]


def _table(text: str, separator: str | None) -> list[Any]:
    """Rows by the names of the header line; lines as they are where the first is of numbers alone.

    A line that is longer or shorter than the header is sent below it, as CSV: it is refused alone.

    Raises:
        ValueError: most lines are so.
    """
    separator = separator or _separator(text.partition("\n")[0])
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    lines = [(reader.line_num, line) for line in reader if any(line)]
    if not lines:
        return []
    names = lines[0][1]
    wrong = [(number, line) for number, line in lines if len(line) != len(names)]
    if 2 * len(wrong) >= len(lines):
        number, line = wrong[0]
        raise ValueError(
            f"line {number} has {counted(len(line), 'value')}, and the first {len(names)}"
        )
    if all(not name or _is_number(name) for name in names):  # a gap is no name
        return [",".join(line) for _, line in lines]
    return [
        dict(zip(names, line, strict=True)) if len(line) == len(names) else _as_csv(names, line)
        for _, line in lines[1:]
    ]


def _as_csv(*lines: list[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _separator(header: str) -> str:
    return max(",;\t|", key=header.count)
