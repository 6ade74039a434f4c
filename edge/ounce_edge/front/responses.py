"""What callers hear, as responses of aiohttp."""

from typing import Any

import msgspec
from aiohttp import web
from ounce_schemas.request import CONTENT_TYPE_JSON

from ounce_edge.front.statuses import NotAnsweredError

HEADER_SERVER = "Server"
SERVER_NAME = "ounce"
_encode = msgspec.json.Encoder().encode


def json_response(document: dict[str, Any], status: int = 200) -> web.Response:
    """A JSON object.

    Args:
        document: the object.
        status: of HTTP.
    """
    return web.Response(body=_encode(document), status=status, content_type=CONTENT_TYPE_JSON)


def refusal(error: NotAnsweredError) -> web.Response:
    """The error object of the protocol.

    Args:
        error: why there is no answer.
    """
    return web.Response(
        body=error.body,
        status=error.status,
        content_type=CONTENT_TYPE_JSON,
        headers=error.headers,
    )
