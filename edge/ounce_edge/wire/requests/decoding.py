"""From records to one batch of tensors. A record that can't be served costs the others nothing."""

import logging
from collections.abc import Sequence
from itertools import repeat
from typing import cast

import msgspec
import numpy as np
from numpy.typing import NDArray
from ounce_schemas.errors import InvalidMessageError, Reason
from ounce_schemas.policy import EffectivePolicy
from ounce_schemas.policy_matching import RuleMatcher
from ounce_schemas.task import TaskSpec
from ounce_schemas.topics import requests_topic

from ounce_edge.wire.batch import Rejected, RequestBatch
from ounce_edge.wire.formats.content import in_row
from ounce_edge.wire.formats.example import example_body
from ounce_edge.wire.formats.image_file import PixelReader, read_pixels
from ounce_edge.wire.formats.schemas import Schemas
from ounce_edge.wire.header_names import by_usual_names
from ounce_edge.wire.position_ids import PositionIds
from ounce_edge.wire.records import Columns, Record
from ounce_edge.wire.requests.alike import AlikeReader
from ounce_edge.wire.requests.identity import Identity, origin_of
from ounce_edge.wire.requests.known_texts import KnownTexts
from ounce_edge.wire.requests.many_rows import ManyRows, Row
from ounce_edge.wire.requests.parsing import ParsedRequest, RequestParser
from ounce_edge.wire.requests.request_head import (
    NO_HEADERS,
    RequestHead,
    read_head,
)
from ounce_edge.wire.requests.stacking import stack
from ounce_edge.wire.requests.targets import NO_ROUTES, Numbers, Targets
from ounce_edge.wire.requests.timestamps import sent_at_ms
from ounce_edge.wire.requests.unseen_missing import UnseenMissing

logger = logging.getLogger(__name__)

_OF_BODY = frozenset(
    {
        Reason.NULL_VALUE, Reason.UNKNOWN_CONTENT_TYPE, Reason.MALFORMED_JSON,
        Reason.UNKNOWN_INPUT, Reason.MISSING_INPUT, Reason.WRONG_DATATYPE, Reason.WRONG_SHAPE,
        Reason.WRONG_LENGTH,
    }
)  # fmt: skip
"""Reasons that an example helps with."""


