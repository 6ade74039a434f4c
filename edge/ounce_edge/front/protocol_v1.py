"""KServe's protocol V1: workers read its `instances`; its answer is made of theirs. Pure.

https://kserve.github.io/website/docs/concepts/architecture/data-plane/v1-protocol
"""

from typing import Any

import msgspec
from ounce_schemas.request import CONTENT_TYPE_JSON, HEADER_ANSWER, HEADER_CONTENT_TYPE

from ounce_edge.front.replying import Reply

ASKED_FORM = (HEADER_ANSWER, "v2")
"""Header of a request whose answer `as_v1` reads."""


class _Output(msgspec.Struct):
    data: msgspec.Raw


class _Answer(msgspec.Struct):
    model_name: str
    parameters: dict[str, Any]
    outputs: list[_Output]


class _Predictions(msgspec.Struct):
    predictions: msgspec.Raw
    model_name: str
    parameters: dict[str, Any]


_decode = msgspec.json.Decoder(_Answer).decode
_encode = msgspec.json.Encoder().encode


def as_v1(reply: Reply) -> Reply:
    """The answer of V1: of each row what the first output says, its label or value; beside it the
    model and what V2's `parameters` tell.

    Args:
        reply: the answer of V2, to a request with `ASKED_FORM`.
    """
    answer = _decode(reply.body)
    body = _encode(_Predictions(answer.outputs[0].data, answer.model_name, answer.parameters))
    return Reply(body, {**reply.headers, HEADER_CONTENT_TYPE: CONTENT_TYPE_JSON})
