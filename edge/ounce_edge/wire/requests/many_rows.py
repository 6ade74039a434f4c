"""A message of several rows. Each row waits and is decided like a message of its own; one answer
goes back, when all have theirs."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
from ounce_schemas.errors import InvalidMessageError
from ounce_schemas.prediction import MARKS, Prediction
from ounce_schemas.request import AnswerForm

from ounce_edge.wire.answers.answer_forms import EXPLAINED, AnswerForms
from ounce_edge.wire.records import Record
from ounce_edge.wire.requests.request_head import RequestHead

_decode = msgspec.json.Decoder(Prediction).decode
_json = msgspec.json.Encoder().encode


class ManyRows:
    """The message, and what came of its rows until now.

    Args:
        record: as read.
        n: rows.
        json_id: of the message, as JSON text.
    """

    def __init__(self, record: Record, n: int, json_id: bytes) -> None:
        self.record = record
        self.json_id = json_id
        self._answers: list[bytes] = [b""] * n
        self._n_left = n
        self.error: InvalidMessageError | None = None
        """Why there is no answer: a row has none."""
        self.release: Callable[[], None] = lambda: None
        """Called once, when the message has come to its end."""

    def answer(self, row: int, body: bytes) -> bool:
        """A row's answer, in V2; whether it was the last one that was missing."""
        self._answers[row] = body
        return self._end_one()

    def fail(self, error: InvalidMessageError) -> bool:
        """A row has no answer; whether it was the last one that was missing."""
        self.error = self.error or error
        return self._end_one()

    def abandon(self) -> None:
        """Others own its partition: they answer it."""
        self.release()
        self.release = lambda: None

    @property
    def answers(self) -> Sequence[bytes]:
        """Of its rows, in order; complete once none is missing."""
        return self._answers

    def _end_one(self) -> bool:
        self._n_left -= 1
        if not self._n_left:
            self.abandon()
        return not self._n_left


class Row(NamedTuple):
    """One row of such a message."""

    of: ManyRows
    number: int
    """From 0."""


def write_rows(rows: ManyRows, head: RequestHead, forms: AnswerForms) -> bytes:
    """The answer to a message whose rows all have theirs.

    Flat JSON is a list of one object a row, and raw answers stand one behind the other. The other
    forms hold one document whose outputs have N rows.

    Args:
        rows: the message.
        head: of its record.
        forms: of its task.
    """
    form = forms.of(head)
    if form is AnswerForm.FLAT:
        return b"[" + b",".join([forms.write(body, head) for body in rows.answers]) + b"]"
    if form is AnswerForm.RAW:
        return b"".join([forms.write(body, head) for body in rows.answers])
    return forms.write(_joined(rows), head)


def _joined(rows: ManyRows) -> bytes:
    """One answer in V2. It names the model and plan of most rows, and the model of each where they
    differ."""
    each = [_decode(body) for body in rows.answers]
    if not all(answer.parameters.explanation for answer in each):
        for answer in each:  # of all rows or of none: an output has N rows
            answer.outputs = [o for o in answer.outputs if o.name not in EXPLAINED]
    _as_wide(each)
    models = [answer.model_name for answer in each]
    usual = max(dict.fromkeys(models), key=models.count)
    first = next(answer for answer in each if answer.model_name == usual)
    outputs: list[dict[str, Any]] = [
        {
            "name": output.name,
            "shape": [len(each), *output.shape[1:]],
            "datatype": output.__struct_config__.tag,
            "data": [value for answer in each for value in answer.outputs[i].data],
        }
        for i, output in enumerate(first.outputs)
    ]
    if len(set(models)) > 1:
        outputs.append({"name": "model", "shape": [len(each)], "datatype": "BYTES", "data": models})
    return _json(
        {
            "model_name": first.model_name,
            "model_version": first.model_version,
            "id": msgspec.json.decode(rows.json_id),
            "parameters": _parameters(first, each),
            "outputs": outputs,
        }
    )


def _as_wide(each: Sequence[Prediction]) -> None:
    """Texts have other numbers of words: shorter rows of an explanation get empty names, which
    contributed 0."""
    fillings: tuple[tuple[str, Any], ...] = (("contributions", 0.0), ("explained_inputs", ""))
    for name, nothing in fillings:
        outputs: list[Any] = [o for answer in each for o in answer.outputs if o.name == name]
        width = max((len(output.data) for output in outputs), default=0)
        for output in outputs:
            output.data = [*output.data, *[nothing] * (width - len(output.data))]
            output.shape = [1, width]


def _parameters(first: Prediction, each: Sequence[Prediction]) -> dict[str, Any]:
    """How the rows' answers came about: sums of costs, the longest time, and what all kept."""
    own = [answer.parameters for answer in each]
    how = msgspec.to_builtins(first.parameters)
    how |= {
        "rows": len(each),
        "reason": next((p.reason for p in own if p.reason.is_fallback), first.parameters.reason),
        "expected_accuracy": round(sum(p.expected_accuracy for p in own) / len(own), 6),
        "latency_ms": max(p.latency_ms for p in own),
        "deadline_met": all(p.deadline_met for p in own),
        "floor_met": all(p.floor_met for p in own),
        "cost_ms": _rounded(sum(p.cost_ms for p in own)),
        "saved_ms": _rounded(sum(p.saved_ms for p in own)),
        "gpu_ms": _rounded(sum(p.gpu_ms or 0.0 for p in own)),
        "cost": _rounded(sum(p.cost or 0.0 for p in own)),
        "cost_saved": _rounded(sum(p.cost_saved or 0.0 for p in own)),
        **{name: any(getattr(p, name) for p in own) for name in MARKS},
    }
    why_not = [p.not_explained for p in own if p.not_explained]
    if why_not:
        how |= {"not_explained": why_not[0], "explanation": None, "explained": None}
    absent = {name for name in MARKS if not how[name]}
    absent |= {n for n in ("not_explained", "explanation", "explained") if how[n] is None}
    if first.parameters.objective is None:
        absent |= {"objective", "cost", "cost_saved"}
    absent |= {name for name in ("rejected", "gpu_ms") if not how[name]}
    return {name: value for name, value in how.items() if name not in absent}


def _rounded(number: float) -> float:
    return float(f"{number:.4g}")
