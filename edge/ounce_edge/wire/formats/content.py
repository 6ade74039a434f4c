"""What a body holds, whichever format it is in."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ounce_schemas.cells import parse_number
from ounce_schemas.errors import InvalidMessageError, Reason

R = TypeVar("R")
T = TypeVar("T")
ItemData = bytes | list[list[Any]]
"""One item: raw tensor bytes, or the flat data of each input in the task's order."""

_MOST_DIMENSIONS = 32
_LARGEST = 2**31
"""Of a tensor's sizes. The product of more, or of larger ones, takes long."""
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
    explanation: bool | None = None
    """Whether the answer says what each input contributed."""
    attributes: dict[str, Any] = field(default_factory=dict)
    """Of a CloudEvent in structured mode, by their names."""
    is_raw: bool = False

    def add_targets(self, found: Any) -> None:
        """Take the targets that are not known yet from an object.

        Raises:
            InvalidMessageError: one is no number.
        """
        if not isinstance(found, Mapping):
            return
        if self.answer is None and isinstance(found.get("answer"), str):
            self.answer = found["answer"]
        if self.explanation is None and isinstance(found.get("explanation"), bool):
            self.explanation = found["explanation"]
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
    """A target of JSON, or of a text, whose numbers are texts, too.

    Raises:
        InvalidMessageError: no number.
    """
    if value is None:
        return None
    if isinstance(value, str) and (number := parse_number(value)) is not None:
        return None if math.isnan(number) else number
    if isinstance(value, int | float) and not isinstance(value, bool):
        return as_float(value)
    raise InvalidMessageError(
        Reason.BAD_TARGET, f"{name} holds {str(value)[:40]!r}, which is no number"
    )


def as_float(number: float) -> float:
    """A number of JSON; infinite where it is a whole one over a float's range."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def n_values(shape: Sequence[Any]) -> int | None:
    """Values of a tensor of this shape; None where no message could hold one."""
    if len(shape) > _MOST_DIMENSIONS:
        return None
    are_sizes = all(type(size) is int and 0 <= size <= _LARGEST for size in shape)
    return math.prod(shape) if are_sizes else None


def check_n_rows(n: int, most: int) -> None:
    """Refuse a message of too many rows before they are read.

    Raises:
        InvalidMessageError: there are more than `most`, or none.
    """
    if not n:
        raise InvalidMessageError(Reason.WRONG_SHAPE, "the message holds no row; send at least 1")
    if n > most:
        raise InvalidMessageError(
            Reason.TOO_LARGE,
            f"the message holds {n} rows, over the policy's max_rows {most}; send several messages",
        )


def read_each(read: Callable[[R], T], rows: Iterable[R]) -> list[T]:
    """What each row holds.

    Raises:
        InvalidMessageError: one can't be served; the text says which.
    """
    found = []
    for i, row in enumerate(rows):
        try:
            found.append(read(row))
        except InvalidMessageError as e:
            raise in_row(i, e) from None
    return found


def in_row(number: int, error: InvalidMessageError) -> InvalidMessageError:
    """The error, with the row of its message, from 0."""
    return InvalidMessageError(error.reason, f"row {number}: {error.text}")
