"""A line of CSV, with or without the header line before it."""

import csv
from collections.abc import Iterable

from ounce_schemas.errors import InvalidMessageError, Reason
from ounce_schemas.task import TaskSpec
from ounce_schemas.wording import counted

from ounce_edge.wire.formats.columns import ColumnReader
from ounce_edge.wire.formats.content import Content, check_n_rows, read_each
from ounce_edge.wire.formats.flat import FlatJson

_SEPARATORS = (",", ";", "\t", "|")
_LOOK = 1000
"""Characters in which a separator must stand."""


class CsvLine:
    """Reads CSV of one task.

    Args:
        task: the task.
        columns: reads its rows.
        flat: knows the order of its values.
        max_rows: that one message may hold.
    """

    def __init__(
        self, task: TaskSpec, columns: ColumnReader, flat: FlatJson, max_rows: int
    ) -> None:
        self._max_rows = max_rows
        self._task = task
        self._columns = columns
        self._flat = flat
        self._n = len(columns.names) if columns.are_named else task.inputs[0].size

    def read(self, text: str) -> Content | None:
        """What the text holds; None where it is no CSV.

        Raises:
            InvalidMessageError: it is CSV, and can't be served.
        """
        n_lines = text.count("\n")
        if n_lines > self._max_rows + 1 and any(s in text[:_LOOK] for s in _SEPARATORS):
            check_n_rows(n_lines, self._max_rows)
        # In one column any of them may be part of a text.
        likely = _SEPARATORS if self._n == 1 else [s for s in _SEPARATORS if s in text] or [","]
        found = [(s, rows) for s in likely if (rows := _rows(text, s)) is not None]
        fitting = [rows for _, rows in found if {len(row) for row in rows} == {self._n}]
        named = [
            rows for _, rows in found if len(rows) > 1 and self._columns.layout(rows[0]).is_known
        ]
        if named:
            header, *rows = named[0]
            if any(len(row) != len(header) for row in rows):
                raise InvalidMessageError(
                    Reason.WRONG_LENGTH,
                    f"a line has not the {counted(len(header), 'value')} of the header",
                )
            return self._content(dict(zip(header, row, strict=True)) for row in rows)
        if fitting and self._columns.are_named:
            names = self._flat.in_order(self._n)
            return self._content(dict(zip(names, row, strict=True)) for row in fitting[0])
        if fitting and len(self._task.inputs) == 1:
            return self._numbers(fitting[0])
        widths = {len(row) for _, rows in found for row in rows} - {1}
        if widths:
            raise InvalidMessageError(
                Reason.WRONG_LENGTH,
                f"looks like a line of CSV with {counted(max(widths), 'value')}; task "
                f"{self._task.name} takes "
                f"{self._n}" + (f": {self._columns.names[:10]}" if self._columns.are_named else ""),
            )
        return None

    def _content(self, found: Iterable[dict[str, str]]) -> Content:
        rows = list(found)
        check_n_rows(len(rows), self._max_rows)
        if len(rows) == 1:
            return Content([self._columns.read(rows[0])])
        return Content(read_each(self._columns.read, rows))

    def _numbers(self, rows: list[list[str]]) -> Content | None:
        check_n_rows(len(rows), self._max_rows)
        try:
            return Content([[[float(cell) for cell in row]] for row in rows])
        except ValueError:
            return None


def _rows(text: str, separator: str) -> list[list[str]] | None:
    """The lines' cells; None where there is none."""
    lines = text.strip("\r\n").splitlines()
    try:
        rows = [row for row in csv.reader(lines, delimiter=separator, strict=True) if row]
    except csv.Error:
        return None
    return [[cell.strip() for cell in row] for row in rows] or None
