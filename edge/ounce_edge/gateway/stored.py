"""What a store gives back, and how much of it at once."""

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
