"""What a forwarder works with: messages that wait, its rules, and what it needs of others."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate, takewhile
from typing import NamedTuple, Protocol

from ounce_edge.gateway.arrivals import Arrived, KafkaRecord

_PIECE_BYTES = 250_000
"""Written to the disk at once."""


class Order(StrEnum):
    """What a device's new message does while older ones of it are stored."""

    DEVICE = "device"
    """It goes behind them, and they go before those of other devices."""
    LIVE = "live"
    """It passes them."""


class Rules(NamedTuple):
    """How a forwarder goes about it."""

    order: Order = Order.DEVICE
    patience_s: float = 1.0
    """How long Kafka may leave a record unconfirmed."""
    device_per_s: float = 1000.0
    """Messages of one device that go at once."""
    clock: Callable[[], float] = time.monotonic
    """Seconds on any steady clock."""


class Sends(Protocol):
    """As `Line`."""

    def send(self, record: KafkaRecord, confirmed: Callable[[str | None], None]) -> bool:
        """Queue a record; whether there is room."""

    def poll(self) -> None:
        """Tell of what was confirmed since."""

    def drop(self) -> None:
        """Give up what is under way, and tell that it is not confirmed."""


class Hurries(Protocol):
    """As `Backlog`."""

    def allow(self, is_up: bool, held_s: float = 0.0) -> None:
        """Whether stored records may go, and how long a live one has waited for Kafka."""

    def hurry(self, device: bytes) -> None:
        """These go first."""


@dataclass(eq=False, slots=True)
class Waiting:
    """A message that is not safe yet, or in doubt."""

    record: KafkaRecord
    arrived: Arrived | None
    """None once it is acknowledged, and of what no device sent."""
    must_store: bool
    since_s: float = 0.0
    """When it was sent."""
    place: int | None = None
    """In the store."""
    is_under_way: bool = False
    is_in_kafka: bool = False


def piece(waiting: list[Waiting]) -> list[Waiting]:
    """The first of those that wait, as far as they are written together."""
    sizes = accumulate(one.record.size_bytes for one in waiting)
    return waiting[: max(sum(1 for size in takewhile(_PIECE_BYTES.__gt__, sizes)), 1)]
