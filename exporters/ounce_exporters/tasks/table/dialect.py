"""Finding out how a text file is written: separator, lines before the table, header, odd columns.

Separators are compared by how equally they divide the rows and by how clean the cells are that
they leave, after van den Burg, Nazábal and Sutton, "Wrangling messy CSV files by detecting row and
type patterns", 2019.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ounce_schemas.cells import GAPS, parse_number
from ounce_schemas.errors import DataError
from ounce_schemas.wording import counted

from ounce_exporters.tasks.table.options import Writing

NAMES = {",": "','", ";": "';'", "\t": "tab", "|": "'|'", " ": "blank"}
_CANDIDATES = ",;\t|"
_RECORDS = 400
_NUMBERS = 0.2
"""Share of numbers among values that stand apart by blanks; prose has fewer."""
_CLOSE = 0.02
"""Two that score so nearly alike can't be told apart."""

Record = tuple[int, list[str]]
"""Number of the record's first line, from 1, and its cells without blanks around them."""


@dataclass(frozen=True)
class Dialect:
    """How a text file is written."""

    separator: str
    first_line: int
    """Line of the header, or of the first row where there is none; from 1."""
    first_row: int
    """Line of the first row; after the last line where there is no row."""
    header: bool
    names: tuple[str, ...]
    """Of the columns, without the unnamed ones of `labels_first` and `empty_last`."""
    labels_first: bool = False
    """Rows have one value more than the header has names: the first, a row's label."""
    empty_last: bool = False
    """Every row ends with a separator that the header does not have."""

    @property
    def width(self) -> int:
        """Values of a row."""
        return len(self.names) + self.labels_first + self.empty_last


def find_dialect(text: str, writing: Writing, target: str) -> Dialect:
    """Find out how a text is written.

    Args:
        text: the file's beginning; whole lines.
        writing: what is given.
        target: the column to predict; it tells a header from a row of numbers.

    Raises:
        DataError: it could be read in two ways; the message names the option that settles it.
    """
    skip = writing.skip or 0
    lines = text.splitlines(keepends=True)
    if skip >= len(lines):
        raise DataError(f"--skip {skip}: no line is left")
    body = "".join(lines[skip:])
    separator = writing.separator or _find_separator(body)
    records = read_records(body, separator, skip)
    if not records:
        raise DataError("no row is there")
    start, width = _find_start(records, given=writing.skip is not None)
    if writing.skip is None and writing.header is not False:
        start = _line_of_target(records, start, target)
    return _with_header(records[start:], separator, width, writing, target)


def read_records(text: str, separator: str, skipped: int = 0) -> list[Record]:
    """The first records that are not blank."""
    if separator == " ":
        rows = enumerate(text.splitlines(), skipped + 1)
        return [(n, line.split()) for n, line in rows if line.strip()][:_RECORDS]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    records: list[Record] = []
    line = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                records.append((skipped + line, [cell.strip() for cell in cells]))
            line = reader.line_num + 1
            if len(records) == _RECORDS:
                break
    except csv.Error as e:
        raise DataError(f"line {skipped + reader.line_num}: {e}") from e
    return records


def _find_separator(text: str) -> str:
    found = {s: read_records(text, s) for s in _CANDIDATES if s in text}
    scores = {separator: _score(records) for separator, records in found.items()}
    best = sorted(scores, key=lambda s: -scores[s])
    if len(best) > 1 and scores[best[1]] > 0 and scores[best[0]] - scores[best[1]] < _CLOSE:
        # The first line, most likely a header, may settle it.
        fitting = [s for s in best[:2] if len(found[s][0][1]) == len(found[s][-1][1])]
        if len(fitting) != 1:
            first, second = (NAMES[separator] for separator in best[:2])
            raise DataError(
                f"{first} and {second} both divide the rows equally: name one with --sep"
            )
        return fitting[0]
    if best and scores[best[0]] >= 0.5:
        return best[0]
    blanks = read_records(text, " ")
    numbers = [_is_number(cell) for _, cells in blanks for cell in cells]
    widths = {len(cells) for _, cells in blanks}
    if len(widths) == 1 and 1 not in widths and sum(numbers) > _NUMBERS * len(numbers):
        return " "
    return best[0] if best and scores[best[0]] > 0 else ","


def _score(records: Sequence[Record]) -> float:
    """Share of rows of the usual width, times the share of cells that are clean; 0 for one cell."""
    widths = Counter(len(cells) for _, cells in records)
    width, count = widths.most_common(1)[0]
    if width == 1:
        return 0.0
    # A short header is no fault of the separator's.
    count += 1 if len(records[0][1]) in (width - 1,) else 0
    cells = [cell for _, row in records if len(row) == width for cell in row]
    return count / len(records) * sum(map(_is_clean, cells)) / len(cells)


def _is_clean(cell: str) -> bool:
    if _is_number(cell):
        return True
    # A separator in a cell was missed, unless it is a decimal comma or one of prose.
    return re.search(r"[;\t|]|[^\d\s],\S|\S,[^\d\s]", cell) is None


