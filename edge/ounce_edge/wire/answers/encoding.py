"""From answers to predictions on the wire.

`ounce_schemas.prediction` defines the document; it is joined here from parts that many messages
share, since building and serialising an object per message costs ten times more.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from ounce_schemas.prediction import MARKS, PREDICTION_EVENT_TYPE
from ounce_schemas.request import (
    HEADER_CONTENT_TYPE,
    HEADER_ID,
    HEADER_SOURCE,
    HEADER_TRACEPARENT,
    AnswerForm,
)
from ounce_schemas.routing import Choice, Objective
from ounce_schemas.task import TaskSpec

from ounce_edge.wire.answers.answer_forms import CONTENT_TYPES, AnswerForms
from ounce_edge.wire.answers.bodies import Bodies
from ounce_edge.wire.answers.explained import ExplainedGroup
from ounce_edge.wire.answers.outputs import OutputEncoder
from ounce_edge.wire.answers.rows_alike import of_each_kind
from ounce_edge.wire.batch import RequestBatch, take
from ounce_edge.wire.records import Headers
from ounce_edge.wire.requests.many_rows import ManyRows, write_rows
from ounce_edge.wire.requests.request_head import RequestHead

_MAX_CACHED, _MAX_KEYS = 4096, 256
"""About so many distinct targets are kept, of so many plans and reasons: targets come from outside,
so they must not grow it."""

_json = msgspec.json.Encoder().encode
_BOOL = (b"false", b"true")
_CONTENT_TYPE = {form: (HEADER_CONTENT_TYPE, t.encode()) for form, t in CONTENT_TYPES.items()}
_MARK_TEXTS = (*(b',"%b":true' % name.encode() for name in MARKS),
               b',"not_explained":"no-model"', b',"not_explained":"targets"')  # fmt: skip
_MARKS = tuple(
    b"".join(text for bit, text in enumerate(_MARK_TEXTS) if number >> bit & 1)
    for number in range(2 ** len(_MARK_TEXTS))
)
"""What few answers have: by 1, 2, 4 and 8 for `MARKS`, and by 16 or 32 for an explanation that is
not there."""


class GroupAnswer(NamedTuple):
    """What one call answered."""

    model_name: str
    model_version: str
    policy_version: str
    plan: str
    choice: Choice
    items: NDArray[np.intp]
    """Which requests of the batch; shape (n,)."""
    result: NDArray[np.float32]
    """The model's output for them; shape (n, output size)."""
    predicted: NDArray[Any]
    """What it says: label indices, or values; shape (n,)."""
    expected_accuracy: float
    accuracy_low: float
    cost_ms: float
    """Compute spent per item."""
    saved_ms: float
    """Compute per item that the most accurate model would have spent more."""
    rejected: Callable[[float], dict[str, str]]
    """For a floor: the plans passed over, and why."""
    gpu_ms: float = 0.0
    """What of `cost_ms` was spent on a GPU."""
    objective: Objective | None = None
    """The policy's, where it is not CPU time."""
    cost: float = 0.0
    """Per item, in the objective's unit, where there is one."""
    cost_saved: float = 0.0
    """Per item, what the most accurate model would have cost more."""
    explained: ExplainedGroup | None = None
    """None: nothing is explained."""
    could_explain: bool = False
    """Whether a model that may answer explains."""
    beliefs: Hashable = None
    """What `rejected` depends on besides the floor."""


