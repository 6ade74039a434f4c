"""Reading one request: format, id, targets and wanted outputs, and the values as they came."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace
from ounce_schemas.errors import InvalidMessageError, Reason
from ounce_schemas.policy import EffectivePolicy
from ounce_schemas.request import AnswerForm
from ounce_schemas.task import TaskKind, TaskSpec

from ounce_edge.wire.batch import OutputNames
from ounce_edge.wire.formats.content import Content, ItemData
from ounce_edge.wire.formats.image_file import PixelReader, read_pixels
from ounce_edge.wire.formats.recognition import Recogniser
from ounce_edge.wire.formats.schemas import Schemas
from ounce_edge.wire.header_names import NamedHeaders, as_headers, by_usual_names
from ounce_edge.wire.records import Headers
from ounce_edge.wire.requests.request_head import (
    RequestHead,
    as_form,
    check_id,
    check_max_latency_ms,
    check_min_accuracy,
    read_head,
)

_SHORT: Mapping[TaskKind, OutputNames] = {
    "classification": ("label", "confidence"),
    "regression": ("value", "interval"),
    "anomaly": ("label", "p_value"),
    "clusters": ("label", "distance"),
}
OUTPUTS: Mapping[TaskKind, OutputNames] = {
    "classification": ("label", "confidence", "probabilities"),
    "regression": ("value", "interval"),
    "anomaly": ("label", "p_value", "score", "confidence"),
    "clusters": ("label", "distance", "confidence"),
}
"""Outputs of a JSON request that names none, in order."""


@dataclass(slots=True)
class ParsedRequest:
    """One valid request whose values are not yet a tensor."""

    row: int
    """Its place among the records."""
    headers: NamedHeaders
    """Also those that the body holds, as an event in structured mode does."""
    head: RequestHead
    id: str | None
    outputs: OutputNames
    max_latency_ms: float | None
    """None: it says nothing."""
    min_accuracy: float | None
    """None: it says nothing."""
    data: ItemData
    explanation: bool | None = None
    """None: it says nothing."""
    item: int = 0
    """Which row of its message it is."""
    n_rows: int = 1
    """Of its message."""

    @property
    def own_id(self) -> str | None:
        """Of the row, where its sender named the message."""
        return self.id if self.id is None or self.n_rows == 1 else f"{self.id}/{self.item}"


class RequestParser:
    """Parses requests of one task under its policy.

    Args:
        task: what is asked.
        policy: of the task.
        schemas: of framed bodies.
        pixels: reads image files.
    """

    def __init__(
        self,
        task: TaskSpec,
        policy: EffectivePolicy,
        schemas: Schemas | None = None,
        pixels: PixelReader = read_pixels,
    ) -> None:
        self._policy = policy
        self.formats = Recogniser(task, schemas, policy.max_rows, pixels)
        self.raw_bytes = self.formats.raw_bytes
        """Length of a raw body; None: the task takes none."""
        self.short: OutputNames = _SHORT[task.kind]
        """What the answer to a raw body holds."""
        self.all = OUTPUTS[task.kind]
        """What the answer to another body holds that does not say."""

    def parse(self, row: int, headers: Headers | None, body: bytes | None) -> list[ParsedRequest]:
        """The rows of one request; their values are not looked at yet.

        Args:
            row: its place among the records.
            headers: of the record.
            body: its value.

        Raises:
            InvalidMessageError: it can't be served.
        """
        named = by_usual_names(headers)
        head = read_head(named)
        content = self.formats.read(head, self._checked_value(body))
        if content.attributes:
            named = by_usual_names([*as_headers(content.attributes), *(headers or ())])
            head = read_head(named)
        if content.answer is not None and head.answer is None:
            head = replace(head, answer=as_form(content.answer))
        n_rows = len(content.items)
        id_ = head.id or check_id(content.id or "") or None
        outputs = self.short if content.is_raw else self._requested(content.outputs)
        asked = _asked(head, content)
        explanation = content.explanation if head.explanation is None else head.explanation
        if explanation and self._form(head) is AnswerForm.RAW:
            raise InvalidMessageError(
                Reason.BAD_TARGET,
                "an answer in the form raw has no room for an explanation; ask for another form, "
                f"such as {AnswerForm.FLAT}, or for no explanation",
            )
        return [
            ParsedRequest(row, named, head, id_, outputs, *asked, data, explanation, item, n_rows)
            for item, data in enumerate(content.items)
        ]

    def refuses_explanation(self, heads: Sequence[RequestHead]) -> bool:
        """Whether a request asks for an explanation in raw bytes."""
        return any(head.explanation and self._form(head) is AnswerForm.RAW for head in heads)

    def _form(self, head: RequestHead) -> AnswerForm:
        return head.answer or self._policy.answer

    def _checked_value(self, value: bytes | None) -> bytes:
        if value is None:
            raise InvalidMessageError(
                Reason.NULL_VALUE, "the record has no value; send the input as its value"
            )
        if len(value) > self._policy.max_body_bytes:
            raise InvalidMessageError(
                Reason.TOO_LARGE,
                f"body of {len(value)} bytes is over the policy's "
                f"max_body_bytes {self._policy.max_body_bytes}",
            )
        return value

    def _requested(self, outputs: Sequence[str] | None) -> OutputNames:
        if not outputs:
            return self.all
        names = tuple(dict.fromkeys(outputs))
        unknown = [name for name in names if name not in self.all]
        if unknown:
            raise InvalidMessageError(
                Reason.UNKNOWN_OUTPUT, f"outputs {unknown} are not of {list(self.all)}"
            )
        return names


def _asked(head: RequestHead, content: Content) -> tuple[float | None, float | None]:
    """Deadline and floor: of the headers, else of the body."""
    latency, accuracy = head.max_latency_ms, head.min_accuracy
    if latency is None and content.max_latency_ms is not None:
        latency = check_max_latency_ms(content.max_latency_ms)
    if accuracy is None and content.min_accuracy is not None:
        accuracy = check_min_accuracy(content.min_accuracy)
    return latency, accuracy
