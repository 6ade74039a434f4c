"""What became of answered messages: their answers, and the labels that came of them, by id."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from ounce_edge.dry_run.chance_reader import ReadChances
from ounce_edge.dry_run.off_policy import REFUSED
from ounce_schemas.json_errors import NO_JSON
from ounce_schemas.label import Label
from ounce_schemas.prediction import Prediction
from ounce_schemas.request import HEADER_ID

Headers = Sequence[tuple[str, bytes | None]]


class Answer(NamedTuple):
    """What counts of one answer."""

    plan: str
    deadline_met: bool
    cost_ms: float
    predicted: str | float | None
    """Label, or value; None: the request did not ask for it."""


class Rewards(NamedTuple):
    """Of each message; NaN where it is not known; arrays of shape (n,)."""

    deadline_met: NDArray[np.float64]
    right: NDArray[np.float64]
    cost_ms: NDArray[np.float64]


def read_answers(values: Iterable[bytes | None], task: str) -> dict[str, Answer]:
    """Answers of a task by their ids; of several with one id the first counts. What is no answer is
    passed over."""
    found: dict[str, Answer] = {}
    decoder = msgspec.json.Decoder(Prediction)
    for value in values:
        try:
            answer = decoder.decode(value or b"")
        except NO_JSON:
            continue
        of = answer.parameters
        if of.task == task:
            outputs = {output.name: output.data for output in answer.outputs}
            predicted = outputs.get("label") or outputs.get("value") or [None]
            made = Answer(of.plan, of.deadline_met, of.cost_ms, predicted[0])
            found.setdefault(answer.id, made)
    return found


def read_labels(records: Iterable[tuple[bytes | None, Headers]]) -> dict[str, Label]:
    """Labels by the ids of their requests, the first of each; values and headers of records. What
    is no label is passed over."""
    found: dict[str, Label] = {}
    decoder = msgspec.json.Decoder(Label)
    for value, headers in records:
        try:
            label = decoder.decode(value or b"")
        except NO_JSON:
            continue
        id_ = label.id or (dict(headers).get(HEADER_ID) or b"").decode(errors="replace")
        if id_:
            found.setdefault(id_, label)
    return found


def rewards_of(
    read: ReadChances,
    answers: Mapping[str, Answer],
    labels: Mapping[str, Label],
    tolerance: float | None,
) -> Rewards:
    """What each message earned. An id that several decisions answered is not known, nor is an
    answer by another plan than was decided. A refused message earns and costs nothing.

    Args:
        read: the messages.
        answers: by id.
        labels: by id.
        tolerance: greatest error of a right value, where the task has one.
    """
    ids = [msgspec.json.decode(json_id, type=str) for json_id in read.ids]
    counts = Counter(ids)
    rows = np.full((len(ids), 3), np.nan)
    for i, (id_, plan) in enumerate(zip(ids, read.logged.plan.tolist(), strict=True)):
        if counts[id_] > 1:
            continue
        label, answer = labels.get(id_), answers.get(id_)
        if plan == REFUSED:
            rows[i] = 0.0, math.nan if label is None else 0.0, 0.0
        elif answer is not None and answer.plan == read.plans[plan]:
            right = math.nan if label is None else is_right(answer.predicted, label, tolerance)
            rows[i] = float(answer.deadline_met), right, answer.cost_ms
    return Rewards(rows[:, 0], rows[:, 1], rows[:, 2])


def is_right(predicted: str | float | None, label: Label, tolerance: float | None) -> float:
    """1 where the label confirms the answer, 0 where not, NaN where it can't tell."""
    if isinstance(predicted, str):
        return math.nan if label.label is None else float(predicted == label.label)
    if predicted is None or label.value is None or tolerance is None:
        return math.nan
    return float(abs(predicted - label.value) <= tolerance)
