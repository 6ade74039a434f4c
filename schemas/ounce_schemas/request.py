"""A request on the wire: CloudEvents headers, and an Open Inference Protocol V2 JSON body.

Among the other body formats is the task's input as raw little-endian tensor bytes.
"""

from enum import StrEnum
from typing import Any, Literal

import msgspec

HEADER_ID = "ce_id"
HEADER_SOURCE = "ce_source"
HEADER_MAX_LATENCY_MS = "ce_maxlatencyms"
HEADER_MIN_ACCURACY = "ce_minaccuracy"
HEADER_EXPLANATION = "ce_explanation"
"""`true` or `false`: whether the answer says what each input contributed."""
HEADER_CONTENT_TYPE = "content-type"
HEADER_TRACEPARENT = "traceparent"
HEADER_TENANT = "ce_tenant"
"""CloudEvents' extension: on whose behalf the device asks."""
HEADER_JSON_BYTES = "inference-header-content-length"
"""Of the protocol's binary tensor data: how many bytes of the body are JSON."""

HEADER_ANSWER = "ounce-answer"
"""A value of `AnswerForm`: how the sender wants its answer."""
HEADER_REPLY = "ce_ouncereply"
"""Where a gateway sends the answer on: its own words, of at most 512 bytes."""
HEADERS_RETURNED = ("tracestate", "ce_traceparent", "ce_tracestate", HEADER_REPLY)
"""They come back as they are, as `traceparent` does."""

CONTENT_TYPE_EVENT = "application/cloudevents+json"
CONTENT_TYPE_JSON = "application/json"
CONTENT_TYPE_RAW = "application/octet-stream"

REQUEST_EVENT_TYPE = "io.ounce.request"


class AnswerForm(StrEnum):
    """How an answer is written."""

    V2 = "v2"
    """Open Inference Protocol V2."""
    FLAT = "flat"
    """One flat JSON object."""
    CLOUDEVENTS = "cloudevents"
    """A CloudEvent in structured mode, whose data is V2."""
    RAW = "raw"
    """Little-endian: label index (int32) and confidence or p-value (float32); of a regression
    value, low and high (float32)."""


class FloatTensor(msgspec.Struct, tag_field="datatype", tag="FP32"):
    """An input tensor of numbers; `data` is flat, row-major; null is a missing value."""

    name: str
    shape: list[int]
    data: list[float | None]
    parameters: dict[str, Any] | None = None


class PixelTensor(msgspec.Struct, tag_field="datatype", tag="UINT8"):
    """An image; `data` is flat, row-major, each value from 0 to 255."""

    name: str
    shape: list[int]
    data: list[int]
    parameters: dict[str, Any] | None = None


class TextTensor(msgspec.Struct, tag_field="datatype", tag="BYTES"):
    """An input tensor of UTF-8 texts; `data` is flat, row-major; "" is a missing value."""

    name: str
    shape: list[int]
    data: list[str]
    parameters: dict[str, Any] | None = None


class RequestedOutput(msgspec.Struct):
    """Names one output that the answer should hold."""

    name: Literal[
        "label", "confidence", "probabilities", "value", "interval", "p_value", "score", "distance"
    ]
    parameters: dict[str, Any] | None = None


class RequestParameters(msgspec.Struct):
    """Targets in the body. Headers, where present, come before them."""

    max_latency_ms: float | None = None
    min_accuracy: float | None = None
    answer: AnswerForm | None = None
    explanation: bool | None = None
    """Whether the answer says what each input contributed."""


class Request(msgspec.Struct):
    """An Open Inference Protocol V2 inference request that holds one item.

    Shapes are `[1, *item shape]` or the item's own shape.
    """

    inputs: list[FloatTensor | PixelTensor | TextTensor]
    id: str | None = None
    parameters: RequestParameters | None = None
    outputs: list[RequestedOutput] | None = None
