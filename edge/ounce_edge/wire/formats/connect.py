"""The envelope of Kafka Connect's JSON converter. Its schema says what the payload's texts and
numbers stand for: decimals are base64 of their digits, moments are numbers."""

import base64
import binascii
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DEEPEST = 32
_MOST_SCALE = 300
"""Digits behind a decimal's point; a double has no more. Powers of a larger one take hours."""


def is_envelope(document: Mapping[str, Any]) -> bool:
    """Whether a document is one."""
    return document.keys() == {"schema", "payload"}


def read_payload(document: Mapping[str, Any]) -> Any:
    """The payload of an envelope, with decimals as numbers and moments as ISO 8601. A value that is
    not what the schema says stays as it is."""
    return _read(document["schema"], document["payload"], 0)


def _read(schema: Any, value: Any, depth: int) -> Any:
    if not isinstance(schema, dict) or value is None or depth > _DEEPEST:
        return value
    fields = schema.get("fields")
    if isinstance(value, dict) and isinstance(fields, list):
        of = {str(f.get("field")): f for f in fields if isinstance(f, dict)}
        return {name: _read(of.get(name), part, depth + 1) for name, part in value.items()}
    convert = _LOGICAL.get(str(schema.get("name")))
    if convert is None:
        return value
    try:
        return convert(value, schema)
    except (ValueError, TypeError, OverflowError, KeyError, binascii.Error):
        return value


def _decimal(value: Any, schema: Mapping[str, Any]) -> Any:
    if not isinstance(value, str):
        return value
    digits = int.from_bytes(base64.b64decode(value, validate=True), signed=True)
    scale = int(schema["parameters"]["scale"])
    if abs(scale) > _MOST_SCALE:
        raise ValueError(f"scale {scale} is over {_MOST_SCALE}")
    return digits / 10**scale


def _moment(**unit: float) -> Callable[[Any, Mapping[str, Any]], str]:
    """Reads a count of a unit since 1970."""
    return lambda value, schema: (_EPOCH + timedelta(**unit) * value).isoformat()


def _time(**unit: float) -> Callable[[Any, Mapping[str, Any]], str]:
    """Reads a count of a unit since midnight."""
    return lambda value, schema: (_EPOCH + timedelta(**unit) * value).time().isoformat()


_LOGICAL: Mapping[str, Callable[[Any, Mapping[str, Any]], Any]] = {
    "org.apache.kafka.connect.data.Decimal": _decimal,
    "org.apache.kafka.connect.data.Timestamp": _moment(milliseconds=1),
    "org.apache.kafka.connect.data.Date": _moment(days=1),
    "org.apache.kafka.connect.data.Time": _time(milliseconds=1),
    "io.debezium.time.Timestamp": _moment(milliseconds=1),
    "io.debezium.time.MicroTimestamp": _moment(microseconds=1),
    "io.debezium.time.NanoTimestamp": _moment(microseconds=0.001),
    "io.debezium.time.Date": _moment(days=1),
    "io.debezium.time.Time": _time(milliseconds=1),
    "io.debezium.time.MicroTime": _time(microseconds=1),
}
