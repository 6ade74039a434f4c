"""Avro bodies, without the header of a file. Needs the extra `registry`."""

import io
import json
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from ounce_edge.wire.formats.schemas import Reader, Schema

_DEEPEST = 64


def avro_reader(schema: Schema) -> Reader:
    """Reads bodies of one schema.

    Args:
        schema: of Avro.

    Raises:
        ValueError: it can't be used. One that holds itself is refused: a body could nest so deeply
            that the decoder overflows its stack.
    """
    import fastavro

    try:
        named: dict[str, Any] = {}
        for text in schema.needed:
            fastavro.parse_schema(json.loads(text), named)
        parsed = fastavro.parse_schema(json.loads(schema.content), named)
    except Exception as e:  # of many kinds
        raise ValueError(f"it is no Avro schema: {type(e).__name__} {e}") from None
    _SizeCheck(named).is_empty(parsed, ())

    def read(body: bytes) -> Any:
        stream = io.BytesIO(body)
        found = fastavro.schemaless_reader(stream, parsed, None)
        if stream.tell() != len(body):
            raise ValueError(f"it ends at byte {stream.tell()} of {len(body)}")
        return _plain(found)

    return read


class _SizeCheck:
    """Finds schemas whose few bytes could hold values without end.

    Args:
        named: definitions by full name.
    """

    def __init__(self, named: dict[str, Any]) -> None:
        self._named = named
        self._known: dict[str, bool] = {"null": True}

    def is_empty(self, schema: Any, within: tuple[str, ...]) -> bool:
        """Whether a value takes no bytes.

        Args:
            schema: as parsed.
            within: named schemas around it.

        Raises:
            ValueError: values may have no end.
        """
        if len(within) > _DEEPEST:
            raise ValueError(f"it nests more than {_DEEPEST} schemas")
        if isinstance(schema, list):
            for part in schema:
                self.is_empty(part, within)
            return False
        if isinstance(schema, str):
            if schema in within:
                raise ValueError(f"{schema} holds itself, and a row of a table does not")
            if schema not in self._known:
                definition = self._named.get(schema)
                empty = definition is not None and self.is_empty(definition, within)
                self._known[schema] = empty
            return self._known[schema]
        kind = schema["type"]
        if kind == "array" and self.is_empty(schema["items"], (*within, "an array")):
            raise ValueError("it has an array whose items take no bytes")
        if kind == "map":
            self.is_empty(schema["values"], (*within, "a map"))
        if kind in ("record", "error"):
            inner = (*within, schema["name"])
            each = [self.is_empty(field["type"], inner) for field in schema["fields"]]
            return all(each)  # each was looked at
        if kind == "fixed":
            return bool(schema["size"] == 0)
        return self.is_empty(kind, within) if isinstance(kind, dict | list) else kind == "null"


def _plain(value: Any) -> Any:
    """As JSON would have it."""
    if isinstance(value, float | int | str | None):
        return value
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, UUID):
        return str(value)
    raise ValueError(f"it holds a {type(value).__name__}, which is no value of a table")
