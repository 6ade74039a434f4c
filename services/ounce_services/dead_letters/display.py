"""Bytes that may be anything, as text that a terminal can take."""

import json
from collections.abc import Iterator

import msgspec
from ounce_schemas.json_errors import NO_JSON
from ounce_schemas.wording import counted, utc_text

_DUMP_WIDTH = 16
_MOST_DUMPED_BYTES = 4096


def plain(value: bytes | None) -> str:
    """Printable text as it is, other bytes in hex, and a dash for null."""
    if value is None:
        return "-"
    text = _printable(value)
    return f"0x{value.hex()}" if text is None else text


def quoted(value: bytes | None) -> str:
    """Text in quotes, so that null, nothing and the word null differ; other bytes in hex."""
    if value is None:
        return "null"
    text = _printable(value)
    return f"hex {value.hex()}" if text is None else json.dumps(text, ensure_ascii=False)


def one_line(text: str) -> str:
    """Text without line breaks or anything else that a terminal would act on."""
    return "".join(c if c.isprintable() else _escape(c) for c in text)


def shortened(text: str, width: int) -> str:
    """At most `width` characters, the last of them an ellipsis where some are left out."""
    return text if len(text) <= width else f"{text[: width - 1]}…"


def utc(timestamp_ms: int) -> str:
    """RFC 3339, to the millisecond; a dash where there is no timestamp."""
    return utc_text(timestamp_ms, sep="T", timespec="milliseconds", end="Z")


def body_lines(value: bytes | None) -> Iterator[str]:
    """A body for a person: JSON indented, other bytes as the beginning of a hex dump."""
    if value is None:
        yield "null"
        return
    text = _pretty_json(value)
    if text is not None:
        yield from map(one_line, text.split("\n"))
        return
    yield from hex_dump(value[:_MOST_DUMPED_BYTES])
    if len(value) > _MOST_DUMPED_BYTES:
        yield f"... {counted(len(value) - _MOST_DUMPED_BYTES, 'byte')} more; --raw writes all"


def hex_dump(value: bytes) -> Iterator[str]:
    """Lines of 16 bytes: offset, hex, and the printable ASCII among them."""
    for start in range(0, len(value), _DUMP_WIDTH):
        row = value[start : start + _DUMP_WIDTH]
        hexes = f"{row[:8].hex(' ')}  {row[8:].hex(' ')}".ljust(3 * _DUMP_WIDTH)
        ascii_ = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        yield f"{start:08x}  {hexes}  |{ascii_}|"


def _pretty_json(value: bytes) -> str | None:
    """Indented, numbers and texts as they were written; None if it is no JSON document."""
    if value.lstrip()[:1] not in (b"{", b"["):  # four raw bytes may be a number by chance
        return None
    try:
        return msgspec.json.format(value, indent=2).decode()
    except NO_JSON:
        return None


def _printable(value: bytes) -> str | None:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() else None


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode()
