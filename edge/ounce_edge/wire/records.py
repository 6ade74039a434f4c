"""What the pipeline takes and gives: records, with nothing of Kafka but their shape."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

Headers = Sequence[tuple[str, bytes | None]]


class Record(Protocol):
    """One record as read; `confluent_kafka.Message` is one."""

    def topic(self) -> str | None:
        """Topic it came from."""

    def partition(self) -> int | None:
        """Partition it came from."""

    def offset(self) -> int | None:
        """Offset in the partition."""

    def timestamp(self) -> tuple[int, int]:
        """Kind (0: none) and milliseconds since 1970."""

    def key(self) -> bytes | None:
        """Device id."""

    def value(self) -> bytes | None:
        """Body; None is a tombstone."""

    def headers(self) -> Headers | None:
        """Headers in order; None where there are none."""


@dataclass(eq=False)
class MadeRecord:
    """A `Record` that no broker has seen."""

    value_: bytes | None
    headers_: Headers | None
    key_: bytes | None
    offset_: int
    partition_: int
    timestamp_ms: int
    """Since 1970; negative: it has none."""
    topic_: str

    def topic(self) -> str:
        return self.topic_

    def partition(self) -> int:
        return self.partition_

    def offset(self) -> int:
        return self.offset_

    def timestamp(self) -> tuple[int, int]:
        return (1, self.timestamp_ms) if self.timestamp_ms >= 0 else (0, -1)

    def key(self) -> bytes | None:
        return self.key_

    def value(self) -> bytes | None:
        return self.value_

    def headers(self) -> Headers | None:
        return self.headers_


class Columns(NamedTuple):
    """Records of one topic, field by field; one entry per record."""

    records: Sequence[Record]
    headers: Sequence[Headers | None]
    values: Sequence[bytes | None]
    keys: Sequence[bytes | None]
    timestamps_ms: NDArray[np.int64]
    """Since 1970; not positive where a record has none."""
    partitions: NDArray[np.int64]
    offsets: NDArray[np.int64]

    @classmethod
    def of(cls, records: Sequence[Record]) -> Self:
        """Read all fields of at least one record; all records are of one class."""
        n = len(records)
        read = type(records[0])  # its methods are mapped: looking one up per record costs as much
        return cls(
            records,
            list(map(read.headers, records)),
            list(map(read.value, records)),
            list(map(read.key, records)),
            np.fromiter(map(itemgetter(1), map(read.timestamp, records)), np.int64, n),
            np.fromiter(map(read.partition, records), np.int64, n),
            np.fromiter(map(read.offset, records), np.int64, n),
        )

    def n_bytes(self) -> int:
        """Size of all that the records hold: values, keys, and headers with their names."""
        held = _sizes(self.values) + _sizes(self.keys)
        for headers in filter(None, self.headers):  # a plain loop takes half of the time of a chain
            for name, value in headers:
                held += len(name) + (len(value) if value else 0)
        return held

    def next_offsets(self) -> dict[int, int]:
        """By partition, the offset behind its last record; records of a partition are in order."""
        if len(self.records) == 1:
            return {int(self.partitions[0]): int(self.offsets[0]) + 1}
        changes = self.partitions[1:] != self.partitions[:-1]
        ends = [*np.flatnonzero(changes).tolist(), len(self.records) - 1]
        return dict(
            zip(self.partitions[ends].tolist(), (self.offsets[ends] + 1).tolist(), strict=True)
        )


def _sizes(values: Sequence[bytes | None]) -> int:
    return sum(map(len, filter(None, values)))


@dataclass(eq=False, slots=True)
class Outgoing:
    """Records to publish, and the requests that they answer; one entry per record."""

    topic: str
    values: Sequence[bytes | None]
    keys: Sequence[bytes | None]
    headers: Sequence[Headers | None] | None
    """None where no record has any."""
    partitions: NDArray[np.int64] | None
    """Of the requests; None where the key should choose the partition."""
    requests: Sequence[Record]
    """As read, for the dead letter that takes an answer's place where the broker refuses it."""
    refused: list[int] = field(default_factory=list)
    """Entries that the broker refused; complete once the batch is confirmed."""
    timestamps_ms: Sequence[int] | None = None
    """Since 1970; None: the time at which they are sent. Goes with headers."""


class Send(Protocol):
    """Sends one record, now or later or never, without waiting: what people read beside answers."""

    def __call__(self, key: bytes, value: bytes, headers: Headers) -> None:
        """Take it; what can't be sent is lost."""


Publish = Callable[[Outgoing], None]
"""Takes what the pipeline publishes."""
