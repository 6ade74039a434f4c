"""Valid requests of one task, column by column."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.errors import InvalidMessageError

from ounce_edge.wire.header_names import NamedHeaders
from ounce_edge.wire.records import Record
from ounce_edge.wire.requests.identity import Identity
from ounce_edge.wire.requests.many_rows import ManyRows, Row
from ounce_edge.wire.requests.request_head import RequestHead

OutputNames = tuple[str, ...]
T = TypeVar("T")
Rejected = tuple[Record, InvalidMessageError]
"""A record that can't be served, and why."""


@dataclass
class RequestBatch:
    """Valid requests of one task; every list and array has one entry per request."""

    records: Sequence[Record]
    keys: Sequence[bytes | None]
    partitions: NDArray[np.int64]
    inputs: dict[str, NDArray[Any]]
    json_ids: Sequence[Sequence[bytes]]
    """Columns whose entries make up the id as JSON text, quotes included."""
    heads: Sequence[RequestHead]
    identities: Sequence[Identity | None]
    """Where the sender gave an id: what a repeat is noticed by, and a label joined by."""
    outputs: Sequence[OutputNames]
    """Outputs that the answer holds."""
    max_latency_ms: NDArray[np.float64]
    min_accuracy: NDArray[np.float64]
    timestamps_ms: NDArray[np.float64]
    """When they were sent, as far as that can be believed; deadlines count from there."""
    timestamps_off: NDArray[np.bool_] | None = None
    """Whose timestamps can't be believed; None: all can."""
    unknown_texts: NDArray[np.bool_] | None = None
    """Whose texts hold one that no model has learned; None: none's."""
    unseen_missing: NDArray[np.bool_] | None = None
    """Who lacks a value that no row lacked which the models have learned; None: nobody."""
    routes: NDArray[np.intp] | None = None
    """Who may answer, by number; None: the first route for all."""
    explained: NDArray[np.bool_] | None = None
    """Who is to get an explanation with its answer; None: nobody."""
    asked: tuple[Sequence[float | None], Sequence[float | None]] = ((), ())
    """Deadlines and floors as asked for; None where a message says nothing, empty where none says
    anything. Of whole polls only."""
    headers: Sequence[NamedHeaders] | None = None
    """Of all events, where some are in structured mode; None: those of the records. Likewise."""
    all_bare: bool = False
    """No request has headers."""
    n_bytes: int = 0
    """Size of all records that were decoded with these."""
    rows: Sequence[Row | None] | None = None
    """Where a message has several rows, each is a request: which of them it is. None: none has."""

    def __len__(self) -> int:
        return len(self.records)

    def move(self, items: NDArray[np.intp], route: int) -> None:
        """Have others answer some requests."""
        if self.routes is None:
            self.routes = np.zeros(len(self), np.intp)
        self.routes[items] = route

    def many_rows(self, items: NDArray[np.intp] | None = None) -> list[ManyRows]:
        """Messages of several rows, each once: all, or those of some requests."""
        if self.rows is None:
            return []
        some = self.rows if items is None else [self.rows[i] for i in items.tolist()]
        return list(dict.fromkeys(row.of for row in some if row is not None))

    def whole_ids(self) -> list[bytes]:
        """Ids as JSON text, one per request."""
        return [b"".join(parts) for parts in zip(*self.json_ids, strict=True)]


def take(column: Sequence[T], items: NDArray[np.intp]) -> Sequence[T]:
    """The entries of a batch's column that `items` (ascending) are; the column itself if all."""
    return column if len(items) == len(column) else [column[i] for i in items.tolist()]


def gather(parts: Sequence[tuple[RequestBatch, NDArray[np.intp]]]) -> RequestBatch:
    """Some items of some batches as one batch; the batch itself where that is all of it."""
    if len(parts) == 1:
        batch, items = parts[0]
        return batch if len(items) == len(batch) else _some(batch, items)
    some = [_some(batch, items) for batch, items in parts]
    return RequestBatch(
        records=[r for b in some for r in b.records],
        keys=[k for b in some for k in b.keys],
        partitions=np.concatenate([b.partitions for b in some]),
        inputs={n: np.concatenate([b.inputs[n] for b in some]) for n in some[0].inputs},
        json_ids=[[i for b in some for i in b.whole_ids()]],
        heads=[h for b in some for h in b.heads],
        identities=[i for b in some for i in b.identities],
        outputs=[o for b in some for o in b.outputs],
        max_latency_ms=np.concatenate([b.max_latency_ms for b in some]),
        min_accuracy=np.concatenate([b.min_accuracy for b in some]),
        timestamps_ms=np.concatenate([b.timestamps_ms for b in some]),
        timestamps_off=_joined_marks(some, [b.timestamps_off for b in some]),
        unknown_texts=_joined_marks(some, [b.unknown_texts for b in some]),
        unseen_missing=_joined_marks(some, [b.unseen_missing for b in some]),
        explained=_joined_marks(some, [b.explained for b in some]),
        all_bare=all(b.all_bare for b in some),
        rows=_joined_rows(some),
    )


def _some(batch: RequestBatch, items: NDArray[np.intp]) -> RequestBatch:
    return RequestBatch(
        records=take(batch.records, items),
        keys=take(batch.keys, items),
        partitions=batch.partitions[items],
        inputs={name: array[items] for name, array in batch.inputs.items()},
        json_ids=[take(column, items) for column in batch.json_ids],
        heads=take(batch.heads, items),
        identities=take(batch.identities, items),
        outputs=take(batch.outputs, items),
        max_latency_ms=batch.max_latency_ms[items],
        min_accuracy=batch.min_accuracy[items],
        timestamps_ms=batch.timestamps_ms[items],
        timestamps_off=None if batch.timestamps_off is None else batch.timestamps_off[items],
        unknown_texts=None if batch.unknown_texts is None else batch.unknown_texts[items],
        unseen_missing=None if batch.unseen_missing is None else batch.unseen_missing[items],
        explained=None if batch.explained is None else batch.explained[items],
        all_bare=batch.all_bare,
        rows=None if batch.rows is None else take(batch.rows, items),
    )


def _joined_rows(batches: Sequence[RequestBatch]) -> Sequence[Row | None] | None:
    if all(batch.rows is None for batch in batches):
        return None
    return [row for b in batches for row in (b.rows or [None] * len(b))]


def _joined_marks(
    batches: Sequence[RequestBatch], marks: Sequence[NDArray[np.bool_] | None]
) -> NDArray[np.bool_] | None:
    if all(mark is None for mark in marks):
        return None
    return np.concatenate(
        [
            np.zeros(len(batch), dtype=bool) if mark is None else mark
            for batch, mark in zip(batches, marks, strict=True)
        ]
    )
