"""What was stored goes to Kafka, on a thread of its own: each record once, with its own time.

A batch is one transaction, which also commits the batch's number as an offset. A gateway that dies
before it hears of the commit asks for that number, and knows whether the batch is in Kafka.

Readers of committed records stop at an open transaction, so live messages behind it wait. The first
transaction on a line is slow, and takes no records: the producer is made before any are stored.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from confluent_kafka import KafkaException, TopicPartition
from ounce_schemas.errors import BrokerError

from ounce_edge.broker.delivery.publishing import ProducerSettings, Publishing
from ounce_edge.broker.delivery.refusals import Refusal
from ounce_edge.broker.delivery.transaction_failures import AbortedError
from ounce_edge.broker.delivery.transactional_producer import (
    TRANSACTION_SETTINGS,
    TransactionalProducer,
)
from ounce_edge.gateway.arrivals import KafkaRecord, as_outgoing
from ounce_edge.gateway.line_speed import LineSpeed
from ounce_edge.gateway.pace import TICK_S, Pace
from ounce_edge.gateway.store import Store, StoreError
from ounce_edge.gateway.store_group import StoreGroup
from ounce_edge.gateway.stored import Most, Which
from ounce_edge.gateway.topics_aside import TopicsAside

logger = logging.getLogger(__name__)

_PAUSE_S = 2.0
_TIMEOUT_S = 5.0
_OF_SLOW_LINES = ("transaction.timeout.ms", "connections.max.idle.ms")
"""Of `TRANSACTION_SETTINGS`: what a record that needs more time gets more of."""
_SMALL_BUFFER_BYTES = 16_384
_EXPECTED = (BrokerError, StoreError, KafkaException)
_MOST_URGENT = 100
"""Devices that go first at once."""


class Backlog:
    """Sends the store's records, as many a second as is set, while the line is up.

    Args:
        kafka: how to reach Kafka.
        markers: topics; the first partition of one that is there names the committed batch in this
            store's group.
        store: where the records are.
        per_s: most records a second, but for those of devices that wait for theirs.
        sent: told of records that Kafka has.
        second_try: what to send instead of a record that Kafka refuses for a reason; None: nothing.
    """

    def __init__(
        self,
        kafka: ProducerSettings,
        markers: Sequence[str],
        store: Store,
        per_s: float,
        sent: Callable[[Sequence[KafkaRecord]], None],
        second_try: Callable[[KafkaRecord, str], KafkaRecord | None],
    ) -> None:
        self.trouble: str | None = None
        self.aside = TopicsAside(time.monotonic)
        """Topics whose records wait while others go."""
        self.speed = LineSpeed()
        """Which records are too large to go with others."""
        self._kafka = kafka
        self._markers = markers
        self._group = StoreGroup(kafka, store.id, markers)
        self._store = store
        self._pace = Pace(per_s, TRANSACTION_SETTINGS["transaction.timeout.ms"] / 1e3)
        self._held_s = 0.0
        self._sent, self._second_try = sent, second_try
        self._may_send = threading.Event()
        self._gate = threading.Lock()
        """Held while a batch is begun: none is once `allow(False)` has returned."""
        self._is_closing = threading.Event()
        self._woken = threading.Event()
        """Somebody is in a hurry."""
        self._first: dict[bytes, None] = {}
        self._producer: TransactionalProducer | None = None
        self._more_ms = 0
        """What the producer's transactions have of `Pace.more_s`."""
        self._metadata: Any = None
        self._last = 0
        """Number of the last batch that Kafka is known to have; 0: none."""
        self._is_tried = False
        """Whether a transaction went through since the line came up."""
        self._n_together = self._pace.limit
        """Fewer go together once Kafka has refused one of them: by halves until it is alone."""
        self._thread = threading.Thread(target=self._run, name="backlog", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def allow(self, is_up: bool, held_s: float = 0.0) -> None:
        """Whether the line is up and nothing on it is in doubt.

        Args:
            is_up: whether it is.
            held_s: how long a live message waits for its confirmation.
        """
        self._held_s = max(self._held_s, held_s)
        if is_up:
            self._may_send.set()
        elif self._may_send.is_set():
            with self._gate:
                self._may_send.clear()
                self._is_tried = False

    def hurry(self, device: bytes) -> None:
        """Somebody waits for this device's records."""
        self._first[device] = None
        self._woken.set()

    def close(self) -> None:
        """End behind the batch that is under way."""
        self._is_closing.set()
        self._may_send.set()
        self._woken.set()
        if self._producer is not None:
            self._producer.stop_trying()
        self._thread.join(_TIMEOUT_S)

    def _run(self) -> None:
        while not self._is_closing.is_set():
            try:
                self._work()
            except Exception as e:  # whatever it is, what is stored is tried again
                self._tell(e)
                self._drop_producer()
                self._is_closing.wait(_PAUSE_S)
        self._drop_producer()
        self._group.close()

    def _tell(self, error: Exception) -> None:
        what = (
            "stored messages are not sent" if len(self._store) else "none could be sent if stored"
        )
        why = error.args[0].str() if isinstance(error, KafkaException) else error
        trouble, self.trouble = self.trouble, f"{what}: {why}"
        if trouble != self.trouble:
            logger.warning("%s", self.trouble, exc_info=not isinstance(error, _EXPECTED))

    def _work(self) -> None:
        while not self._is_closing.is_set():
            if not self._may_send.is_set():
                self._may_send.wait()
                self._pace.start_over()
            self._woken.clear()
            producer = self._ready_producer()
            if len(self._store):
                began_s, self._held_s = time.monotonic(), 0.0
                is_searching = self._n_together < self._pace.limit
                n = self._n_together if is_searching else self._pace.due(began_s)
                is_going = False
                if n or self._first:
                    is_going = self._send_next(producer, n)
                    self.trouble = self._waits_for()
                if n:
                    self._pace.went(began_s, time.monotonic(), self._held_s)
                is_urgent = is_going and (bool(self._first) or is_searching)
                wait_s = 0.0 if is_urgent else self._pace.wait_s(time.monotonic())
            else:
                self._first.clear()
                self.trouble = None
                wait_s = TICK_S
            self._woken.wait(wait_s)

    def _waits_for(self) -> str | None:
        """What is said of topics that are absent, and have records."""
        absent = [topic for topic in self._store.topics() if topic in self.aside.absent]
        if not absent:
            return None
        return f"stored messages wait for {', '.join(absent)}: make it with `ounce topics`"

    def _ready_producer(self) -> TransactionalProducer:
        """One that has ended what a predecessor left, and knows what became of it."""
        more_ms = round(self._pace.more_s * 1e3)
        if more_ms != self._more_ms:
            self._drop_producer()
        if self._producer is None:
            self._metadata = self._group.metadata()
            longer = {name: TRANSACTION_SETTINGS[name] + more_ms for name in _OF_SLOW_LINES}
            if more_ms:  # a try that fails leaves less on the line
                longer["socket.send.buffer.bytes"] = _SMALL_BUFFER_BYTES
            self._producer = self._make_producer({**self._kafka, **longer})
            self._more_ms = more_ms
            self._last = self._group.committed()
            self._is_tried = False
        batch = self._store.open_batch()
        if batch is not None:
            self._last = self._group.committed()
            self._store.settle(batch, is_sent=self._last >= batch)
        if not self._is_tried:
            self._is_tried = True
            self._commit(self._producer, [], self._last)
        self._group.close()
        return self._producer

    def _make_producer(self, settings: ProducerSettings) -> TransactionalProducer:
        try:
            return TransactionalProducer(
                Publishing(settings), f"ounce-gateway-{self._store.id}", offsets_first=True
            )
        except BrokerError:
            self._pace.refused()
            raise

    def _commit(
        self, producer: TransactionalProducer, records: Sequence[KafkaRecord], number: int
    ) -> list[Refusal]:
        """Send records and a batch's number; what Kafka refuses of them.

        Raises:
            BrokerError: nothing is committed, or nobody knows.
        """
        there = [topic for topic in self._markers if topic not in self.aside.absent]
        if not there:
            raise BrokerError(f"{', '.join(self._markers)}: absent, make it with `ounce topics`")
        marker = [TopicPartition(there[0], 0, number)]
        try:
            return producer.commit(as_outgoing(records), marker, self._metadata)
        except AbortedError as e:
            raise BrokerError(f"a transaction was aborted: {e}") from e

    def _drop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.close()

    def _send_next(self, producer: TransactionalProducer, n: int) -> bool:
        """Send a batch; whether there was anything that may go.

        Args:
            producer: sends it.
            n: most records of devices that are in no hurry.
        """
        first = [*self._first][:_MOST_URGENT]
        most = Most(min(self._pace.most, self._n_together), n)
        topics = self._store.topics()
        good = self.aside.may_go(topics)
        if not good:  # an empty batch is written to the disk as well
            self._first.clear()
            return False
        # A large record holds up all that is stored, for minutes: it goes last, and alone.
        large = self._store.devices_over(self.speed.most_bytes)
        which = Which(None if good == topics else good, large)
        with self._gate:
            if not self._may_send.is_set() or self._is_closing.is_set():
                return False  # the line went down while the producer was made
            for device in first:
                self._first.pop(device, None)
            number, rows, is_full = self._store.begin_batch(most, first, which)
            if n and large and not rows:
                alone = Most(1, 1)
                number, rows, _ = self._store.begin_batch(alone, (), Which(which.topics))
        if is_full:  # there may be more of theirs
            self._first.update(dict.fromkeys(first))
        if not rows:
            return False
        records = [row.record for row in rows]
        n_bytes = sum(record.size_bytes for record in records)
        needed_s = self.speed.needs_s(n_bytes)
        if len(rows) == 1 and self._pace.lengthen(needed_s):  # a try in vain would fill the line
            self._store.settle(number, is_sent=False)
            return True
        began_s = time.monotonic()
        try:
            refused = self._commit(producer, records, number)
        except BrokerError:
            self._pace.failed(len(rows), n_bytes)
            self.aside.failed({record.topic for record in records})
            raise
        self.aside.taken({record.topic for record in records})
        if not refused:
            self._last = number
            self._store.settle(number, is_sent=True)
            self._n_together = min(2 * self._n_together, self._pace.limit)
            took_s = time.monotonic() - began_s
            self._pace.carried(len(rows), n_bytes, took_s)
            self.speed.carried(n_bytes, took_s)
            self._sent(records)
        elif len(rows) > 1:
            self._store.settle(number, is_sent=False)
            self._n_together = len(rows) // 2
        elif (again := self._second_try(records[0], refused[0].why)) is not None:
            self._store.replace(number, again)
        else:
            self._store.settle(number, is_sent=True)
        return True
