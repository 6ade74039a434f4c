"""From answers to predictions on the wire.

`ounce_schemas.prediction` defines the document; it is joined here from parts that many messages
share, since building and serialising an object per message costs ten times more.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from ounce_schemas.prediction import PREDICTION_EVENT_TYPE
from ounce_schemas.request import (
    CONTENT_TYPE_JSON,
    HEADER_CONTENT_TYPE,
    HEADER_ID,
    HEADER_SOURCE,
    HEADER_TRACEPARENT,
)
from ounce_schemas.routing import Choice
from ounce_schemas.task import TaskSpec

from ounce_edge.decoding import Batch, OutputNames, take
from ounce_edge.records import Headers
from ounce_edge.request_head import RequestHead

_MAX_CACHED = 4096
"""Distinct (plan, reason, targets) kept: targets come from outside, so they must not grow it."""

_json = msgspec.json.Encoder().encode
_BOOL = (b"false", b"true")
_STEPS = 10_000
_CONFIDENCE = [
    b'{"name":"confidence","shape":[1],"datatype":"FP32","data":[%g]}' % (i / _STEPS)
    for i in range(_STEPS + 1)
]
"""To four digits: more is noise, and formatting a number costs more than all the rest."""


@dataclass(frozen=True)
class GroupAnswer:
    """What one call answered."""

    model_name: str
    model_version: str
    plan: str
    choice: Choice
    items: NDArray[np.intp]
    """Which requests of the batch; shape (n,)."""
    result: NDArray[np.float32]
    """The model's output for them; shape (n, output size)."""
    expected_accuracy: float
    accuracy_low: float
    cost_ms: float
    """Compute spent per item."""
    saved_ms: float
    """Compute per item that the most accurate model would have spent more."""
    rejected: Callable[[float], dict[str, str]]
    """For a floor: the plans passed over, and why."""


class Encoder:
    """Encodes predictions of one task under one policy and catalogue."""

    def __init__(self, task: TaskSpec, policy_version: str, catalogue_version: str) -> None:
        self._task = task
        self._policy_version = policy_version
        self._catalogue_version = catalogue_version
        self._labels = [
            b'{"name":"label","shape":[1],"datatype":"BYTES","data":[%b]}' % _json(label)
            for label in task.labels
        ]
        self._event_headers = (
            ("ce_specversion", b"1.0"),
            ("ce_type", PREDICTION_EVENT_TYPE.encode()),
            (HEADER_SOURCE, f"/ounce/{task.name}".encode()),
            (HEADER_CONTENT_TYPE, CONTENT_TYPE_JSON.encode()),
        )
        self._cache: dict[tuple[Any, ...], bytes] = {}

    def bodies(
        self, batch: Batch, answer: GroupAnswer, latency_ms: NDArray[np.float64], repeats: set[int]
    ) -> list[bytes]:
        """One prediction per item of the group.

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
        cost = b',"cost_ms":%.6g,"saved_ms":%.6g,"latency_ms":' % (answer.cost_ms, answer.saved_ms)
        passed_over = tuple(answer.rejected(answer.accuracy_low))
        key = (answer.model_version, answer.plan, answer.choice, passed_over)
        # Timestamps are whole milliseconds, so the messages of a batch share few distinct middles.
        middles: dict[tuple[float, float, float, bool], bytes] = {}

        def middle(of: tuple[float, float, float, bool]) -> bytes:
            latency, floor, elapsed, duplicate = of
            middles[of] = b'%b%b%.3f,"deadline_met":%b,"floor_met":%b%b},"outputs":[' % (
                self._decision(answer, key, latency, floor),
                cost,
                elapsed,
                _BOOL[elapsed <= latency],
                _BOOL[answer.accuracy_low >= floor],
                b',"duplicate":true' if duplicate else b"",
            )
            return middles[of]

        keys = zip(
            batch.max_latency_ms[answer.items].tolist(),
            batch.min_accuracy[answer.items].tolist(),
            latency_ms.tolist(),
            [i in repeats for i in answer.items.tolist()] if repeats else repeat(False),
            strict=False,
        )
        parts = zip(
            repeat(head),
            take(batch.json_ids, answer.items),
            [middles.get(of) or middle(of) for of in keys],
            *self._outputs(answer.result, take(batch.outputs, answer.items)),
            repeat(b"]}"),
            strict=False,
        )
        return list(map(b"".join, parts))

    def headers(self, batch: Batch, items: NDArray[np.intp]) -> Sequence[Headers | None] | None:
        """Headers of the predictions for `items`: CloudEvents where the request was one."""
        if batch.all_bare:
            return None
        return [self._headers(batch.heads[i]) for i in items.tolist()]

    def _headers(self, head: RequestHead) -> Headers | None:
        if head.id is None:
            return None
        result = [(HEADER_ID, head.id.encode()), *self._event_headers]
        if head.traceparent is not None:
            result.append((HEADER_TRACEPARENT, head.traceparent))
        return result

    def _decision(
        self, answer: GroupAnswer, key: tuple[Any, ...], max_latency_ms: float, min_accuracy: float
    ) -> bytes:
        """The part of `parameters` that any batch may share."""
        key = (*key, max_latency_ms, min_accuracy)
        cached = self._cache.get(key)
        if cached is None:
            if len(self._cache) >= _MAX_CACHED:
                self._cache.clear()
            fields = {
                "task": self._task.name,
                "plan": answer.plan,
                "reason": answer.choice,
                "rejected": answer.rejected(min_accuracy),
                "policy_version": self._policy_version,
                "catalogue_version": self._catalogue_version,
                "max_latency_ms": max_latency_ms,
                "min_accuracy": min_accuracy,
                "expected_accuracy": round(answer.expected_accuracy, 6),
            }
            cached = self._cache[key] = b',"parameters":' + _json(fields)[:-1]
        return cached

    def _outputs(
        self, result: NDArray[np.float32], wanted: Sequence[OutputNames]
    ) -> Sequence[Iterable[bytes]]:
        """The parts of the `outputs` list, one column of parts per output, commas included."""
        names = set(wanted)
        parts = {name: self._output(name, result) for name in {n for group in names for n in group}}
        if len(names) > 1:
            return [[b",".join([parts[n][i] for n in group]) for i, group in enumerate(wanted)]]
        columns: list[Iterable[bytes]] = []
        for name in next(iter(names)):
            columns += [repeat(b","), parts[name]] if columns else [parts[name]]
        return columns

    def _output(self, name: str, result: NDArray[np.float32]) -> Sequence[bytes]:
        if name == "label":
            labels = self._labels
            return [labels[k] for k in result.argmax(axis=1).tolist()]
        if name == "confidence":
            steps = np.rint(result.max(axis=1) * _STEPS).astype(np.intp)
            return [_CONFIDENCE[i] for i in steps.clip(0, _STEPS).tolist()]
        columns = {"probabilities": result, "value": result[:, :1], "interval": result[:, 1:]}[name]
        width = columns.shape[1]
        start = b'{"name":"%b","shape":[%b],"datatype":"FP32","data":' % (
            name.encode(),
            b"1" if width == 1 else b"1,%d" % width,
        )
        return [b"%b%b}" % (start, _json(row)) for row in _significant(columns).tolist()]


def _significant(array: NDArray[np.float32]) -> NDArray[np.float64]:
    """Six significant digits of the largest value of each row: more is noise, and costs bytes."""
    magnitude = np.abs(array).max(axis=1, initial=1e-30)
    digits = 5 - np.floor(np.log10(magnitude)).astype(int)
    scale = 10.0 ** digits[:, None].astype(np.float64)
    return np.asarray(np.round(array * scale) / scale)
