"""From what a program knows of an answer's truth to the record of a label."""

import math

import msgspec
import numpy as np
from ounce_schemas.cells import as_text
from ounce_schemas.errors import InvalidMessageError, Reason
from ounce_schemas.label import MOST_LABEL_BYTES, Label

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
    if not id_:
        raise _bad("it has no id: give that of the answer, `Answer.id`")
    if (label is None) is (value is None):
        raise _bad("give either label=, the true class, or value=, the true value")
    if value is not None and not math.isfinite(value):
        raise _bad(f"the value {value} is not finite: give a number")
    text = None if label is None else _class_text(label)
    body = _encode(Label(id_, text, None if value is None else float(value)))
    if len(body) > MOST_LABEL_BYTES:
        raise _bad(f"it takes {len(body)} bytes, more than {MOST_LABEL_BYTES}: use shorter ids")
    return body


def _class_text(label: object) -> str:
    if isinstance(label, np.generic):
        label = label.item()
    text = as_text(label) if isinstance(label, str | int | float) else ""
    if not text:
        raise _bad(f"the label {str(label)[:40]!r} names no class: give a text or a number")
    return text


def _bad(text: str) -> InvalidMessageError:
    return InvalidMessageError(Reason.BAD_LABEL, text)
