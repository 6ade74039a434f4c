"""Answers in other forms than Open Inference Protocol V2, made from it."""

import struct
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from ounce_schemas.prediction import MARKS, PREDICTION_EVENT_TYPE, Prediction
from ounce_schemas.request import (
    CONTENT_TYPE_EVENT,
    CONTENT_TYPE_JSON,
    CONTENT_TYPE_RAW,
    HEADER_REPLY,
    HEADER_TRACEPARENT,
    AnswerForm,
)
from ounce_schemas.task import TaskSpec

from ounce_edge.wire.requests.request_head import RequestHead

CONTENT_TYPES = {
    AnswerForm.V2: CONTENT_TYPE_JSON,
    AnswerForm.FLAT: CONTENT_TYPE_JSON,
    AnswerForm.CLOUDEVENTS: CONTENT_TYPE_EVENT,
    AnswerForm.RAW: CONTENT_TYPE_RAW,
}
_json = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Prediction).decode
EXPLAINED = ("explained_base", "contributions", "explained_inputs")
"""Outputs of an explanation."""


class AnswerForms:
    """Writes answers of one task in the form that each sender asks for.

    Args:
        task: the task.
        usual: form of answers to requests that name none.
    """

    def __init__(self, task: TaskSpec, usual: AnswerForm) -> None:
        self._task = task
        self.usual = usual
        self._places = {label: i for i, label in enumerate(task.labels)}
        self._write: dict[AnswerForm, Callable[[bytes, RequestHead], bytes]] = {
            AnswerForm.V2: lambda body, head: body,
            AnswerForm.FLAT: lambda body, head: _json(self._flat(body)),
            AnswerForm.CLOUDEVENTS: self._event,
            AnswerForm.RAW: lambda body, head: self._raw(body),
        }

    def of(self, head: RequestHead) -> AnswerForm:
        """The form of the answer to a request."""
        return head.answer or self.usual

    def all_usual(self, heads: Sequence[RequestHead]) -> bool:
        """Whether all are to be answered in V2."""
        return self.usual is AnswerForm.V2 and not any([head.answer for head in heads])  # noqa: C419  faster

    def write(self, body: bytes, head: RequestHead) -> bytes:
        """An answer in its sender's form.

        Args:
            body: the answer in V2.
            head: of the request.
        """
        return self._write[self.of(head)](body, head)

    def _flat(self, body: bytes) -> dict[str, Any]:
        prediction = _decode(body)
        outputs = {
            output.name: output.data if output.name == "interval" else output.data[0]
            for output in prediction.outputs
            if output.name not in ("probabilities", *EXPLAINED)
        }
        how = prediction.parameters
        return {
            "id": prediction.id,
            **outputs,
            "model": prediction.model_name,
            "reason": how.reason,
            "latency_ms": how.latency_ms,
            "deadline_met": how.deadline_met,
            "floor_met": how.floor_met,
            **{name: True for name in MARKS if getattr(how, name)},
            **_flat_explanation(prediction),
        }

    def _event(self, body: bytes, head: RequestHead) -> bytes:
        # A gateway reads its address in the header; whoever asked has no use for it.
        trace = {HEADER_TRACEPARENT: head.traceparent, **dict(head.trace)}
        attributes = {
            "specversion": "1.0",
            "id": _decode(body).id,
            "source": f"/ounce/{self._task.name}",
            "type": PREDICTION_EVENT_TYPE,
            "datacontenttype": CONTENT_TYPE_JSON,
            **{
                name.removeprefix("ce_"): value.decode(errors="replace")
                for name, value in trace.items()
                if value and name != HEADER_REPLY
            },
        }
        return _json(attributes)[:-1] + b',"data":' + body + b"}"

    def _raw(self, body: bytes) -> bytes:
        data = {output.name: output.data for output in _decode(body).outputs}
        if self._task.kind == "regression":
            width = "d" if self._task.offset else "f"
            return struct.pack(f"<3{width}", *data["value"], *data["interval"])
        sure = next(data[name] for name in ("p_value", "distance", "confidence") if name in data)
        return struct.pack("<if", self._places[str(data["label"][0])], *sure)


def _flat_explanation(prediction: Prediction) -> dict[str, Any]:
    """An explanation as one object, or why there is none; empty where none was asked for."""
    how = prediction.parameters
    if how.not_explained:
        return {"not_explained": how.not_explained}
    if not how.explanation:
        return {}
    data = {output.name: output.data for output in prediction.outputs}
    base, contributions, inputs = (data[name] for name in EXPLAINED)
    explanation = {
        "method": how.explanation,
        "score": how.explained,
        "base": base[0],
        "contributions": dict(zip(inputs, contributions, strict=True)),
    }
    return {"explanation": explanation}
