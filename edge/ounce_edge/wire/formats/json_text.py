"""Reading JSON as programs write it: with a byte order mark, in UTF-16, with Python's NaN."""

import codecs
import json
import re
from collections.abc import Callable
from typing import Any

import msgspec
from ounce_schemas.errors import InvalidMessageError, Reason
from ounce_schemas.json_errors import NO_JSON

_STARTS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"{\0", "utf-16-le"),
    (b"[\0", "utf-16-le"),
    (b"\0{", "utf-16-be"),
    (b"\0[", "utf-16-be"),
)
"""How a text begins that is no plain UTF-8, and its encoding."""
_NAMES = (b"NaN", b"Infinity")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_decode = msgspec.json.Decoder().decode


def is_json_like(value: bytes) -> bool:
    """Whether the first byte that is no blank is a brace or a bracket."""
    return value[:64].lstrip()[:1] in (b"{", b"[")


def plain_text(value: bytes) -> bytes:
    """The same text as UTF-8 without a byte order mark; anything else as it is."""
    encoding = next((name for start, name in _STARTS if value.startswith(start)), None)
    try:
        return value if encoding is None else value.decode(encoding).encode()
    except UnicodeError:
        return value


def read_document(value: bytes) -> Any:
    """Decode a JSON document, or a list of the objects that stand in lines of their own; NaN and
    infinite numbers as Python writes them are read as well. Programs in C send the zero byte at the
    end of a text, too.

    Raises:
        InvalidMessageError: not JSON, or a name stands twice in an object.
    """
    value = value.rstrip(b"\0")
    try:
        return _read_one(value)
    except InvalidMessageError:
        lines = [line for line in value.splitlines() if line.strip()]
        if len(lines) < 2 or not all(line.lstrip().startswith(b"{") for line in lines):
            raise
    return [_read_one(line) for line in lines]


def _read_one(value: bytes) -> Any:
    try:
        document = _decode(value)
    except NO_JSON as e:
        if not any(name in value for name in _NAMES):
            raise not_json(value, e) from None
        document = None
    else:
        # As many colons as names: no name can stand twice. Texts may hold more.
        if type(document) is dict and value.count(b":") == len(document):
            return document
    try:
        return strict_loads(value, _object)
    except (ValueError, RecursionError) as e:
        raise not_json(value, e) from None


def strict_loads(
    value: bytes, as_object: Callable[[list[tuple[str, Any]]], Any] | None = None
) -> Any:
    """`json.loads` of UTF-8 without half of a surrogate pair, which no answer could hold.

    Args:
        value: the document.
        as_object: makes an object of its names and values; None: a dict.

    Raises:
        ValueError: not JSON.
    """
    document = json.loads(value.decode(), object_pairs_hook=as_object)
    if _SURROGATE.search(value):
        json.dumps(document, ensure_ascii=False).encode()
    return document


def is_json(value: bytes) -> bool:
    """Whether all of it is one JSON document."""
    try:
        read_document(value)
    except InvalidMessageError:
        return False
    return True


def not_json(value: bytes, error: Exception) -> InvalidMessageError:
    """Why these bytes are no JSON."""
    why = "it is nested too deeply" if isinstance(error, RecursionError) else error
    return InvalidMessageError(
        Reason.MALFORMED_JSON, f"body is not JSON: {why}; it begins {value[:40]!r}"
    )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidMessageError(
            Reason.MALFORMED_JSON,
            f"the name {twice[:40]!r} stands twice in an object; send each name once",
        )
    return result


def is_text(value: bytes) -> bool:
    """Whether it is UTF-8 without control characters but tabs and ends of lines."""
    if not value or any(byte < 32 and byte not in b"\t\r\n" for byte in value[:4096]):
        return False
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
