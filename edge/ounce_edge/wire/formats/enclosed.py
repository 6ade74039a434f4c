"""A document that stands as a text in another one: JSON in a string, or JSON in base64.

Rule engines and queues write so, as EMQX, Google's Pub/Sub and Azure's Event Grid do.
"""

import base64
from collections.abc import Mapping
from typing import Any

from ounce_schemas.errors import InvalidMessageError, Reason

from ounce_edge.wire.formats.json_text import is_json_like, read_document

_NAMES = ("payload", "body", "data", "value", "strData", "msg", "message")
_DEVICES_OWN = ("frm_payload", "payload_raw")
"""Bytes of LoRaWAN's devices, which a network decodes where it is told how. ChirpStack names them
`data`, beside `fPort`."""


def document_within(found: Mapping[str, Any]) -> Any:
    """What the text holds; None where there is no text that looks like a document.

    Raises:
        InvalidMessageError: it looks like JSON and is none, or only its device can read it.
    """
    message = found.get("message")
    for part in (found, message if isinstance(message, dict) else {}):
        for name in _NAMES:
            text = _document(part.get(name))
            if text is not None:
                return read_document(text)
    uplink = found.get("uplink_message", found)
    parts = uplink if isinstance(uplink, dict) else {}
    for name in (*_DEVICES_OWN, *(("data",) if "fPort" in parts else ())):
        if isinstance(parts.get(name), str):
            raise InvalidMessageError(
                Reason.MISSING_INPUT,
                f"`{name}` holds the device's own bytes, and no decoded values stand beside it: "
                "give the network a payload formatter for this device",
            )
    return None


def _document(text: Any) -> bytes | None:
    """JSON of a text, or of its base64; None where it is neither."""
    if not isinstance(text, str):
        return None
    plain = text.encode()
    if is_json_like(plain):
        return plain
    try:
        plain = base64.b64decode(plain, validate=True)
    except ValueError:
        return None
    return plain if is_json_like(plain) else None


def from_base64(text: str, what: str) -> bytes:
    """The bytes that a text stands for.

    Raises:
        InvalidMessageError: it is no base64.
    """
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as e:  # of binascii, or of letters that are not ASCII
        raise InvalidMessageError(Reason.MALFORMED_JSON, f"{what} is no base64: {e}") from None
