"""Finding a row within a document of other things, as gateways and clouds wrap it."""

from collections.abc import Mapping
from typing import Any

from ounce_edge.wire.formats.columns import ColumnReader

_DEEPEST = 6
_MOST_PARTS = 200
_NAMES = ("n", "name")
_VALUES = ("v", "vs", "vb", "value")


def row_within(document: Mapping[str, Any], columns: ColumnReader) -> Any:
    """The one object within a document that has every column, the one list of such objects, or a
    row of pairs under `e`; None where there is none, or where several could be meant.

    An object with some of the columns does not count: it may be limits, or units.
    """
    if not columns.are_named:
        return None
    return row_of_pairs(document.get("e"), columns) or _only_row(document, columns)


def _only_row(document: Mapping[str, Any], columns: ColumnReader) -> Any:
    level: list[Any] = [*document.values()]
    for _ in range(_DEEPEST):
        found = [part for part in level if _is_row(part, columns)]
        if found:
            return found[0] if len(found) == 1 else None
        inner = [part for part in level if isinstance(part, dict | list)]
        level = [v for p in inner for v in (p.values() if isinstance(p, dict) else p)]
        if not level or len(level) > _MOST_PARTS:
            return None
    return None


def row_of_pairs(parts: Any, columns: ColumnReader) -> dict[str, Any] | None:
    """A row that is written as a list of names and values; None where it is none.

    SenML is such a list (RFC 8428: `n`, and `v`, `vs` or `vb`). Others say `name` and `value`.
    """
    if not isinstance(parts, list) or not columns.are_named:
        return None
    row: dict[str, Any] = {}
    for part in parts:
        name = _first(part, _NAMES) if isinstance(part, dict) else None
        value = _first(part, _VALUES) if name is not None else None
        if not isinstance(name, str) or isinstance(value, dict | list | None) or name in row:
            return None
        row[name] = value
    return row if columns.knows_any(row) else None


def _is_row(part: Any, columns: ColumnReader) -> bool:
    if isinstance(part, list):
        return bool(part) and all(isinstance(p, dict) and _is_row(p, columns) for p in part)
    return isinstance(part, dict) and columns.has_all(part)


def _first(part: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((part[name] for name in names if name in part), None)
