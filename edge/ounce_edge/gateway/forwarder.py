"""A message goes to Kafka at once; while the line is down, or its device has stored ones, to disk.

The line is down while Kafka leaves a record unconfirmed for too long. Such records are in doubt:
they are stored, and still under way. Nothing that is stored is sent before all doubt is gone, so
that a device's records keep their order.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from itertools import accumulate, takewhile
from typing import NamedTuple, Protocol

from ounce_edge.gateway.arrivals import Arrived, KafkaRecord
from ounce_edge.gateway.store import Store, StoreError

logger = logging.getLogger(__name__)

_AGAIN_S = 1.0
_PIECE_BYTES = 250_000
"""Written to the disk at once."""


class Order(StrEnum):
    """What a device's new message does while older ones of it are stored."""

    DEVICE = "device"
    """It goes behind them, and they go before those of other devices."""
    LIVE = "live"
    """It passes them."""


class Sends(Protocol):
    """As `Line`."""

    def send(self, record: KafkaRecord, confirmed: Callable[[str | None], None]) -> bool:
        """Queue a record; whether there is room."""

    def poll(self) -> None:
        """Tell of what was confirmed since."""


class Hurries(Protocol):
    """As `Backlog`."""

    def allow(self, is_up: bool, held_s: float = 0.0) -> None:
        """Whether stored records may go, and how long a live one has waited for Kafka."""

    def hurry(self, device: bytes) -> None:
        """These go first."""


@dataclass(eq=False, slots=True)
class _Waiting:
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


class Rules(NamedTuple):
    """How a forwarder goes about it."""

    order: Order = Order.DEVICE
    patience_s: float = 1.0
    """How long Kafka may leave a record unconfirmed."""
    clock: Callable[[], float] = time.monotonic
    """Seconds on any steady clock."""


