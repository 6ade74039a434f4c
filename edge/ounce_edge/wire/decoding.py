"""From records to one batch of tensors. A record that can't be served costs the others nothing."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import msgspec
import numpy as np
from numpy.typing import NDArray
from ounce_schemas.errors import InvalidMessageError, Reason
from ounce_schemas.policy import EffectivePolicy
from ounce_schemas.request import Request, RequestedOutput
from ounce_schemas.task import TaskSpec
from ounce_schemas.topics import requests_topic

from ounce_edge.wire.batch import OutputNames, Rejected, RequestBatch, take
from ounce_edge.wire.position_ids import PositionIds
from ounce_edge.wire.records import Columns, Headers
from ounce_edge.wire.request_body import float_rows, json_array, read_body, tensor_data
from ounce_edge.wire.request_head import (
    NO_HEADERS,
    RequestHead,
    check_id,
    check_max_latency_ms,
    check_min_accuracy,
    read_head,
)
from ounce_edge.wire.tensor_values import all_acceptable, value_error

logger = logging.getLogger(__name__)


class Decoder:
    """Decodes requests of one task under its policy."""

    def __init__(self, task: TaskSpec, policy: EffectivePolicy) -> None:
        self._task = task
        self._policy = policy
        self._raw_bytes = 4 * task.inputs[0].size if task.accepts_raw else None
        self._position_ids = PositionIds(requests_topic(task.name))
        classification = task.kind == "classification"
        self._short: OutputNames = ("label", "confidence") if classification else (
            "value", "interval")  # fmt: skip
        self._all = (*self._short, "probabilities") if classification else self._short

    def decode(self, columns: Columns, now_ms: float) -> tuple[RequestBatch, list[Rejected]]:
        """Decode records.

        Args:
            columns: as read, of this task's requests topic.
            now_ms: milliseconds since 1970; the timestamp of records that have none.

        Returns:
            The valid ones as a batch, and the others, each with why it can't be served.
        """
        batch = self._decode_alike(columns, now_ms)
        return self._decode_any(columns, now_ms) if batch is None else (batch, [])

    def _decode_alike(self, columns: Columns, now_ms: float) -> RequestBatch | None:
        """The fast path: one body format, targets in headers only, nothing wrong. None where it
        does not apply; then `_decode_any`, which treats every record alone, says what is wrong with
        which."""
        if self._raw_bytes is None or not all(columns.values):
            return None
        values = cast("Sequence[bytes]", columns.values)
        n = len(values)
        lengths = set(map(len, values))
        if max(lengths) > self._policy.max_body_bytes:
            return None
        all_bare = not any(columns.headers)
        try:
            heads = [NO_HEADERS] * n if all_bare else list(map(read_head, columns.headers))
        except InvalidMessageError:
            return None
        said_json = {None} if all_bare else {head.is_json for head in heads}
        spec = self._task.inputs[0]
        array, outputs = None, self._short
        if True not in said_json and lengths == {self._raw_bytes}:
            array = self._raw_array(values, heads)
        if array is None and False not in said_json:
            array, outputs = json_array(values, spec), self._all
        if array is None or not all_acceptable(array, spec):
            return None
        ids = [] if all_bare else [head.id for head in heads]
        latencies = [] if all_bare else [head.max_latency_ms for head in heads]
        floors = [] if all_bare else [head.min_accuracy for head in heads]
        return RequestBatch(
            records=columns.records,
            keys=columns.keys,
            partitions=columns.partitions,
            inputs={spec.name: array.reshape(n, *spec.shape)},
            json_ids=self._json_ids(ids, columns.partitions, columns.offsets),
            heads=heads,
            identities=[_identity(head, head.id) for head in heads] if any(ids) else [None] * n,
            outputs=[outputs] * n,
            max_latency_ms=_filled(latencies, self._policy.max_latency_ms, n),
            min_accuracy=_filled(floors, self._policy.min_accuracy, n),
            timestamps_ms=_timestamps_ms(columns.timestamps_ms, now_ms),
            all_bare=all_bare,
            n_bytes=lengths.pop() * n if len(lengths) == 1 else sum(map(len, values)),
        )

    def _raw_array(
        self, values: Sequence[bytes], heads: Sequence[RequestHead]
    ) -> NDArray[np.float32] | None:
        """Raw bodies of the right length as one array; None if one is JSON."""
        joined = np.frombuffer(b"".join(values), np.uint8).reshape(len(values), -1)
        doubtful = (joined[:, 0] == ord("{")).nonzero()[0].tolist()
        if any(self._is_json(heads[i], values[i]) for i in doubtful):
            return None
        return joined.view("<f4")

    def _json_ids(
        self,
        ids: Sequence[str | None],
        partitions: NDArray[np.int64],
        offsets: NDArray[np.int64],
    ) -> Sequence[Sequence[bytes]]:
        """Columns of the ids as JSON text: the sender's, or else the position."""
        if not any(ids):
            return self._position_ids.columns(partitions, offsets)
        if all(ids):
            return [list(map(msgspec.json.encode, ids))]
        return [
            [
                start + end if own is None else msgspec.json.encode(own)
                for own, start, end in zip(
                    ids, *self._position_ids.columns(partitions, offsets), strict=True
                )
            ]
        ]

    def _decode_any(self, columns: Columns, now_ms: float) -> tuple[RequestBatch, list[Rejected]]:
        parsed: list[_Parsed] = []
        rejected: list[Rejected] = []
        for i, (headers, value) in enumerate(zip(columns.headers, columns.values, strict=True)):
            try:
                parsed.append(self._parse(i, headers, value))
            except InvalidMessageError as e:
                rejected.append((columns.records[i], e))
            except Exception as e:  # no record may ever stop the stream
                logger.exception("a record could not be decoded, and nobody foresaw why")
                error = InvalidMessageError(
                    Reason.MALFORMED_JSON, f"can't be decoded, please report it: {e!r}"
                )
                rejected.append((columns.records[i], error))
        inputs, errors = self._tensors(parsed)
        if errors:
            rejected += [(columns.records[parsed[i].row], error) for i, error in errors.items()]
            keep = [i for i in range(len(parsed)) if i not in errors]
            inputs = {name: array[keep] for name, array in inputs.items()}
            parsed = [parsed[i] for i in keep]
        rows = np.array([p.row for p in parsed], dtype=np.intp)
        partitions = columns.partitions[rows]
        batch = RequestBatch(
            records=take(columns.records, rows),
            keys=take(columns.keys, rows),
            partitions=partitions,
            inputs=inputs,
            json_ids=self._json_ids([p.id for p in parsed], partitions, columns.offsets[rows]),
            heads=[p.head for p in parsed],
            identities=[_identity(p.head, p.id) for p in parsed],
            outputs=[p.outputs for p in parsed],
            max_latency_ms=np.array([p.max_latency_ms for p in parsed], dtype=np.float64),
            min_accuracy=np.array([p.min_accuracy for p in parsed], dtype=np.float64),
            timestamps_ms=_timestamps_ms(columns.timestamps_ms[rows], now_ms),
            all_bare=all(p.head is NO_HEADERS for p in parsed),
            n_bytes=sum(len(value) for value in columns.values if value is not None),
        )
        return batch, rejected

    def _parse(self, row: int, headers: Headers | None, body: bytes | None) -> "_Parsed":
        head = read_head(headers)
        value = self._checked_value(body)
        if not self._is_json(head, value):
            return _Parsed(row, head, head.id, self._short, *self._targets(head, None), value)
        request = read_body(value)
        return _Parsed(
            row,
            head,
            head.id or check_id(request.id or "") or None,
            self._requested(request.outputs),
            *self._targets(head, request),
            tensor_data(request, self._task),
        )

    def _checked_value(self, value: bytes | None) -> bytes:
        if value is None:
            raise InvalidMessageError(
                Reason.NULL_VALUE, "the record has no value; send the input as its value"
            )
        if len(value) > self._policy.max_body_bytes:
            raise InvalidMessageError(
                Reason.TOO_LARGE,
                f"body of {len(value)} bytes is over the policy's "
                f"max_body_bytes {self._policy.max_body_bytes}",
            )
        return value

    def _is_json(self, head: RequestHead, value: bytes) -> bool:
        """Which format the body has, and for raw bytes, that they have the right length.

        Without a content type a body is JSON if it begins with a brace, unless it has exactly the
        raw input's length and does not parse.
        """
        is_json = head.is_json
        if is_json is None:
            is_json = value[:1] == b"{"
            if is_json and len(value) == self._raw_bytes:
                try:
                    read_body(value)
                except InvalidMessageError as e:
                    is_json = e.reason is not Reason.MALFORMED_JSON
        if is_json:
            return True
        if self._raw_bytes is None:
            raise InvalidMessageError(
                Reason.UNKNOWN_CONTENT_TYPE,
                f"task {self._task.name} takes JSON bodies only (Open Inference Protocol V2)",
            )
        if len(value) != self._raw_bytes:
            spec = self._task.inputs[0]
            raise InvalidMessageError(
                Reason.WRONG_LENGTH,
                f"raw body has {len(value)} bytes; {spec.size} little-endian float32 need "
                f"{self._raw_bytes}, and a JSON body begins with a brace",
            )
        return False

    def _requested(self, outputs: Sequence[RequestedOutput] | None) -> OutputNames:
        if not outputs:
            return self._all
        names = tuple(dict.fromkeys(output.name for output in outputs))
        unknown = [name for name in names if name not in self._all]
        if unknown:
            raise InvalidMessageError(
                Reason.UNKNOWN_OUTPUT, f"outputs {unknown} are not of {list(self._all)}"
            )
        return names

    def _targets(self, head: RequestHead, request: Request | None) -> tuple[float, float]:
        """Deadline and floor: of the headers, else of the body, else of the policy."""
        latency, accuracy = head.max_latency_ms, head.min_accuracy
        body = None if request is None else request.parameters
        if body is not None:
            if latency is None and body.max_latency_ms is not None:
                latency = check_max_latency_ms(body.max_latency_ms)
            if accuracy is None and body.min_accuracy is not None:
                accuracy = check_min_accuracy(body.min_accuracy)
        return (
            self._policy.max_latency_ms if latency is None else latency,
            self._policy.min_accuracy if accuracy is None else accuracy,
        )

    def _tensors(
        self, parsed: Sequence["_Parsed"]
    ) -> tuple[dict[str, NDArray[Any]], dict[int, InvalidMessageError]]:
        """One array per input; and, for rows whose values can't be served, why."""
        n = len(parsed)
        inputs: dict[str, NDArray[Any]] = {}
        errors: dict[int, InvalidMessageError] = {}
        raw = {i: p.data for i, p in enumerate(parsed) if isinstance(p.data, bytes)}
        flat = {i: p.data for i, p in enumerate(parsed) if not isinstance(p.data, bytes)}
        for position, spec in enumerate(self._task.inputs):
            rows = [data[position] for data in flat.values()]
            if spec.datatype == "BYTES":
                texts = np.empty((n, spec.size), dtype=object)
                for i, row in zip(flat, rows, strict=True):
                    texts[i] = row
                inputs[spec.name] = texts.reshape(n, *spec.shape)
                continue
            array = np.empty((n, spec.size), dtype=np.float32)
            if raw:
                joined = np.frombuffer(b"".join(raw.values()), "<f4")
                array[list(raw)] = joined.reshape(-1, spec.size)
            if flat:
                array[list(flat)] = float_rows(rows, spec.size)
            if not all_acceptable(array, spec):
                for i in range(n):
                    error = value_error(array[i], spec)
                    if error is not None:
                        errors.setdefault(i, error)
            inputs[spec.name] = array.reshape(n, *spec.shape)
        return inputs, errors


@dataclass(slots=True)
class _Parsed:
    """One valid request whose values are not yet a tensor."""

    row: int
    """Its place among the records."""
    head: RequestHead
    id: str | None
    outputs: OutputNames
    max_latency_ms: float
    min_accuracy: float
    data: bytes | list[list[Any]]
    """Raw tensor bytes, or the flat data of each input."""


def _identity(head: RequestHead, id_: str | None) -> tuple[str, str] | None:
    return None if id_ is None else (head.source, id_)


def _filled(given: Sequence[float | None], default: float, n: int) -> NDArray[np.float64]:
    """What was given, and the default where nothing was, or for all `n` if there is none at all."""
    if not given:
        return np.full(n, default)
    return np.array([default if value is None else value for value in given], dtype=np.float64)


def _timestamps_ms(times_ms: NDArray[np.int64], now_ms: float) -> NDArray[np.float64]:
    """Record timestamps; now where a record has none, or one from a clock that is ahead."""
    return np.where(times_ms > 0, np.minimum(times_ms, now_ms), now_ms)
