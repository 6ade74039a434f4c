"""The worker's contract by hand: one model, no choice; requests in, predictions out.

Reads the id and both targets, runs the model once, and answers with the same document and headers
as the worker (`ounce_schemas.prediction`). It checks nothing: one bad request ends it.
"""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray
from ounce_schemas.card import ModelCard
from ounce_schemas.prediction import PREDICTION_EVENT_TYPE
from ounce_schemas.request import (
    CONTENT_TYPE_JSON,
    HEADER_CONTENT_TYPE,
    HEADER_ID,
    HEADER_MAX_LATENCY_MS,
    HEADER_MIN_ACCURACY,
    HEADER_SOURCE,
    HEADER_TRACEPARENT,
)
from ounce_schemas.routing import Choice
from ounce_schemas.task import TaskSpec

Floats = NDArray[np.float32]
Headers = list[tuple[str, bytes]]

POLICY_VERSION = "by-hand"
MAX_LATENCY_MS, MIN_ACCURACY = 1000.0, 0.0
"""Of requests that name no targets."""


class Record(Protocol):
    """What is needed of a Kafka record."""

    def topic(self) -> str | None: ...
    def partition(self) -> int | None: ...
    def offset(self) -> int | None: ...
    def timestamp(self) -> tuple[int, int]: ...
    def value(self) -> bytes | None: ...
    def headers(self) -> Sequence[tuple[str, bytes | None]] | None: ...


class _Targets(msgspec.Struct, gc=False):
    max_latency_ms: float | None = None
    min_accuracy: float | None = None


class _InputTensor(msgspec.Struct, gc=False):
    data: list[float]


class _Body(msgspec.Struct, gc=False):
    inputs: list[_InputTensor]
    id: str | None = None
    parameters: _Targets | None = None


class _Decision(msgspec.Struct, gc=False):
    task: str
    plan: str
    reason: str
    policy_version: str
    catalogue_version: str
    max_latency_ms: float
    min_accuracy: float
    expected_accuracy: float
    cost_ms: float
    saved_ms: float
    latency_ms: float
    deadline_met: bool
    floor_met: bool


class _Output(msgspec.Struct, gc=False):
    name: str
    shape: list[int]
    datatype: str
    data: list[float] | list[str]


class _Prediction(msgspec.Struct, gc=False):
    model_name: str
    model_version: str
    id: str
    parameters: _Decision
    outputs: list[_Output]


class _Request(NamedTuple):
    event_id: bytes | None
    traceparent: bytes | None
    id: str
    max_latency_ms: float
    min_accuracy: float
    timestamp_ms: int
    wants_all: bool


class Contract:
    """Answers requests with one model.

    Args:
        task: a classification with one float tensor.
        card: of the model.
        run: probabilities of inputs; shape (n, n_features) to (n, n_labels).
    """

    def __init__(self, task: TaskSpec, card: ModelCard, run: Callable[[Floats], Floats]) -> None:
        self._task, self._card, self._run = task, card, run
        self._label_outputs = [_Output("label", [1], "BYTES", [label]) for label in task.labels]
        self._event_headers: Headers = [
            ("ce_specversion", b"1.0"),
            ("ce_type", PREDICTION_EVENT_TYPE.encode()),
            (HEADER_SOURCE, f"/ounce/{task.name}".encode()),
            (HEADER_CONTENT_TYPE, CONTENT_TYPE_JSON.encode()),
        ]
        self._decode = msgspec.json.Decoder(_Body).decode
        self._encode = msgspec.json.Encoder().encode

    def answer(self, records: Sequence[Record]) -> list[tuple[bytes, Headers | None]]:
        """Value and headers of one prediction per record, in the same order."""
        requests, rows = [], []
        for record in records:
            request, row = self._read(record)
            requests.append(request)
            rows.append(row)
        inputs = np.frombuffer(b"".join(rows), "<f4").reshape(len(rows), -1)
        start_s = time.perf_counter()
        probabilities = self._run(inputs)
        cost_ms = round((time.perf_counter() - start_s) * 1e3 / len(records), 6)
        return self._write(requests, probabilities, cost_ms)

    def _read(self, record: Record) -> tuple[_Request, bytes]:
        """A request, and its input as raw little-endian float32."""
        get = dict(record.headers() or ()).get
        row = record.value() or b""
        event_id, latency, accuracy = (
            get(HEADER_ID), get(HEADER_MAX_LATENCY_MS), get(HEADER_MIN_ACCURACY)
        )  # fmt: skip
        own_id, wants_all, targets = None, False, _Targets()
        content_type = get(HEADER_CONTENT_TYPE)
        is_json = content_type == b"application/json" if content_type else row[:1] == b"{"
        if is_json:
            body = self._decode(row)
            row = np.array(body.inputs[0].data, "<f4").tobytes()
            own_id, wants_all, targets = body.id, True, body.parameters or targets
        id = event_id.decode() if event_id else own_id
        request = _Request(
            event_id,
            get(HEADER_TRACEPARENT),
            id or f"{record.topic()}-{record.partition()}-{record.offset()}",
            float(latency) if latency else targets.max_latency_ms or MAX_LATENCY_MS,
            float(accuracy) if accuracy else targets.min_accuracy or MIN_ACCURACY,
            record.timestamp()[1],
            wants_all,
        )
        return request, row

    def _write(
        self, requests: Sequence[_Request], probabilities: Floats, cost_ms: float
    ) -> list[tuple[bytes, Headers | None]]:
        task, card, encode = self._task.name, self._card, self._encode
        expected, low = card.validation_accuracy.value, card.validation_accuracy.low
        best = probabilities.argmax(axis=1)
        sure = np.round(probabilities.max(axis=1).astype(np.float64), 4).tolist()
        rows = np.round(probabilities.astype(np.float64), 6).tolist()
        n_labels = probabilities.shape[1]
        now_ms = time.time() * 1e3
        answers: list[tuple[bytes, Headers | None]] = []
        for request, label, confidence, row in zip(
            requests, best.tolist(), sure, rows, strict=True
        ):
            latency_ms = round(now_ms - request.timestamp_ms, 3)
            decision = _Decision(
                task, card.model, Choice.LIGHTEST_FEASIBLE, POLICY_VERSION, card.version,
                request.max_latency_ms, request.min_accuracy, expected, cost_ms, 0.0, latency_ms,
                latency_ms <= request.max_latency_ms, low >= request.min_accuracy,
            )  # fmt: skip
            outputs = [
                self._label_outputs[label],
                _Output("confidence", [1], "FP32", [confidence]),
            ]
            if request.wants_all:
                outputs.append(_Output("probabilities", [1, n_labels], "FP32", row))
            value = encode(_Prediction(card.model, card.version, request.id, decision, outputs))
            answers.append((value, self._headers(request)))
        return answers

    def _headers(self, request: _Request) -> Headers | None:
        if request.event_id is None:
            return None
        headers = [(HEADER_ID, request.event_id), *self._event_headers]
        if request.traceparent is not None:
            headers.append((HEADER_TRACEPARENT, request.traceparent))
        return headers
