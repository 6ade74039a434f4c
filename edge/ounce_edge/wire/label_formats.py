"""Labels as people write them: numbers for classes, several in a list, within envelopes."""

import math
from collections.abc import Mapping
from typing import Any

import msgspec
from ounce_schemas.cells import as_text
from ounce_schemas.errors import InvalidMessageError
from ounce_schemas.json_errors import NO_JSON
from ounce_schemas.label import Label
from ounce_schemas.task import TaskSpec

from ounce_edge.wire.formats.connect import is_envelope, read_payload
from ounce_edge.wire.formats.framed import FRAME_BYTES, schema_id_of
from ounce_edge.wire.formats.json_text import is_json_like, plain_text, read_document

_DEEPEST = 4
"""Envelopes within envelopes."""
_MOST_SHOWN = 10
_TEXTS = ("id", "label", "source", "device")
_decode = msgspec.json.Decoder(Label).decode


def decode_labels(value: bytes) -> list[Label]:
    """The labels that a record's value holds; an id may still be missing.

    Raises:
        ValueError: it holds none; the text says why.
    """
    error: Exception = ValueError("it names no truth")
    if schema_id_of(value) is not None and is_json_like(value[FRAME_BYTES:]):
        value = value[FRAME_BYTES:]
    try:
        label = _decode(value)
        if label.label is not None or label.value is not None:
            return [label]
    except NO_JSON as e:
        error = e
    try:
        return _labels(read_document(plain_text(value)), 0)
    except (InvalidMessageError, msgspec.ValidationError):
        raise ValueError(f"its value is no label: {error}") from error


def no_truth(label: Label, task: TaskSpec) -> str | None:
    """Why a label is no truth of a task; None: it may be one."""
    if task.classifies:
        if label.value is not None or label.label is None:
            return f"a label of task {task.name} has `label`, one of its classes, and no `value`"
        if label.label not in task.labels:
            shown = [text[:40] for text in task.labels[:_MOST_SHOWN]]
            return f"{label.label[:40]!r} is no class of task {task.name}; it has {shown}"
        return None
    if label.label is not None or label.value is None:
        return f"a label of task {task.name} has `value`, a number, and no `label`"
    return None if math.isfinite(label.value) else f"the value {label.value} is not finite"


def _labels(found: Any, depth: int) -> list[Label]:
    if isinstance(found, list) and found and depth < _DEEPEST:
        return [label for part in found for label in _labels(part, depth + 1)]
    if isinstance(found, dict) and depth < _DEEPEST:
        if "specversion" in found:
            return [_of_event(label, found) for label in _labels(found.get("data"), depth + 1)]
        if is_envelope(found):
            return _labels(read_payload(found), depth + 1)
        return [msgspec.convert(_plain(found), Label, strict=False)]
    raise msgspec.ValidationError("neither an object nor a list of some")


def _of_event(label: Label, event: Mapping[str, Any]) -> Label:
    """As for headers: where the label has no id, the event's id and source count."""
    if not label.id:
        own = _plain({name: event.get(name) for name in ("id", "source")})
        label.id = own["id"]
        label.source = label.source or own["source"]
    return label


def _plain(found: Mapping[str, Any]) -> dict[str, Any]:
    """With numbers and truth values as the texts that ids and classes are."""
    return {
        name: as_text(value) if name in _TEXTS and isinstance(value, int | float) else value
        for name, value in found.items()
    }
