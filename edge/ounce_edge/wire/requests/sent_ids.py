"""The id that a sender gave its request, without a task to read the request by."""

from typing import Any

import msgspec
from ounce_schemas.errors import InvalidMessageError
from ounce_schemas.json_errors import NO_JSON

from ounce_edge.wire.formats.content import as_id
from ounce_edge.wire.formats.json_text import plain_text
from ounce_edge.wire.requests.request_head import check_id


class _Named(msgspec.Struct):
    """What a body says of itself."""

    id: Any = None


_decode = msgspec.json.Decoder(_Named).decode


def sent_id(header: bytes, body: bytes) -> str | None:
    """The id of the header `ce_id`, or that of a JSON object; None where there is none that can
    come back."""
    try:
        id_ = header.decode(errors="replace") or as_id(_decode(plain_text(body)).id)
        return None if id_ is None else check_id(id_)
    except (*NO_JSON, InvalidMessageError):
        return None
