"""What a store gives back, and how much of it at once."""

from collections.abc import Sequence
from typing import NamedTuple

from ounce_edge.gateway.arrivals import KafkaRecord


class Stored(NamedTuple):
    """A record and its place in the order of arrival."""

    place: int
    record: KafkaRecord


class Batch(NamedTuple):
    """Records that go together."""

    number: int
    """One more than that of the last."""
    rows: list[Stored]
    is_full: bool
    """Whether others did not fit in."""


class Most(NamedTuple):
    """Records of one batch, at most."""

    in_all: int
    others: int
    """Of devices that do not go first."""


class Which(NamedTuple):
    """Records that may go."""

    topics: Sequence[str] | None = None
    """Of these topics; None: of all."""
    not_of: Sequence[bytes] = ()
    """But for those of these devices."""

    @property
    def condition(self) -> tuple[str, tuple[str | bytes, ...]]:
        """Of SQL, and its values."""
        found, values = "", tuple[str | bytes, ...]()
        for column, asked, given in (
            ("topic", "IN", self.topics),
            ("device", "NOT IN", self.not_of or None),
        ):
            if given is not None:
                found += f" AND {column} {asked} ({','.join('?' * len(given))})"
                values += tuple(given)
        return found, values


ALL = Which()
