"""Who sent recorded requests, and what they asked for: what rules of another policy look at."""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from ounce_edge.evidence.names import bounded_name
from ounce_edge.wire.batch import RequestBatch
from ounce_edge.wire.header_names import by_usual_names
from ounce_edge.wire.records import Headers

_PREFIX = "ce_"
_OF_EVERY_EVENT = {
    "ce_id", "ce_source", "ce_specversion", "ce_type", "ce_time", "ce_subject", "ce_dataschema",
    "ce_datacontenttype", "ce_maxlatencyms", "ce_minaccuracy", "ce_traceparent", "ce_tracestate",
}  # fmt: skip
"""Of these none is an extension that a policy may look at."""
_MOST_EXTENSIONS = 20
_MOST_KNOWN = 65_536


class Sender(msgspec.Struct, frozen=True, array_like=True):
    """What many requests of one device have in common. Long names are digests."""

    device: bytes | None
    extensions: tuple[tuple[str, bytes], ...]
    """Headers of CloudEvents extensions, in order; those with a value."""
    asked_latency_ms: float | None
    asked_accuracy: float | None
    max_latency_ms: float
    """The deadline that held."""


class SenderBook:
    """Numbers senders. The latest `_MOST_KNOWN` numbers, and as many before, can be looked up."""

    def __init__(self) -> None:
        self._numbers: dict[Sender, int] = {}
        self._senders: dict[int, Sender] = {}
        self._before: dict[int, Sender] = {}
        self._next = 0

    def numbers(self, batch: RequestBatch) -> NDArray[np.int32]:
        """A number for each request of a whole poll; shape (n,)."""
        n = len(batch)
        latencies, floors = (list(asked) or [None] * n for asked in batch.asked)
        senders = map(
            Sender,
            map(_bounded, batch.keys),
            [_extensions(record.headers()) for record in batch.records],
            latencies,
            floors,
            batch.max_latency_ms.tolist(),
        )
        return np.fromiter(map(self._number, senders), np.int32, n)

    def sender(self, number: int) -> Sender | None:
        """The sender of a number; None: it is forgotten."""
        return self._senders.get(number) or self._before.get(number)

    def _number(self, sender: Sender) -> int:
        number = self._numbers.get(sender)
        if number is None:
            if len(self._senders) >= _MOST_KNOWN:
                self._before, self._senders, self._numbers = self._senders, {}, {}
            number = self._numbers[sender] = self._next
            self._senders[number] = sender
            self._next = (self._next + 1) % (2**31)
        return number


def _extensions(headers: Headers | None) -> tuple[tuple[str, bytes], ...]:
    if not headers:
        return ()
    found = {
        name: bounded_name(value)
        for name, value in by_usual_names(headers).items()
        if value and name.startswith(_PREFIX) and name not in _OF_EVERY_EVENT
    }
    return tuple(sorted(found.items())[:_MOST_EXTENSIONS])


def _bounded(name: bytes | None) -> bytes | None:
    return None if name is None else bounded_name(name)


def new_senders(
    book: SenderBook, numbers: NDArray[np.int32], written: set[int]
) -> Sequence[tuple[int, Sender]]:
    """Those of some senders that a file does not hold yet; they count as written."""
    new = set(numbers.tolist()) - written
    written |= new
    found = [(number, book.sender(number)) for number in sorted(new)]
    return [(number, sender) for number, sender in found if sender is not None]