class Decoder:
    """Decodes requests of one task under its policy.

    Args:
        task: what is asked.
        policy: of the task.
        matcher: of the policy.
        of_settings: routes by the number of a message's settings, as `matcher` says.
        schemas: of framed bodies; None: only those of JSON are read.
        pixels: reads image files.
    """

    def __init__(
        self,
        task: TaskSpec,
        policy: EffectivePolicy,
        matcher: RuleMatcher | None = None,
        of_settings: Numbers = NO_ROUTES,
        schemas: Schemas | None = None,
        pixels: PixelReader = read_pixels,
    ) -> None:
        matcher = RuleMatcher(policy) if matcher is None else matcher
        self._task = task
        self._targets = Targets(policy, matcher, of_settings)
        self._parser = RequestParser(task, policy, schemas, pixels)
        self._alike = AlikeReader(task, self._parser, policy.max_body_bytes)
        self._known_texts = KnownTexts(task)
        self._unseen_missing = UnseenMissing(task)
        self._position_ids = PositionIds(requests_topic(task.name))
        self._example = example_body(task)

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
        does not apply, as where a value is missing; then `_decode_any` treats every record alone,
        and says what is wrong."""
        if self._parser.raw_bytes is None or not all(columns.values):
            return None
        values, n = cast("Sequence[bytes]", columns.values), len(columns.values)
        all_bare = not any(columns.headers)
        headers = [{}] * n if all_bare else list(map(by_usual_names, columns.headers))
        try:
            heads = [NO_HEADERS] * n if all_bare else list(map(read_head, headers))
        except InvalidMessageError:
            return None
        said_json: set[bool | None] = {None} if all_bare else {head.is_json for head in heads}
        found = self._alike.read(values, heads, said_json)
        if found is None:
            return None
        ids = [] if all_bare else [head.id for head in heads]
        if found.ids:
            both = zip(ids or repeat(None), found.ids, strict=False)
            ids = [head_id or id_ or None for head_id, id_ in both]
        latencies = [] if all_bare else [head.max_latency_ms for head in heads]
        floors = [] if all_bare else [head.min_accuracy for head in heads]
        explained = [] if all_bare else [head.explanation for head in heads]
        if True in explained and self._parser.refuses_explanation(heads):
            return None
        spec = self._task.inputs[0]
        numbers = self._targets.numbers(columns.keys, headers, now_ms)
        settled = self._targets.settle(numbers, heads, (latencies, floors), explained)
        sent_ms, is_off = sent_at_ms(columns.timestamps_ms, now_ms, columns.records)
        return RequestBatch(
            records=columns.records,
            keys=columns.keys,
            partitions=columns.partitions,
            inputs={spec.name: found.array.reshape(n, *spec.shape)},
            json_ids=self._json_ids(ids, columns.partitions, columns.offsets),
            heads=heads,
            identities=[
                _identity(id_, head, key)
                for id_, head, key in zip(ids, heads, columns.keys, strict=True)
            ]
            if any(ids)
            else [None] * n,
            outputs=[found.outputs] * n,
            max_latency_ms=settled.max_latency_ms,
            min_accuracy=settled.min_accuracy,
            timestamps_ms=sent_ms,
            timestamps_off=is_off,
            routes=settled.routes,
            explained=settled.explained,
            asked=(latencies, floors),
            all_bare=all_bare,
            n_bytes=columns.n_bytes(),
        )

    def routes(self, batch: RequestBatch, now_ms: float) -> NDArray[np.intp] | None:
        """Routes of requests that were decoded under another policy; their targets stay."""
        headers = batch.headers or [by_usual_names(r.headers()) for r in batch.records]
        numbers = self._targets.numbers(batch.keys, headers, now_ms)
        return self._targets.routes(numbers, batch.explained)

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

    def _with_example(self, error: InvalidMessageError) -> InvalidMessageError:
        """The error, with a body that the task would take where this one is of another kind."""
        if error.reason not in _OF_BODY:
            return error
        return InvalidMessageError(error.reason, f"{error.text}. For example: {self._example}")

    def _decode_any(self, columns: Columns, now_ms: float) -> tuple[RequestBatch, list[Rejected]]:
        parsed: list[ParsedRequest] = []
        rejected: list[Rejected] = []
        for i, (headers, value) in enumerate(zip(columns.headers, columns.values, strict=True)):
            try:
                parsed += self._parser.parse(i, headers, value)
            except InvalidMessageError as e:
                rejected.append((columns.records[i], self._with_example(e)))
            except Exception as e:  # no record may ever stop the stream
                logger.exception("a record could not be decoded, and nobody foresaw why")
                error = InvalidMessageError(
                    Reason.MALFORMED_JSON, f"can't be decoded, please report it: {e!r}"
                )
                rejected.append((columns.records[i], error))
        inputs, errors = stack(parsed, self._task.inputs, self._known_texts)
        if errors:
            whose = {parsed[i].row: _of_row(parsed[i], errors[i]) for i in sorted(errors)[::-1]}
            rejected += [(columns.records[row], error) for row, error in whose.items()]
            keep = [i for i, p in enumerate(parsed) if p.row not in whose]
            inputs = {name: array[keep] for name, array in inputs.items()}
            parsed = [parsed[i] for i in keep]
        rows = np.array([p.row for p in parsed], dtype=np.intp)
        partitions, keys = columns.partitions[rows], [columns.keys[p.row] for p in parsed]
        records = [columns.records[p.row] for p in parsed]
        sent_ms, is_off = sent_at_ms(columns.timestamps_ms[rows], now_ms, records)
        heads = [p.head for p in parsed]
        asked = [p.max_latency_ms for p in parsed], [p.min_accuracy for p in parsed]
        explained = [p.explanation for p in parsed]
        named = [p.headers for p in parsed]
        numbers = self._targets.numbers(keys, named, now_ms)
        settled = self._targets.settle(numbers, heads, asked, explained)
        json_ids = self._json_ids([p.id for p in parsed], partitions, columns.offsets[rows])
        many = None
        if any(p.n_rows > 1 for p in parsed):
            whole_ids = [b"".join(parts) for parts in zip(*json_ids, strict=True)]
            many = _many_rows(parsed, records, whole_ids)
            json_ids = [[_row_id(p, i) for p, i in zip(parsed, whole_ids, strict=True)]]
        batch = RequestBatch(
            records=records,
            keys=keys,
            partitions=partitions,
            inputs=inputs,
            json_ids=json_ids,
            heads=heads,
            identities=[
                _identity(p.own_id, p.head, key) for p, key in zip(parsed, keys, strict=True)
            ],
            outputs=[p.outputs for p in parsed],
            max_latency_ms=settled.max_latency_ms,
            min_accuracy=settled.min_accuracy,
            timestamps_ms=sent_ms,
            timestamps_off=is_off,
            routes=settled.routes,
            explained=settled.explained,
            asked=asked,
            headers=named,
            unknown_texts=self._known_texts.unknown(inputs),
            unseen_missing=self._unseen_missing.find(inputs),
            all_bare=all(p.head is NO_HEADERS for p in parsed),
            n_bytes=columns.n_bytes(),
            rows=many,
        )
        return batch, rejected


def _identity(id_: str | None, head: RequestHead, key: bytes | None) -> Identity | None:
    return None if id_ is None else Identity(id_, origin_of(head.source, key))


def _many_rows(
    parsed: Sequence[ParsedRequest], records: Sequence[Record], json_ids: Sequence[bytes]
) -> list[Row | None]:
    """Which row of which message each is; None where its message has no other."""
    found: dict[int, ManyRows] = {}
    rows: list[Row | None] = []
    for p, record, json_id in zip(parsed, records, json_ids, strict=True):
        if p.n_rows > 1 and p.row not in found:
            found[p.row] = ManyRows(record, p.n_rows, json_id)
        rows.append(Row(found[p.row], p.item) if p.n_rows > 1 else None)
    return rows


def _row_id(parsed: ParsedRequest, json_id: bytes) -> bytes:
    """A row's id as JSON text, from that of its message."""
    return json_id if parsed.n_rows == 1 else b'%b/%d"' % (json_id[:-1], parsed.item)


def _of_row(parsed: ParsedRequest, error: InvalidMessageError) -> InvalidMessageError:
    return error if parsed.n_rows == 1 else in_row(parsed.item, error)
