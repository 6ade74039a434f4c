"""The line to Kafka for what is live: each record under way, and what became of it."""

import logging
from collections.abc import Callable
from functools import partial

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from ounce_edge.broker.publishing import PRODUCER_SETTINGS, ProducerSettings
from ounce_edge.gateway.arrivals import KafkaRecord

logger = logging.getLogger(__name__)

_LINE_SETTINGS: ProducerSettings = {
    "delivery.report.only.error": False,
    "message.timeout.ms": 0,  # a record goes on being tried; the order stays
    "linger.ms": 2,
    "queue.buffering.max.kbytes": 131_072,
}
Confirmed = Callable[[str | None], None]
"""Told once of each record: None, or why Kafka will never take it."""


class Line:
    """Sends records, and says when Kafka has them.

    Args:
        kafka: how to reach Kafka.
        max_message_bytes: of a record.
    """

    def __init__(self, kafka: ProducerSettings, max_message_bytes: int) -> None:
        self.trouble: str | None = None
        self._producer = Producer(
            {
                **PRODUCER_SETTINGS,
                **_LINE_SETTINGS,
                "message.max.bytes": max_message_bytes,
                **kafka,
                "error_cb": self._on_error,
            },
            logger=logger,
        )

    def __len__(self) -> int:
        """Records under way."""
        return len(self._producer)

    def send(self, record: KafkaRecord, confirmed: Confirmed) -> None:
        """Queue a record; waits only while the queue is full."""
        while True:
            try:
                self._producer.produce(
                    record.topic,
                    record.value,
                    record.key,
                    timestamp=record.timestamp_ms,
                    headers=[*record.headers],
                    on_delivery=partial(self._on_delivery, confirmed),
                )
                return
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as e:
                confirmed(e.args[0].str())
                return

    def poll(self) -> None:
        """Tell of what was confirmed since."""
        self._producer.poll(0)

    def close(self, wait_s: float) -> int:
        """Wait for what is under way; how many records are left."""
        return self._producer.flush(wait_s)

    def _on_delivery(self, confirmed: Confirmed, error: KafkaError | None, _: Message) -> None:
        if error is None:
            self.trouble = None
        confirmed(None if error is None else error.str())

    def _on_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN or error.fatal():
            self.trouble = f"Kafka: {error.str()}"