class Encoder:
    """Encodes predictions of one task under one catalogue."""

    def __init__(
        self, task: TaskSpec, catalogue_version: str, form: AnswerForm = AnswerForm.V2
    ) -> None:
        self._task = task
        self._forms = AnswerForms(task, form)
        self._catalogue_version = catalogue_version
        self._outputs = OutputEncoder(task.labels, task.false_alarms, task.offset)
        self._event_headers = (
            ("ce_specversion", b"1.0"),
            ("ce_type", PREDICTION_EVENT_TYPE.encode()),
            (HEADER_SOURCE, f"/ounce/{task.name}".encode()),
        )
        self._cache: dict[tuple[Any, ...], dict[tuple[float, float], bytes]] = {}
        """Decisions by deadline and floor, by all else that they depend on."""

    def bodies(
        self,
        batch: RequestBatch,
        answer: GroupAnswer,
        latency_ms: NDArray[np.float64],
        repeats: set[int],
    ) -> Sequence[bytes]:
        """One prediction per item of the group, in the form that its request asks for; V2 of a row
        of several.

        Args:
            batch: the requests.
            answer: the group's answer.
            latency_ms: time from timestamp to now per item of the group; shape (n,).
            repeats: indices into the batch of requests that were answered before.
        """
        head = b'{"model_name":%b,"model_version":%b,"id":' % (
            _json(answer.model_name),
            _json(answer.model_version),
        )
        bodies = Bodies(
            [
                [head] * len(answer.items),
                *(take(column, answer.items) for column in batch.json_ids),
                *self._middles(batch, answer, latency_ms, repeats),
                *self._outputs.columns(
                    answer.result,
                    answer.predicted,
                    take(batch.outputs, answer.items),
                    answer.explained,
                ),
            ]
        )
        if batch.all_bare and self._forms.usual is AnswerForm.V2:
            return bodies
        heads = take(batch.heads, answer.items)
        if self._forms.all_usual(heads):
            return bodies
        if batch.rows is None:
            return list(map(self._forms.write, bodies, heads))
        rows = take(batch.rows, answer.items)
        return [
            self._forms.write(body, head) if row is None else body
            for body, head, row in zip(bodies, heads, rows, strict=True)
        ]

    def join(self, rows: ManyRows, head: RequestHead) -> bytes:
        """The answer to a message whose rows all have theirs."""
        return write_rows(rows, head, self._forms)

    def headers(
        self, batch: RequestBatch, items: NDArray[np.intp]
    ) -> Sequence[Headers | None] | None:
        """Headers of the predictions for `items`: CloudEvents where the request was one."""
        if batch.all_bare and self._forms.usual is AnswerForm.V2:
            return None
        return [self._headers(batch.heads[i]) for i in items.tolist()]

    def _headers(self, head: RequestHead) -> Headers | None:
        form = self._forms.of(head)
        result: list[tuple[str, bytes | None]] = []
        if head.id is not None and form is not AnswerForm.CLOUDEVENTS:
            result = [(HEADER_ID, head.id.encode()), *self._event_headers, _CONTENT_TYPE[form]]
        elif form is not AnswerForm.V2:
            result = [_CONTENT_TYPE[form]]
        if head.traceparent is not None:
            result.append((HEADER_TRACEPARENT, head.traceparent))
        if head.trace:
            result += head.trace
        return result or None

    def _middles(
        self,
        batch: RequestBatch,
        answer: GroupAnswer,
        latency_ms: NDArray[np.float64],
        repeats: set[int],
    ) -> tuple[Sequence[bytes], Sequence[bytes]]:
        """What stands between the id and the outputs, per item: the decision, and what came of it.

        The two are told apart, since many targets times many latencies would be few of each kind.
        """
        key = (
            answer.policy_version,
            answer.model_version,
            answer.plan,
            answer.choice,
            answer.beliefs,
        )
        known = self._decisions(key)

        def decision(latency: float, floor: float) -> bytes:
            found = known.get((latency, floor))
            if found is None:
                found = known[latency, floor] = self._decision(answer, latency, floor)
            return found

        figures = _figures(answer)

        def end(elapsed: float, in_time: float, kept: float, marks: float) -> bytes:
            return b'%b%.3f,"deadline_met":%b,"floor_met":%b%b},"outputs":[' % (
                figures, elapsed, _BOOL[int(in_time)], _BOOL[int(kept)], _MARKS[int(marks)],
            )  # fmt: skip

        marks = np.zeros(len(latency_ms))
        if repeats:
            marks[np.isin(answer.items, list(repeats))] = 1
        if batch.timestamps_off is not None:
            marks[batch.timestamps_off[answer.items]] += 2
        if batch.unknown_texts is not None:
            marks[batch.unknown_texts[answer.items]] += 4
        if batch.unseen_missing is not None:
            marks[batch.unseen_missing[answer.items]] += 8
        if batch.explained is not None and answer.explained is None:
            marks[batch.explained[answer.items]] += 32 if answer.could_explain else 16
        deadlines, floors = batch.max_latency_ms[answer.items], batch.min_accuracy[answer.items]
        in_time = (latency_ms <= deadlines).astype(np.float64)
        kept = (floors <= answer.accuracy_low).astype(np.float64)
        return (
            of_each_kind(decision, deadlines, floors),
            of_each_kind(end, latency_ms, in_time, kept, marks),
        )

    def _decisions(self, key: tuple[Any, ...]) -> dict[tuple[float, float], bytes]:
        """What is known of `_decision` for answers that have this key."""
        found = self._cache.get(key)
        if found is None or len(found) >= _MAX_CACHED:
            if sum(map(len, self._cache.values())) >= _MAX_CACHED or len(self._cache) >= _MAX_KEYS:
                self._cache.clear()
            found = self._cache[key] = {}
        return found

    def _decision(self, answer: GroupAnswer, max_latency_ms: float, min_accuracy: float) -> bytes:
        """The part of `parameters` that any batch may share; nothing goes in but what the key and
        the targets tell apart."""
        rejected = "; ".join(
            f"{plan}: {why}" for plan, why in answer.rejected(min_accuracy).items()
        )
        fields = {
            "task": self._task.name,
            "plan": answer.plan,
            "reason": answer.choice,
            **({"rejected": rejected} if rejected else {}),
            "policy_version": answer.policy_version,
            "catalogue_version": self._catalogue_version,
            "max_latency_ms": max_latency_ms,
            "min_accuracy": min_accuracy,
        }
        return b',"parameters":' + _json(fields)[:-1]


def _figures(answer: GroupAnswer) -> bytes:
    """The part of `parameters` that the answers of one group share."""
    figures = b',"expected_accuracy":%b,"cost_ms":%.4g,"saved_ms":%.4g' % (
        _json(round(answer.expected_accuracy, 6)),
        answer.cost_ms,
        answer.saved_ms,
    )
    if answer.gpu_ms:
        figures += b',"gpu_ms":%.4g' % answer.gpu_ms
    if answer.objective is not None:
        figures += b',"objective":%b,"cost":%.6g,"cost_saved":%.6g' % (
            _json(answer.objective),
            answer.cost,
            answer.cost_saved,
        )
    if answer.explained is not None:
        how = {"explanation": answer.explained.method, "explained": answer.explained.score}
        figures += b"," + _json(how)[1:-1]
    return figures + b',"latency_ms":'
