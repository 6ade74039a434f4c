"""KServe's protocol V1: workers read its `instances`; its answer is made of theirs. Pure.

https://kserve.github.io/website/docs/concepts/architecture/data-plane/v1-protocol
"""

from typing import Any

import msgspec
from ounce_schemas.request import CONTENT_TYPE_JSON, HEADER_ANSWER, HEADER_CONTENT_TYPE

from ounce_edge.front.replying import Reply
from ounce_edge.wire.answers.answer_forms import EXPLAINED

ASKED_FORM = (HEADER_ANSWER, "v2")
"""Header of a request whose answer `as_v1` reads."""
ASKED_EXPLANATION = ("ce-explanation", "true")
"""Header of a request that asks for explanations, too."""


class _Output(msgspec.Struct):
    name: str
    data: msgspec.Raw


class _Answer(msgspec.Struct):
    model_name: str
    parameters: dict[str, Any]
    outputs: list[_Output]


class _Explanation(msgspec.Struct):
    method: str
    score: str
    base: float
    contributions: dict[str, float]


class _Predictions(msgspec.Struct, omit_defaults=True):
    predictions: msgspec.Raw
    model_name: str
    parameters: dict[str, Any]
    explanations: list[_Explanation] | None = None


_decode = msgspec.json.Decoder(_Answer).decode
_encode = msgspec.json.Encoder().encode
_numbers = msgspec.json.Decoder(list[float]).decode
_names = msgspec.json.Decoder(list[str]).decode


def as_v1(reply: Reply) -> Reply:
    """The answer of V1: of each row what the first output says, its label or value, and its
    explanation where it has one; beside them the model and what V2's `parameters` tell.

    Args:
        reply: the answer of V2, to a request with `ASKED_FORM`.
    """
    answer = _decode(reply.body)
    body = _encode(
        _Predictions(
            answer.outputs[0].data, answer.model_name, answer.parameters, _explanations(answer)
        )
    )
    return Reply(body, {**reply.headers, HEADER_CONTENT_TYPE: CONTENT_TYPE_JSON})


def _explanations(answer: _Answer) -> list[_Explanation] | None:
    """Of each row; None where they are not explained."""
    data = {output.name: output.data for output in answer.outputs}
    if not data.keys() >= set(EXPLAINED):
        return None
    base, contributions, inputs = (data[name] for name in EXPLAINED)
    pairs = list(zip(_names(inputs), _numbers(contributions), strict=True))
    bases = _numbers(base)
    width = len(pairs) // len(bases)
    method, score = (answer.parameters[name] for name in ("explanation", "explained"))
    return [
        _Explanation(
            method,
            score,
            base,
            # Rows of fewer words are filled up with empty names.
            {name: number for name, number in pairs[i * width : (i + 1) * width] if name},
        )
        for i, base in enumerate(bases)
    ]
