"""Reading one request: format, id, targets and wanted outputs, and the values as they came."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ounce_schemas.errors import InvalidMessageError, Reason
from ounce_schemas.policy import EffectivePolicy
from ounce_schemas.request import Request, RequestedOutput
from ounce_schemas.task import TaskKind, TaskSpec

from ounce_edge.wire.batch import OutputNames
from ounce_edge.wire.records import Headers
from ounce_edge.wire.request_body import read_body, tensor_data
from ounce_edge.wire.request_head import (
    ReadAttributes,
    RequestHead,
    check_id,
    check_max_latency_ms,
    check_min_accuracy,
    read_head,
)

_SHORT: Mapping[TaskKind, OutputNames] = {
    "classification": ("label", "confidence"),
    "regression": ("value", "interval"),
    "anomaly": ("label", "p_value"),
}
_ALL: Mapping[TaskKind, OutputNames] = {
    "classification": ("label", "confidence", "probabilities"),
    "regression": ("value", "interval"),
    "anomaly": ("label", "p_value", "score", "confidence"),
}


@dataclass(slots=True)
class ParsedRequest:
    """One valid request whose values are not yet a tensor."""

    row: int
    """Its place among the records."""
    head: RequestHead
    id: str | None
    outputs: OutputNames
    max_latency_ms: float | None
    """None: it says nothing."""
    min_accuracy: float | None
    """None: it says nothing."""
    data: bytes | list[list[Any]]
    """Raw tensor bytes, or the flat data of each input."""


class RequestParser:
    """Parses requests of one task under its policy.

    Args:
        task: what is asked.
        policy: of the task.
        read_attributes: reads the headers that rules of the policy look at.
    """

    def __init__(
        self,
        task: TaskSpec,
        policy: EffectivePolicy,
        read_attributes: ReadAttributes | None = None,
    ) -> None:
        self._read_attributes = read_attributes
        self._task = task
        self._policy = policy
        self.raw_bytes = 4 * task.inputs[0].size if task.accepts_raw else None
        """Length of a raw body; None: the task takes none."""
        self.short: OutputNames = _SHORT[task.kind]
        """What the answer to a raw body holds."""
        self.all = _ALL[task.kind]
        """What the answer to a JSON body holds that does not say."""

    def parse(self, row: int, headers: Headers | None, body: bytes | None) -> ParsedRequest:
        """One request; its values are not looked at yet.

        Args:
            row: its place among the records.
            headers: of the record.
            body: its value.

        Raises:
            InvalidMessageError: it can't be served.
        """
        head = read_head(headers, self._read_attributes)
        value = self._checked_value(body)
        if not self.is_json(head, value):
            return ParsedRequest(
                row, head, head.id, self.short, head.max_latency_ms, head.min_accuracy, value
            )
        request = read_body(value)
        return ParsedRequest(
            row,
            head,
            head.id or check_id(request.id or "") or None,
            self._requested(request.outputs),
            *_asked(head, request),
            tensor_data(request, self._task),
        )

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

    def is_json(self, head: RequestHead, value: bytes) -> bool:
        """Which format the body has, and for raw bytes, that they have the right length.

        Without a content type a body is JSON if it begins with a brace, unless it has exactly the
        raw input's length and does not parse.
        """
        is_json = head.is_json
        if is_json is None:
            is_json = value[:1] == b"{"
            if is_json and len(value) == self.raw_bytes:
                try:
                    read_body(value)
                except InvalidMessageError as e:
                    is_json = e.reason is not Reason.MALFORMED_JSON
        if is_json:
            return True
        if self.raw_bytes is None:
            raise InvalidMessageError(
                Reason.UNKNOWN_CONTENT_TYPE,
                f"task {self._task.name} takes JSON bodies only (Open Inference Protocol V2)",
            )
        if len(value) != self.raw_bytes:
            spec = self._task.inputs[0]
            raise InvalidMessageError(
                Reason.WRONG_LENGTH,
                f"raw body has {len(value)} bytes; {spec.size} little-endian float32 need "
                f"{self.raw_bytes}, and a JSON body begins with a brace",
            )
        return False

    def _requested(self, outputs: Sequence[RequestedOutput] | None) -> OutputNames:
        if not outputs:
            return self.all
        names = tuple(dict.fromkeys(output.name for output in outputs))
        unknown = [name for name in names if name not in self.all]
        if unknown:
            raise InvalidMessageError(
                Reason.UNKNOWN_OUTPUT, f"outputs {unknown} are not of {list(self.all)}"
            )
        return names


def _asked(head: RequestHead, request: Request) -> tuple[float | None, float | None]:
    """Deadline and floor: of the headers, else of the body."""
    latency, accuracy, body = head.max_latency_ms, head.min_accuracy, request.parameters
    if body is not None:
        if latency is None and body.max_latency_ms is not None:
            latency = check_max_latency_ms(body.max_latency_ms)
        if accuracy is None and body.min_accuracy is not None:
            accuracy = check_min_accuracy(body.min_accuracy)
    return latency, accuracy
