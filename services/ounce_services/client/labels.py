"""From what a program knows of an answer's truth to the record of a label."""

import math

import msgspec
import numpy as np
from ounce_schemas.cells import as_text
from ounce_schemas.errors import InvalidMessageError, Reason
from ounce_schemas.label import MOST_LABEL_BYTES, Label
from ounce_schemas.wording import shown

_encode = msgspec.json.Encoder().encode


def label_body(id_: str, label: object, value: float | None) -> bytes:
    """The value of a label's record.

    Args:
        id_: of the answer.
        label: of a classification: the true class, as a text or a number; None: it is none.
        value: of a regression: the true value; None: it is none.

    Raises:
        InvalidMessageError: no worker could use it.
    """
    if not isinstance(id_, str) or not id_:
        raise _bad(f"it has the id {shown(id_)}: give that of the answer, `Answer.id`")
    if (label is None) is (value is None):
        raise _bad("give either label=, the true class, or value=, the true value")
    text = None if label is None else _class_text(label)
    number = None if value is None else _number(value)
    try:
        body = _encode(Label(id_, text, number))
    except UnicodeEncodeError as e:
        raise _bad(f"{shown(e.object)} is no text that UTF-8 can write: give another") from e
    if len(body) > MOST_LABEL_BYTES:
        raise _bad(f"it takes {len(body)} bytes, more than {MOST_LABEL_BYTES}: use shorter ids")
    return body


def _class_text(label: object) -> str:
    if isinstance(label, np.generic):
        label = label.item()
    try:
        text = as_text(label) if isinstance(label, str | int | float) else ""
    except ValueError:  # Python writes no number of so many digits
        text = ""
    if not text:
        raise _bad(f"the label {shown(label)} names no class: give a text or a number")
    return text


def _number(value: float) -> float:
    try:
        if math.isfinite(value):
            return float(value)
    except (TypeError, ValueError, OverflowError):  # Python's words for what is no number
        pass
    raise _bad(f"the value {shown(value)} is no finite number: give one, such as 21.5")


def _bad(text: str) -> InvalidMessageError:
    return InvalidMessageError(Reason.BAD_LABEL, text)
