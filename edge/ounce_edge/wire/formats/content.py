"""What a body holds, whichever format it is in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ounce_schemas.errors import InvalidMessageError, Reason

ItemData = bytes | list[list[Any]]
"""One item: raw tensor bytes, or the flat data of each input in the task's order."""

TARGETS = frozenset({"max_latency_ms", "min_accuracy"})


@dataclass(slots=True)
class Content:
    """What a body says; None where it says nothing."""

    items: Sequence[ItemData]
    id: str | None = None
    outputs: Sequence[str] | None = None
    max_latency_ms: float | None = None
    min_accuracy: float | None = None
    answer: str | None = None
    """A value of `AnswerForm`."""
    attributes: dict[str, Any] = field(default_factory=dict)
    """Of a CloudEvent in structured mode, by their names."""
    is_raw: bool = False
    is_batch: bool = False
    """The sender speaks of several items, also where it is a list of one."""

    def add_targets(self, found: Any) -> None:
        """Take the targets that are not known yet from an object.

        Raises:
            InvalidMessageError: one is no number.
        """
        if not isinstance(found, Mapping):
            return
        if self.answer is None and isinstance(found.get("answer"), str):
            self.answer = found["answer"]
        for name in TARGETS & found.keys():
            if getattr(self, name) is None:
                setattr(self, name, as_target(name, found[name]))


def as_id(value: Any) -> str | None:
    """An id of JSON: a text, or a whole number."""
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise InvalidMessageError(
        Reason.MALFORMED_JSON, f"id {str(value)[:40]!r} is no text and no whole number"
    )


def as_target(name: str, value: Any) -> float | None:
    """A target of JSON.

    Raises:
        InvalidMessageError: no number.
    """
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise InvalidMessageError(
        Reason.BAD_TARGET, f"{name} holds {str(value)[:40]!r}, which is no number"
    )
