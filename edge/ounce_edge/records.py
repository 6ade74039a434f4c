"""What the pipeline takes and gives: records, with nothing of Kafka but their shape."""

from collections.abc import Sequence
from typing import Protocol

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
