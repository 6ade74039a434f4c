"""Reading answers in each form that a policy may have: V2, flat JSON, CloudEvents, raw."""

import struct
from collections.abc import Mapping
from typing import Any

import msgspec
from ounce_schemas.json_errors import NO_JSON
from ounce_schemas.prediction import Decision, NumberOutput, Prediction, TextOutput
from ounce_schemas.request import HEADER_ID
from ounce_schemas.routing import Choice
from ounce_schemas.task import TaskSpec
from ounce_schemas.wording import counted

NOT_SAID = float("nan")
_decode = msgspec.json.Decoder(Prediction).decode
_decode_any = msgspec.json.Decoder().decode


class _Flat(msgspec.Struct):
    id: str
    model: str
    reason: Choice
    latency_ms: float
    deadline_met: bool
    floor_met: bool
    label: str | None = None
    confidence: float | None = None
    value: float | None = None
    interval: list[float] | None = None


def read_prediction(
    value: bytes, headers: Mapping[str, bytes | None], spec: TaskSpec
) -> Prediction:
    """An answer as V2 has it. What its form leaves out is `NOT_SAID`, and a model without a name.

    Args:
        value: of its record.
        headers: of its record.
        spec: the task.

    Raises:
        ValueError: it is no answer, or has no id.
    """
    if value[:1] != b"{":
        return _of_raw(value, headers, spec)
    try:
        return _decode(value)
    except NO_JSON as e:
        error = e
    try:
        document = _decode_any(value)
        if isinstance(document, dict) and "specversion" in document:
            return msgspec.convert(document.get("data"), Prediction)
        return _of_flat(msgspec.convert(document, _Flat), spec)
    except NO_JSON:
        raise ValueError(f"no answer: {error}") from None


def _of_flat(flat: _Flat, spec: TaskSpec) -> Prediction:
    found = _decision(spec, flat.reason)
    found.latency_ms = flat.latency_ms
    found.deadline_met, found.floor_met = flat.deadline_met, flat.floor_met
    texts = {"label": flat.label}
    numbers = {"confidence": flat.confidence, "value": flat.value}
    outputs: list[NumberOutput | TextOutput] = [
        *(TextOutput(name, [1], [text]) for name, text in texts.items() if text is not None),
        *(NumberOutput(name, [1], [x]) for name, x in numbers.items() if x is not None),
    ]
    if flat.interval is not None:
        outputs.append(NumberOutput("interval", [1, 2], flat.interval))
    return Prediction(flat.model, "", flat.id, found, outputs)


def _of_raw(value: bytes, headers: Mapping[str, bytes | None], spec: TaskSpec) -> Prediction:
    id_ = (headers.get(HEADER_ID) or b"").decode(errors="replace")
    if not id_:
        raise ValueError(f"a raw answer without a header {HEADER_ID}")
    outputs: list[NumberOutput | TextOutput]
    try:
        if spec.classifies:
            index, sure = struct.unpack("<if", value)
            label = spec.labels[index] if 0 <= index < len(spec.labels) else ""
            outputs = [TextOutput("label", [1], [label]), NumberOutput("confidence", [1], [sure])]
        else:
            width = "d" if spec.offset else "f"
            found, low, high = struct.unpack(f"<3{width}", value)
            outputs = [
                NumberOutput("value", [1], [found]),
                NumberOutput("interval", [1, 2], [low, high]),
            ]
    except struct.error as e:
        raise ValueError(f"no answer: {counted(len(value), 'byte')}, {e}") from None
    return Prediction("", "", id_, _decision(spec, Choice.LIGHTEST_FEASIBLE), outputs)


def _decision(spec: TaskSpec, reason: Choice) -> Decision:
    more: dict[str, Any] = dict.fromkeys(
        ("max_latency_ms", "min_accuracy", "expected_accuracy", "latency_ms"), NOT_SAID
    )
    return Decision(
        task=spec.name,
        plan="",
        reason=reason,
        policy_version="",
        catalogue_version="",
        deadline_met=False,
        floor_met=False,
        cost_ms=0.0,
        saved_ms=0.0,
        **more,
    )
