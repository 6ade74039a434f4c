"""A row that is written as a list of names and values.

SenML is such a list (RFC 8428). So are the metrics of Sparkplug B and of OpenTelemetry in JSON, and
the readings of EdgeX. Each names the two parts in its own way.
"""

from collections.abc import Mapping
from typing import Any

from ounce_edge.wire.formats.columns import ColumnReader
from ounce_edge.wire.formats.content import as_float

_NAMES = ("n", "name", "resourceName", "variable", "code")
_VALUES = (
    "v", "vs", "vb", "value", "asDouble", "asInt",
    "floatValue", "doubleValue", "intValue", "longValue", "booleanValue", "stringValue",
)  # fmt: skip
_OF_POINTS = ("gauge", "sum")
"""Of OpenTelemetry: objects that hold the values of a metric."""
_LONGEST_BASE = 200
"""Characters: each name repeats it."""


def row_of_pairs(parts: Any, columns: ColumnReader) -> dict[str, Any] | None:
    """The row of a list of pairs; None where it is none, where it has no column of the task, or
    one twice.

    SenML's base name counts where a column is called by it and the name. Its base value is added.
    """
    if not isinstance(parts, list) or not columns.are_named:
        return None
    row = _row(parts, columns)
    return row if row is not None and columns.knows_any(row) else None


def strange_pairs(parts: Any, columns: ColumnReader) -> dict[str, Any] | None:
    """The row of a list of pairs that has no column of the task, and is no list of rows either."""
    if not isinstance(parts, list) or not columns.are_named or not parts:
        return None
    row = _row(parts, columns)
    if not row or columns.knows_any(row) or columns.knows_any(parts[0]):
        return None
    return row


def _row(parts: list[Any], columns: ColumnReader) -> dict[str, Any] | None:
    row: dict[str, Any] = {}
    base, base_value = "", 0.0
    for part in parts:
        if not isinstance(part, dict):
            return None
        base, base_value = part.get("bn", base), part.get("bv", base_value)
        name, value = _first(part, _NAMES), _value_of(part)
        if name is None and "bn" in part:
            name = ""
        if not isinstance(name, str) or not isinstance(base, str) or len(base) > _LONGEST_BASE:
            return None
        if base and (columns.knows_any([base + name]) or not columns.knows_any([name])):
            name = base + name
        if value is None:
            continue
        if name in row and columns.knows_any([name]):
            return None
        row[name] = _sum(value, base_value)
    return row


def _value_of(part: Mapping[str, Any]) -> Any:
    """The one value of a pair; None where it has none, or several."""
    points = next((p for k in _OF_POINTS if isinstance(p := part.get(k), dict)), {}).get(
        "dataPoints"
    )
    if isinstance(points, list):
        part = points[0] if len(points) == 1 and isinstance(points[0], dict) else {}
    value = _first(part, _VALUES)
    return None if isinstance(value, dict | list) else value


def _sum(value: Any, base: Any) -> Any:
    are_numbers = type(value) in (int, float) and type(base) in (int, float)
    return as_float(value) + as_float(base) if base and are_numbers else value


def _first(part: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((part[name] for name in names if name in part), None)
