"""InfluxDB's line protocol, which Telegraf writes by default.

Source: https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/
"""

import re
from typing import Any

from ounce_edge.wire.formats.columns import ColumnReader

_KEY = r"((?:\\.|[^,= \\])+)"
_TAG = re.compile(rf",{_KEY}={_KEY}")
_FIELD = re.compile(rf'{_KEY}=("(?:\\.|[^"\\])*"|[^, "]+)')
_SERIES = re.compile(r"(?:\\.|[^,= \\])+")
_END = re.compile(r"(?: -?\d+)?\s*$")
_ESCAPED = re.compile(r"\\([,= \"\\])")
_BOOLEANS = {
    **dict.fromkeys(("t", "T", "true", "True", "TRUE"), True),
    **dict.fromkeys(("f", "F", "false", "False", "FALSE"), False),
}


def line_rows(text: str, columns: ColumnReader) -> list[dict[str, Any]] | None:
    """The rows of a text, a line each: its tags and fields by name; None where it is no line
    protocol, or no name is a column's."""
    if "=" not in text or not columns.are_named:
        return None
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    rows = []
    for line in lines:
        row = _row(line)
        if row is None or not columns.knows_any(row):
            return None
        rows.append(row)
    return rows or None


def _row(line: str) -> dict[str, Any] | None:
    found = _SERIES.match(line)
    if found is None:
        return None
    at, row = found.end(), dict[str, Any]()
    while tag := _TAG.match(line, at):
        row[_plain(tag[1])] = _plain(tag[2])
        at = tag.end()
    separator = " "
    while line[at : at + 1] == separator:
        field = _FIELD.match(line, at + 1)
        if field is None:
            break
        row[_plain(field[1])] = _value(field[2])
        at, separator = field.end(), ","
    return row if separator == "," and _END.match(line, at) else None


def _value(text: str) -> Any:
    if text.startswith('"'):
        return _plain(text[1:-1])
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    return text[:-1] if text[-1] in "iu" else text


def _plain(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)
