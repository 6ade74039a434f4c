"""Finding a row within a document of other things, as gateways and clouds wrap it."""

from collections.abc import Iterator, Mapping
from typing import Any

from ounce_edge.wire.formats.columns import ColumnReader
from ounce_edge.wire.formats.pairs import row_of_pairs

_DEEPEST = 6
_MOST_PARTS = 200
_LONGEST_PATH = 200
"""Characters of a path that is followed: each part within repeats it."""


def row_within(document: Mapping[str, Any], columns: ColumnReader) -> Any:
    """The one object within a document that has every column, the one list of such objects or of
    pairs that make up such a row; None where there is none, or where several could be meant.

    An object with some of the columns does not count: it may be limits, or units.
    """
    if not columns.are_named:
        return None
    return row_of_pairs(document.get("e"), columns) or _only_row(_measured(document), columns)


def row_by_paths(document: Mapping[str, Any], columns: ColumnReader) -> dict[str, Any] | None:
    """A row whose values stand in several objects, where a name says how to get there:
    `params.temperature:0.tC`. None where no such name is found.

    Values at the top count by their names alone.
    """
    if not columns.have_paths or not any(isinstance(v, dict | list) for v in document.values()):
        return None
    row: dict[str, Any] = {}
    for path, value in leaves(document):
        if "." not in path or columns.knows_any([path]):
            row[path] = value
        if len(row) > _MOST_PARTS:
            return None
    return row if any("." in path for path in row) else None


def leaves(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Values that are no objects or lists, with their paths. A list of one is passed through."""
    level: list[tuple[str, Any]] = [*document.items()]
    for _ in range(_DEEPEST):
        inner: list[tuple[str, dict[str, Any]]] = []
        for path, part in level:
            found = part[0] if isinstance(part, list) and len(part) == 1 else part
            if not isinstance(found, dict | list):
                yield path, found
            elif isinstance(found, dict) and len(path) <= _LONGEST_PATH:
                inner.append((path, found))
        if not inner or sum(len(found) for _, found in inner) > _MOST_PARTS:
            return
        level = [(f"{path}.{name}", v) for path, found in inner for name, v in found.items()]


def _measured(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a device's shadow or twin reports: it may also hold what is desired, or was before."""
    part = document
    for name in ("current", "state", "properties"):
        part = inner if isinstance(inner := part.get(name), dict) else part
    return found if isinstance(found := part.get("reported"), dict) else document


def _only_row(document: Mapping[str, Any], columns: ColumnReader) -> Any:
    if columns.has_all(document):
        return document
    level: list[Any] = [*document.values()]
    for _ in range(_DEEPEST):
        found = [row for part in level if (row := _as_row(part, columns)) is not None]
        if found:
            return found[0] if len(found) == 1 else None
        inner = [part for part in level if isinstance(part, dict | list)]
        level = [v for p in inner for v in (p.values() if isinstance(p, dict) else p)]
        if not level or len(level) > _MOST_PARTS:
            return None
    return None


def _as_row(part: Any, columns: ColumnReader) -> Any:
    """A row, or rows, that a part is; None where it is none."""
    if isinstance(part, dict):
        return part if columns.has_all(part) else None
    if not isinstance(part, list) or not part:
        return None
    if all(isinstance(p, dict) and columns.has_all(p) for p in part):
        return part
    row = row_of_pairs(part, columns)
    return row if row is not None and columns.has_all(row) else None
