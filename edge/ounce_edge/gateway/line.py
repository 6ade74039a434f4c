"""The line to Kafka for what is live: each record under way, and what became of it."""

import logging
from collections.abc import Callable
from functools import partial

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from ounce_edge.broker.delivery.publishing import PRODUCER_SETTINGS, ProducerSettings
from ounce_edge.gateway.arrivals import KafkaRecord
from ounce_edge.gateway.line_speed import SMALL_BYTES

logger = logging.getLogger(__name__)

_LINE_SETTINGS: ProducerSettings = {
    # What the system holds of a connection goes on when that is given up, and fills a slow line. It
    # holds twice as much: enough for 1 MB/s with a round trip of 100 ms.
    "socket.send.buffer.bytes": 65_536,
    "delivery.report.only.error": False,
    "message.timeout.ms": 0,  # a record goes on being tried; the order stays
    "linger.ms": 2,
    "queue.buffering.max.kbytes": 131_072,
    # Five requests of so many bytes go at once, and pass a line of 4 kB/s before the client takes
    # them for lost (`socket.timeout.ms`, a minute): it would send the same ones again, for ever.
    "batch.size": SMALL_BYTES,
    # A topic that is absent holds up what is behind its first record for so long, once.
    "topic.metadata.propagation.max.ms": 3000,
}
_PURGE_S = 1.0
Confirmed = Callable[[str | None], None]
"""Told once of each record: None, or why Kafka will never take it."""


def produce(
    producer: Producer,
    record: KafkaRecord,
    on_delivery: Callable[[KafkaError | None, Message], None],
) -> None:
    """Queue a record.

    Raises:
        BufferError: there is no room for it.
        KafkaException: it will never be sent.
    """
    producer.produce(
        record.topic,
        record.value,
        record.key,
        timestamp=record.timestamp_ms,
        headers=[*record.headers],
        on_delivery=on_delivery,
    )


class Line:
    """Sends records, and says when Kafka has them.

    Args:
        kafka: how to reach Kafka.
        max_message_bytes: of a record.
    """

    def __init__(self, kafka: ProducerSettings, max_message_bytes: int) -> None:
        self._settings = {
            **PRODUCER_SETTINGS,
            **_LINE_SETTINGS,
            "message.max.bytes": max_message_bytes,
            **kafka,
            "error_cb": self._on_error,
        }
        self._is_lost = False
        self._producer = self._make()

    def send(self, record: KafkaRecord, confirmed: Confirmed) -> bool:
        """Queue a record; whether there is room for it."""
        try:
            produce(self._producer, record, partial(self._on_delivery, confirmed))
        except BufferError:
            return False
        except KafkaException as e:
            confirmed(e.args[0].str())
        return True

    def poll(self) -> None:
        """Tell of what was confirmed since."""
        self._producer.poll(0)
        if self._is_lost:  # nothing can be sent by it
            self.drop()

    def drop(self) -> None:
        """Give up what is under way: it is told as not confirmed. A new producer takes over."""
        lost, self._producer = self._producer, self._make()
        lost.purge()
        lost.flush(_PURGE_S)
        self._is_lost = False  # whatever became of the one that is given up

    def close(self, wait_s: float) -> int:
        """Wait for what is under way; how many records are left."""
        return self._producer.flush(wait_s)

    def _make(self) -> Producer:
        return Producer(self._settings, logger=logger)

    def _on_delivery(self, confirmed: Confirmed, error: KafkaError | None, _: Message) -> None:
        confirmed(None if error is None else error.str())

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            logger.warning("a new producer takes over: %s", error.str())
            self._is_lost = True
