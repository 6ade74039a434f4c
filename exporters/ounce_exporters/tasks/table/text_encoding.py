"""Finding out in which encoding a text file is."""

import codecs
import gzip
import zlib

from ounce_schemas.errors import DataError
from ounce_schemas.wording import counted

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8 with a byte order mark"),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
_MAGIC = {
    b"PAR1": "a Parquet file: name it .parquet",
    b"PK\x03\x04": "a spreadsheet (.xlsx, .ods): save the sheet as .csv; or a zip file: unpack it",
    b"\xd0\xcf\x11\xe0": "a spreadsheet (.xls): save the sheet as .csv",
}
"""First bytes of other files that are called .csv at times."""
_CONTROL = bytes(set(range(32)) - {9, 10, 11, 12, 13, 26})


def unpack(raw: bytes) -> bytes:
    """The content of a gzip file; anything else as it is.

    Raises:
        DataError: it begins as a gzip file and is none.
    """
    if raw[:2] != b"\x1f\x8b":
        return raw
    try:
        return gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as e:
        raise DataError(f"not a whole gzip file: {e}") from e


def find_encoding(raw: bytes, given: str | None) -> tuple[str, str]:
    """The encoding of a text: as given, by its mark, UTF-8 where it is valid, or one byte each.

    Returns:
        Python's name of the codec, and what to call it.

    Raises:
        DataError: the given one is unknown or does not fit, this is no text, or it is in two.
    """
    if given is not None:
        return _check_given(raw, given)
    for mark, codec, name in _MARKS:
        if raw.startswith(mark):
            return _check(raw, codec), name
    for codec, name, zeros in (
        ("utf-16-le", "UTF-16", raw[1::2]),
        ("utf-16-be", "UTF-16", raw[::2]),
    ):
        # Every other byte of mostly ASCII text is zero.
        if raw and zeros[:4096].count(0) > 0.7 * len(zeros[:4096]):
            return _check(raw, codec), name
    if raw.translate(None, _CONTROL) != raw:
        unlike = ": it holds bytes that no text has"
        found = (f" but {what}" for magic, what in _MAGIC.items() if raw.startswith(magic))
        raise DataError(f"not a text file{next(found, unlike)}")
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as e:
        _check_mixed(raw, e.start)
    else:
        return "utf-8", "UTF-8"
    # Windows-1252 adds letters to Latin-1 where Latin-1 has control characters.
    if any(byte in raw for byte in range(0x80, 0xA0)):
        return _check(raw, "cp1252"), "Windows-1252"
    return "latin-1", "Latin-1"


def _check_mixed(raw: bytes, first: int) -> None:
    """Refuse a text that is UTF-8 for the most part: read as one byte each, it would hold `Ã¼` for
    `ü`. In other encodings hardly any letters look like those of UTF-8."""
    read = raw.decode("utf-8", "replace")
    wrong = read.count("\ufffd")
    if sum(character > "\x7f" for character in read) - wrong > wrong:
        line = raw.count(b"\n", 0, first) + 1
        raise DataError(
            f"UTF-8 but for {counted(wrong, 'byte')}, the first in line {line}: mend these, or "
            "say how all of it is written, for example --encoding latin-1"
        )


def _check_given(raw: bytes, given: str) -> tuple[str, str]:
    try:
        codec = codecs.lookup(given).name
        raw.decode(codec)
    except LookupError as e:
        raise DataError(f"--encoding {given!r}: no such encoding") from e
    except UnicodeError as e:
        raise DataError(f"not in {given}: {e}; leave --encoding out to have it found") from e
    return codec, given


def _check(raw: bytes, codec: str) -> str:
    try:
        raw.decode(codec)
    except UnicodeError as e:
        raise DataError(f"not a text file in {codec}: {e}; name another with --encoding") from e
    return codec
