"""A message goes to Kafka at once; while the line is down, or its device has stored ones, to disk.

The line is down while Kafka leaves a record unconfirmed for too long. Such records are in doubt:
they are stored, and still under way. Nothing that is stored is sent before all doubt is gone, so
that a device's records keep their order.

A message that is too large for the line never passes it. Then all that is under way is given up,
which is stored by then, and such messages go by the store.
"""

import logging
from collections import deque
from collections.abc import Callable, Collection
from functools import partial

from ounce_edge.gateway.arrivals import Arrived, KafkaRecord
from ounce_edge.gateway.device_pace import DevicePace
from ounce_edge.gateway.forwarding import Hurries, Order, Rules, Sends, Waiting, piece
from ounce_edge.gateway.line_speed import SMALL_BYTES, LineSpeed
from ounce_edge.gateway.store import Store, StoreError

logger = logging.getLogger(__name__)

_AGAIN_S = 1.0
_STUCK_S = 58.0
"""Kafka's client gives a request a minute. What did not pass in it is sent again, for ever, behind
what the system still holds of the first try."""


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
        self.held_back = 0
        """Messages that were stored, since their device sent too many."""
        self.floods: bytes = b""
        """The last such device."""
        self.absent: Collection[str] = ()
        """Topics that Kafka does not have; any thread may set it."""
        self.confirmed: Callable[[KafkaRecord], None] = lambda record: None
        """Told of what Kafka has."""
        self._line, self._store, self._backlog = line, store, backlog
        self._order, self._patience_s, device_per_s, self._clock = rules
        self._device_pace = DevicePace(device_per_s)
        self.speed = LineSpeed(self._patience_s)
        """Which messages are too large to go at once."""
        self._is_safe = is_safe
        self._under_way: deque[Waiting] = deque()
        self._to_store: list[Waiting] = []
        self._devices_to_store: set[bytes] = set()
        self._to_hurry: set[bytes] = set()
        self._to_remove: list[int] = []
        self._next_try_s = self._clock()
        self._first_s = 0.0
        """When the first of those under way became that."""
        self._given_up_s = self._reached_s = float("-inf")

    def take(self, record: KafkaRecord, arrived: Arrived | None, must_store: bool = False) -> None:
        """Forward a message.

        Args:
            record: what to send.
            arrived: told to `is_safe`.
            must_store: it goes by the store, which sends it once.
        """
        waiting = Waiting(record, arrived, must_store)
        may_go = must_store or self._device_pace.may_go(record.key, self._clock())
        if may_go or self.store_trouble is not None:  # on a full disk it would hold up others
            self._dispatch(waiting)
        else:
            self.held_back += 1
            self.floods = record.key
            self._keep(waiting)

    def turn(self) -> None:
        """Do what has become possible since."""
        self._line.poll()
        now_s = self._clock()
        while self._under_way and not self._under_way[0].is_under_way:
            self._under_way.popleft()
            self._first_s = now_s
        held_s = now_s - self._under_way[0].since_s if self._under_way else 0.0
        if not self._under_way:
            self._come_back()
        elif held_s > self._patience_s:
            self._go_away()
            self._give_up_what_is_too_large(self._under_way[0])
        if (self._to_store or self._to_remove) and now_s >= self._next_try_s:
            self._guarded(self._write)
        self._backlog.allow(not self.is_away and not self._to_remove, held_s)

    def note_reached(self) -> None:
        """Kafka was reached beside the line; any thread may tell."""
        self._reached_s = self._clock()

    def drop_old(self) -> None:
        """Drop what has waited for too long, and see to the store's room on the disk."""
        self._guarded(self._drop_old)

    @property
    def n_under_way(self) -> int:
        """Records that Kafka has not confirmed."""
        return len(self._under_way)

    def _dispatch(self, waiting: Waiting) -> None:
        device = waiting.record.key
        must_store = waiting.must_store or waiting.record.topic in self.absent
        must_store = must_store or self.speed.is_too_large(waiting.record.size_bytes)
        if must_store or self.is_away or device in self._devices_to_store:
            self._keep(waiting)
        elif self._order is Order.DEVICE and len(self._store) and self._has(device):
            self._keep(waiting)
            if not self._device_pace.sends_much(device, self._clock()):
                self._to_hurry.add(device)
        else:
            waiting.is_under_way, waiting.since_s = True, self._clock()
            self._under_way.append(waiting)
            if not self._line.send(waiting.record, partial(self._on_confirmed, waiting)):
                self._under_way.pop()
                waiting.is_under_way = False
                self._go_away()
                self._keep(waiting)

    def _keep(self, waiting: Waiting) -> None:
        self._to_store.append(waiting)
        self._devices_to_store.add(waiting.record.key)

    def _on_confirmed(self, waiting: Waiting, why_not: str | None) -> None:
        waiting.is_under_way = False
        if why_not is not None:
            if waiting.place is None and waiting not in self._to_store:
                topic = waiting.record.topic
                logger.warning("%s takes no record, it is stored: %s", topic, why_not)
                self._keep(waiting)
            return
        waiting.is_in_kafka = True
        self.speed.held_up(waiting.record.size_bytes, self._alone_s(waiting))
        self.confirmed(waiting.record)
        if waiting.place is not None:
            self._to_remove.append(waiting.place)
        self._finish(waiting)

    def _finish(self, waiting: Waiting) -> None:
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

    def _alone_s(self, waiting: Waiting) -> float:
        """How long it has been the first of those under way."""
        return self._clock() - max(waiting.since_s, self._first_s)

    def _give_up_what_is_too_large(self, first: Waiting) -> None:
        n_bytes, alone_s = first.record.size_bytes, self._alone_s(first)
        if alone_s < _STUCK_S or n_bytes <= SMALL_BYTES:
            return
        logger.warning("%d bytes do not pass the line in %.0f s: they go apart", n_bytes, alone_s)
        self.speed.held_up(n_bytes, alone_s)
        self._given_up_s = self._clock()
        self._line.drop()

    def _come_back(self) -> None:
        if not self.is_away or self._reached_s < self._given_up_s:
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
        live = self._live_devices()
        later = [waiting for waiting in self._to_store if waiting.record.key in live]
        if later:
            self._to_store = [w for w in self._to_store if w.record.key not in live] + later
        # In pieces: a disk that is nearly full takes some of them.
        while n := len(self._to_store) - len(later):
            new = piece(self._to_store[:n])
            places, dropped = self._store.add([waiting.record for waiting in new])
            self.dropped += dropped
            for waiting, place in zip(new, places, strict=True):
                waiting.place = place
                self._finish(waiting)
            del self._to_store[: len(new)]
        self._devices_to_store = {waiting.record.key for waiting in later}
        for device in self._to_hurry - self._devices_to_store:
            self._backlog.hurry(device)
        self._to_hurry &= self._devices_to_store

    def _live_devices(self) -> set[bytes]:
        """Devices whose messages are not stored yet, since they would pass what goes at once. What
        is in doubt is stored before them."""
        if self.is_away or self._order is Order.LIVE:
            return set()
        return {waiting.record.key for waiting in self._under_way if waiting.is_under_way}

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
