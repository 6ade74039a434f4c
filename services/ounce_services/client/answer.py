"""What came of a request: an answer, or why there is none."""

from dataclasses import dataclass
from typing import Any

import msgspec
from ounce_schemas.dead_letter import HEADER_REASON, HEADER_TEXT
from ounce_schemas.errors import OunceError
from ounce_schemas.json_errors import NO_JSON
from ounce_schemas.prediction import Prediction

_decode = msgspec.json.Decoder(Prediction).decode


@dataclass(frozen=True)
class Answer:
    """A prediction, and how it came about."""

    id: str
    label: str | None
    """Classification: the class."""
    confidence: float | None
    """Classification: of the label, in [0, 1]."""
    value: float | None
    """Regression: the quantity."""
    interval: tuple[float, float] | None
    """Regression: where the true value is expected."""
    labels: tuple[str, ...]
    """Classification: of each row, where the request had several."""
    values: tuple[float, ...]
    """Regression: likewise."""
    model: str
    plan: str
    reason: str
    latency_ms: float
    """From sending to the answer, as the worker measured it."""
    deadline_met: bool
    floor_met: bool
    explanation: "AnswerExplanation | None"
    """What each input contributed; None: it says nothing of that, or has several rows."""
    prediction: Prediction
    """All that the answer says."""


@dataclass(frozen=True)
class AnswerExplanation:
    """What each input contributed: base and contributions add up to the score."""

    method: str
    """A value of `ounce_schemas.explanation.Method`."""
    score: str
    """A value of `ounce_schemas.explanation.Score`."""
    base: float
    contributions: dict[str, float]
    """By input, in the model's order."""


class RefusedError(OunceError):
    """A request that became a dead letter.

    Attributes:
        id: of the request.
        reason: a code such as `missing-input`.
        text: what was wrong, and what to send instead.
    """

    def __init__(self, id_: str, reason: str, text: str) -> None:
        super().__init__(f"{reason}: {text}")
        self.id = id_
        self.reason = reason
        self.text = text


def read_answer(body: bytes) -> Answer:
    """An answer from its record's value.

    Raises:
        ValueError: it is none.
    """
    try:
        prediction = _decode(body)
    except NO_JSON as e:
        raise ValueError(f"no prediction: {e}; it begins {body[:40]!r}") from e
    data: dict[str, list[Any]] = {output.name: output.data for output in prediction.outputs}
    how = prediction.parameters
    low_high = data.get("interval")
    return Answer(
        id=prediction.id,
        label=_first(data.get("label")),
        confidence=_first(data.get("confidence")),
        value=_first(data.get("value")),
        interval=None if low_high is None else (low_high[0], low_high[1]),
        labels=tuple(data.get("label", ())),
        values=tuple(data.get("value", ())),
        model=prediction.model_name,
        plan=how.plan,
        reason=how.reason,
        latency_ms=how.latency_ms,
        deadline_met=how.deadline_met,
        floor_met=how.floor_met,
        explanation=_explanation(prediction, data),
        prediction=prediction,
    )


def _explanation(prediction: Prediction, data: dict[str, list[Any]]) -> AnswerExplanation | None:
    how = prediction.parameters
    if how.explanation is None or how.explained is None or (how.rows or 1) > 1:
        return None
    names, values, base = (
        data.get(name, []) for name in ("explained_inputs", "contributions", "explained_base")
    )
    if len(names) != len(values) or len(base) != 1:
        raise ValueError(f"no prediction: {prediction.id!r} lacks a part of its explanation")
    return AnswerExplanation(
        how.explanation, how.explained, float(base[0]), dict(zip(names, values, strict=True))
    )


def read_refusal(id_: str, headers: dict[str, bytes | None]) -> RefusedError:
    """Why a request became a dead letter, from the letter's headers."""
    reason, text = (headers.get(name) or b"" for name in (HEADER_REASON, HEADER_TEXT))
    return RefusedError(id_, reason.decode(errors="replace"), text.decode(errors="replace"))


def _first(data: list[Any] | None) -> Any:
    return data[0] if data else None