class Forwarder:
    """Decides where each message goes, and says when it is safe.

    Args:
        line: sends at once.
        store: keeps.
        backlog: sends what is stored.
        rules: how.
        is_safe: told of each message that Kafka or the disk has.
    """

    def __init__(
        self,
        line: Sends,
        store: Store,
        backlog: Hurries,
        rules: Rules,
        is_safe: Callable[[Arrived], None],
    ) -> None:
        self.store_trouble: str | None = None
        self.is_away = False
        """Whether the line is down."""
        self.dropped = 0
        """Records that the store dropped, since it was full or they were old."""
        self.absent: Collection[str] = ()
        """Topics that Kafka does not have; any thread may set it."""
        self.confirmed: Callable[[KafkaRecord], None] = lambda record: None
        """Told of what Kafka has."""
        self._line, self._store, self._backlog = line, store, backlog
        self._order, self._patience_s, self._clock = rules
        self._is_safe = is_safe
        self._under_way: deque[_Waiting] = deque()
        self._to_store: list[_Waiting] = []
        self._devices_to_store: set[bytes] = set()
        self._to_hurry: set[bytes] = set()
        self._to_remove: list[int] = []
        self._next_try_s = self._clock()

    def take(self, record: KafkaRecord, arrived: Arrived | None, must_store: bool = False) -> None:
        """Forward a message.

        Args:
            record: what to send.
            arrived: told to `is_safe`.
            must_store: it goes by the store, which sends it once.
        """
        self._dispatch(_Waiting(record, arrived, must_store))

    def turn(self) -> None:
        """Do what has become possible since."""
        self._line.poll()
        while self._under_way and not self._under_way[0].is_under_way:
            self._under_way.popleft()
        now_s = self._clock()
        held_s = now_s - self._under_way[0].since_s if self._under_way else 0.0
        if not self._under_way:
            self._come_back()
        elif held_s > self._patience_s:
            self._go_away()
        if (self._to_store or self._to_remove) and now_s >= self._next_try_s:
            self._guarded(self._write)
        self._backlog.allow(not self.is_away and not self._to_remove, held_s)

    def drop_old(self) -> None:
        """Drop what has waited for too long, and see to the store's room on the disk."""
        self._guarded(self._drop_old)

    @property
    def n_under_way(self) -> int:
        """Records that Kafka has not confirmed."""
        return len(self._under_way)

    def _dispatch(self, waiting: _Waiting) -> None:
        device = waiting.record.key
        must_store = waiting.must_store or waiting.record.topic in self.absent
        if must_store or self.is_away or device in self._devices_to_store:
            self._keep(waiting)
        elif self._order is Order.DEVICE and len(self._store) and self._has(device):
            self._keep(waiting)
            self._to_hurry.add(device)
        else:
            waiting.is_under_way, waiting.since_s = True, self._clock()
            self._under_way.append(waiting)
            if not self._line.send(waiting.record, partial(self._on_confirmed, waiting)):
                self._under_way.pop()
                waiting.is_under_way = False
                self._go_away()
                self._keep(waiting)

    def _keep(self, waiting: _Waiting) -> None:
        self._to_store.append(waiting)
        self._devices_to_store.add(waiting.record.key)

    def _on_confirmed(self, waiting: _Waiting, why_not: str | None) -> None:
        waiting.is_under_way = False
        if why_not is not None:
            logger.warning("%s takes no record, it is stored: %s", waiting.record.topic, why_not)
            if waiting.place is None and waiting not in self._to_store:
                self._keep(waiting)
            return
        waiting.is_in_kafka = True
        self.confirmed(waiting.record)
        if waiting.place is not None:
            self._to_remove.append(waiting.place)
        self._finish(waiting)

    def _finish(self, waiting: _Waiting) -> None:
        arrived, waiting.arrived = waiting.arrived, None
        if arrived is not None:
            self._is_safe(arrived)

    def _go_away(self) -> None:
        """Keep what is in doubt, before what comes from now on."""
        if self.is_away:
            return
        logger.warning("Kafka confirms nothing: messages are stored")
        self.is_away = True
        self._backlog.allow(False)  # before anything in doubt is stored
        later, self._to_store = self._to_store, []
        for waiting in self._under_way:
            if waiting.is_under_way:
                self._keep(waiting)
        self._to_store += later

    def _come_back(self) -> None:
        if not self.is_away:
            return
        logger.info("Kafka confirms again; %d stored messages wait", len(self._store))
        self.is_away = False
        self._dispatch_again()

    def _dispatch_again(self) -> None:
        """What a full disk did not take can go at once, where nothing of its device is stored."""
        waiting, self._to_store = self._to_store, []
        self._devices_to_store.clear()
        for one in waiting:
            if not one.is_in_kafka:
                self._dispatch(one)

    def _has(self, device: bytes) -> bool:
        try:
            return self._store.has(device)
        except StoreError as e:
            self._tell(e)
            return True

    def _write(self) -> None:
        if self._to_remove:  # first: that is possible on a full disk, and lets stored ones go
            self._store.remove(self._to_remove)
            self._to_remove.clear()
        self._to_store = [waiting for waiting in self._to_store if not waiting.is_in_kafka]
        while self._to_store:  # in pieces: a disk that is nearly full takes some of them
            new = _piece(self._to_store)
            places, dropped = self._store.add([waiting.record for waiting in new])
            self.dropped += dropped
            for waiting, place in zip(new, places, strict=True):
                waiting.place = place
                self._finish(waiting)
            del self._to_store[: len(new)]
        self._devices_to_store.clear()
        for device in self._to_hurry:
            self._backlog.hurry(device)
        self._to_hurry.clear()

    def _drop_old(self) -> None:
        self.dropped += self._store.drop_old()
        self._store.tidy()

    def _guarded(self, write: Callable[[], None]) -> None:
        try:
            write()
            if not self._to_store:
                self.store_trouble = None
        except StoreError as e:
            self._next_try_s = self._clock() + _AGAIN_S
            self._tell(e)
            if not self.is_away:
                self._dispatch_again()

    def _tell(self, error: StoreError) -> None:
        if self.store_trouble is None:
            logger.error("%s; messages stay with MQTT", error)
        self.store_trouble = str(error)


def _piece(waiting: list[_Waiting]) -> list[_Waiting]:
    """The first of those that wait, as far as they are written together."""
    sizes = accumulate(one.record.size_bytes for one in waiting)
    return waiting[: max(sum(1 for size in takewhile(_PIECE_BYTES.__gt__, sizes)), 1)]