def _is_number(cell: str) -> bool:
    return any(
        number is not None and number == number
        for number in (parse_number(cell, "."), parse_number(cell, ","))
    )


def _find_start(records: Sequence[Record], *, given: bool) -> tuple[int, int]:
    """Place of the header, or first row; and the width of rows."""
    widths = Counter(len(cells) for _, cells in records[len(records) // 5 :])
    width = max(widths, key=lambda w: (widths[w], w))
    if given:
        return 0, width
    first = next(i for i, (_, cells) in enumerate(records) if len(cells) == width)
    first += _count_titles([cells for _, cells in records[first:]])
    short = first - 1
    # A header may lack a name for the first or last column, unless the next line is a header.
    if (
        short >= 0
        and len(records[short][1]) == width - 1
        and not records[short][1][0].startswith("#")
        and not _is_header(records[first][1], records[first + 1 :])
    ):
        return short, width
    return first, width


def _line_of_target(records: Sequence[Record], start: int, target: str) -> int:
    """Place of the line that names the target: a header may be mostly empty, have fewer names than
    rows have values, or stand below another one. `start` where no line near it does."""
    if not target or target.isdecimal() or target in records[start][1]:
        return start
    if above := [i for i in range(start) if target in records[i][1]]:
        return above[-1]
    below = records[start + 1][1] if start + 1 < len(records) else []
    return start + (target in below and _is_header(below, records[start + 2 :]))


def _count_titles(rows: Sequence[Sequence[str]]) -> int:
    """Lines above a full header that a spreadsheet has filled up with separators."""
    width = len(rows[0])
    filled = [sum(cell != "" for cell in cells) for cells in rows]
    n = next((i for i, count in enumerate(filled) if 3 * count > width), 0)
    if len(rows[n]) != width or filled[n] < 2 / 3 * width:
        return 0
    return 0 if any(_is_number(cell) for cells in rows[: n + 1] for cell in cells) else n


def _is_header(cells: Sequence[str], below: Sequence[Record]) -> bool:
    """Whether a row holds texts where the rows below hold numbers."""
    columns = _numeric_columns(below, len(cells))
    return bool(columns) and not any(_is_number(cells[i]) for i in columns)


def _numeric_columns(records: Sequence[Record], width: int) -> list[int]:
    rows = [cells for _, cells in records if len(cells) == width]
    found = []
    for i in range(width):
        present = [row[i] for row in rows if row[i].lower() not in GAPS]
        if present and sum(map(_is_number, present)) >= 0.9 * len(present):
            found.append(i)
    return found


def _with_header(
    records: Sequence[Record], separator: str, width: int, writing: Writing, target: str
) -> Dialect:
    line, cells = records[0]
    header = writing.header
    if header is None:
        header = _has_header(cells, records[1:], width, target)
    if not header:
        names = tuple(str(i) for i in range(width))
        return Dialect(separator, line, line, False, names)
    first_row = records[1][0] if len(records) > 1 else line + 1
    rows = [row for _, row in records[1:] if len(row) == width]
    labels_first = empty_last = False
    if len(cells) == width - 1 and rows:
        empty_last = all(row[-1] == "" for row in rows)
        labels_first = not empty_last and _are_labels([row[0] for row in rows])
    names = tuple(cells)
    if len(names) + labels_first + empty_last != width and rows:
        at = next(n for n, row in records[1:] if len(row) == width)
        raise DataError(
            f"line {line}, the header, has {counted(len(cells), 'name')}, and line {at} has "
            f"{counted(width, 'value')}: "
            "name the separator with --sep, quote numbers with decimal commas, "
            "or skip lines before the header with --skip"
        )
    if len(names) > 1 and names[-1] == "" and all(row[-1] == "" for row in rows):
        names, empty_last = names[:-1], True
    return Dialect(separator, line, first_row, True, names, labels_first, empty_last)


def _are_labels(cells: Sequence[str]) -> bool:
    """Whether cells name or number rows; the first halves of numbers with decimal commas don't."""
    if len(set(cells)) < len(cells):
        return False
    if not any(map(_is_number, cells)):
        return True
    if not all(cell.isdecimal() for cell in cells):
        return False
    numbers = [int(cell) for cell in cells]
    return numbers == sorted(numbers) and numbers[-1] - numbers[0] < 2 * len(numbers)


def _has_header(cells: Sequence[str], below: Sequence[Record], width: int, target: str) -> bool:
    columns = _numeric_columns(below, width)
    numbers = [i for i in columns if i < len(cells) and _is_number(cells[i])]
    if not columns or len(numbers) < len(columns) or len(cells) != width:
        return True
    could_be_place = target.isdecimal() and int(target) < width
    if target in cells and could_be_place:
        raise DataError(
            f"the first row holds numbers, and {target!r} among them: say whether it names the "
            "columns, with --header or --no-header"
        )
    return target in cells
