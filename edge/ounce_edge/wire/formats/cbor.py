"""CBOR bodies (RFC 8949), which hold what JSON does. Needs the extra `cbor`."""

from typing import Any, NoReturn

from ounce_schemas.errors import InvalidMessageError, Reason

_DEEPEST = 32
_SELF_DESCRIBED = b"\xd9\xd9\xf7"
_REFUSED = (0, 1, 4, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004, 43000)
"""Tags that the library would read. Few bytes of some take very long or much memory, as parts that
refer to each other do. Left are numbers of many digits (2 and 3), and the mark in front."""
_MOST_BITS = 14_000
"""Of a whole number: about as many digits as JSON's may have."""


def is_cbor(value: bytes) -> bool:
    """Whether it begins as CBOR's object does; no JSON and no other text does."""
    start = value.removeprefix(_SELF_DESCRIBED)[:1]
    return b"\xa0" <= start <= b"\xbb" or start == b"\xbf"


def read_cbor(value: bytes) -> Any:
    """Decode a document.

    Raises:
        InvalidMessageError: it can't be read, it holds more than JSON can, or the extra is absent.
    """
    try:
        import cbor2
    except ImportError:
        raise InvalidMessageError(
            Reason.UNKNOWN_CONTENT_TYPE,
            "body looks like CBOR, which this worker does not read: send JSON, or install the "
            "worker with the extra `cbor`",
        ) from None
    try:
        found = cbor2.loads(
            value.removeprefix(_SELF_DESCRIBED),
            tag_hook=_refuse,
            semantic_decoders=dict.fromkeys(_REFUSED, _refuse),
            max_depth=_DEEPEST,
            allow_duplicate_keys=False,
            strict_hashable_types=True,  # numbers as names could be chosen to collide
        )
        return _as_json(found)
    except (cbor2.CBORError, ValueError) as e:
        cause = e.__cause__ or e
        raise InvalidMessageError(
            Reason.MALFORMED_JSON,
            f"body is no CBOR that can be read: {str(cause)[:200]}; send objects with texts as "
            "names, each name once",
        ) from None


def _refuse(*_: Any) -> NoReturn:
    raise ValueError("it has a tag, which JSON can't hold")


def _as_json(found: Any) -> Any:
    if isinstance(found, int) and found.bit_length() > _MOST_BITS:
        raise ValueError("it holds a whole number of too many digits")
    if found is None or isinstance(found, str | bool | int | float):
        return found
    if isinstance(found, list):
        return [_as_json(part) for part in found]
    if isinstance(found, dict) and all(isinstance(name, str) for name in found):
        return {name: _as_json(part) for name, part in found.items()}
    raise ValueError(f"it holds a {type(found).__name__}, which JSON can't")
