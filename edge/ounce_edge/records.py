"""What the pipeline takes and gives: records, with nothing of Kafka but their shape."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

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


@dataclass(frozen=True)
class Columns:
    """Records of one topic, field by field; one entry per record.

    Reading a field is a call, and a record that is touched again later has left the processor's
    cache: all fields are read in one pass.
    """

    records: Sequence[Record]
    headers: Sequence[Headers | None]
    values: Sequence[bytes | None]
    keys: Sequence[bytes | None]
    timestamps: Sequence[tuple[int, int]]
    partitions: Sequence[int | None]
    offsets: Sequence[int | None]

    @classmethod
    def of(cls, records: Sequence[Record]) -> Self:
        """Read all fields of at least one record."""
        rows = [
            (r.headers(), r.value(), r.key(), r.timestamp(), r.partition(), r.offset())
            for r in records
        ]
        return cls(records, *zip(*rows, strict=True))

    def next_offsets(self) -> dict[int, int]:
        """By partition, the offset behind its last record; records of a partition are in order."""
        last = dict(zip(self.partitions, self.offsets, strict=True))
        return {p: o + 1 for p, o in last.items() if p is not None and o is not None}


class Publish(Protocol):
    """Takes what the pipeline publishes."""

    def __call__(
        self,
        topic: str,
        values: Sequence[bytes | None],
        keys: Sequence[bytes | None],
        headers: Sequence[Headers | None] | None,
    ) -> None:
        """Queue records for publishing; one value and key each, and headers, or none at all."""
