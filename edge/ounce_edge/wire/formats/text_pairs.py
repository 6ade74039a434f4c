"""Names and values in a text, as small devices and web forms write them: `heat=21.5&light=4`."""

from typing import Any
from urllib.parse import unquote_plus

from ounce_edge.wire.formats.columns import ColumnReader

_BETWEEN = ("\n", "&", ";", ",", None)
"""What stands between pairs, None for blanks. The first that makes pairs of all parts counts."""
_MOST_PAIRS = 10_000


def row_in_text(text: str, columns: ColumnReader) -> dict[str, Any] | None:
    """The row of a text; None where it is none, or has a name twice, or none that is a column's."""
    if not columns.are_named or not ("=" in text or ":" in text):
        return None
    for between in _BETWEEN:
        parts = [part for part in text.strip().split(between, _MOST_PAIRS) if part.strip()]
        pairs = [pair for part in parts if (pair := _pair(part)) is not None]
        if len(parts) == len(pairs) > 1:
            read = unquote_plus if between == "&" else str
            row = {read(name): read(value) for name, value in pairs}
            return row if len(row) == len(pairs) and columns.knows_any(row) else None
    alone = None if "\n" in text.strip() else _pair(text)
    return dict([alone]) if alone is not None and columns.knows_any(alone[:1]) else None


def _pair(part: str) -> tuple[str, str] | None:
    """A name and its value; None where it is something else."""
    mark = min((at for mark in "=:" if (at := part.find(mark)) >= 0), default=0)
    name, value = part[:mark].strip(), part[mark + 1 :].strip()
    if not name:
        return None
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return name, value[1:-1] if quoted else value
