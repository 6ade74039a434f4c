"""Labels as people write them: numbers for classes, several in a list, within envelopes."""

import math
from collections.abc import Mapping
from typing import Any

import msgspec
from ounce_schemas.cells import as_text, parse_number
from ounce_schemas.errors import InvalidMessageError
from ounce_schemas.json_errors import NO_JSON
from ounce_schemas.label import Label
from ounce_schemas.task import TaskSpec
from ounce_schemas.wording import shown

from ounce_edge.wire.formats.connect import is_envelope, read_payload
from ounce_edge.wire.formats.framed import FRAME_BYTES, schema_id_of
from ounce_edge.wire.formats.json_text import is_json_like, plain_text, read_document

_DEEPEST = 4
"""Envelopes within envelopes."""
_MOST_SHOWN = 10
_TEXTS = ("id", "label", "source", "device")
_EXAMPLE = '{"id": "reading-17", "label": "7"}'
_decode = msgspec.json.Decoder(Label).decode


def decode_labels(value: bytes) -> list[Label]:
    """The labels that a record's value holds; an id may still be missing.

    Raises:
        ValueError: it holds none; the text says why.
    """
    if schema_id_of(value) is not None and is_json_like(value[FRAME_BYTES:]):
        value = value[FRAME_BYTES:]
    try:
        label = _decode(value)
        if label.label is not None or label.value is not None:
            return [label]
    except NO_JSON:  # what is wrong of it is told below
        pass
    try:
        found = read_document(plain_text(value))
    except InvalidMessageError as e:
        raise _NoLabelError(e.text) from e
    return _labels(found, 0)


def no_truth(label: Label, task: TaskSpec) -> str | None:
    """Why a label is no truth of a task; None: it may be one."""
    if task.classifies:
        if label.value is not None or label.label is None:
            return f"a label of task {task.name} has `label`, one of its classes, and no `value`"
        if label.label not in task.labels:
            known = [text[:40] for text in task.labels[:_MOST_SHOWN]]
            return f"{label.label[:40]!r} is no class of task {task.name}; it has {known}"
        return None
    if label.label is not None or label.value is None:
        return f"a label of task {task.name} has `value`, a number, and no `label`"
    if math.isfinite(label.value):
        return None
    return f"the value {label.value} is not finite: send a number, such as 21.5"


class _NoLabelError(ValueError):
    """What a record's value holds is no label."""

    def __init__(self, why: str) -> None:
        super().__init__(f"{why}; a label is {_EXAMPLE}, for example")


def _labels(found: Any, depth: int) -> list[Label]:
    if isinstance(found, list) and found and depth < _DEEPEST:
        return [label for part in found for label in _labels(part, depth + 1)]
    if isinstance(found, dict) and depth < _DEEPEST:
        if "specversion" in found:
            return [_of_event(label, found) for label in _labels(found.get("data"), depth + 1)]
        if is_envelope(found):
            return _labels(read_payload(found), depth + 1)
        texts = {name: _text(found, name) for name in _TEXTS}
        return [Label(value=_number(found.get("value")), **texts)]
    raise _NoLabelError(f"{shown(found)} is neither an object nor a list of some")


def _of_event(label: Label, event: Mapping[str, Any]) -> Label:
    """As for headers: where the label has no id, the event's id and source count."""
    if not label.id:
        label.id = _text(event, "id")
        label.source = label.source or _text(event, "source")
    return label


def _text(found: Mapping[str, Any], name: str) -> str | None:
    """A text, or a number or truth value as the text that ids and classes are."""
    value = found.get(name)
    if isinstance(value, int | float):
        return as_text(value)
    if value is None or isinstance(value, str):
        return value
    raise _NoLabelError(f"its `{name}` is {shown(value)}: send a text or a number")


def _number(value: Any) -> float | None:
    if value is None:
        return None
    number = parse_number(value) if isinstance(value, str) else value
    try:
        if isinstance(number, int | float) and not isinstance(number, bool):
            return float(number)
    except OverflowError:
        pass
    raise _NoLabelError(f"its `value` is {shown(value)}: send a number, such as 21.5")
