"""Sending what people are told to a topic, now or later or never, without waiting."""

import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from ounce_schemas.topics import events_topic

from ounce_edge.broker.delivery.publishing import ProducerSettings
from ounce_edge.broker.link import writer_settings
from ounce_edge.wire.records import Headers

logger = logging.getLogger(__name__)

EVENT_PRODUCER_SETTINGS: ProducerSettings = {
    **writer_settings(),
    "queue.buffering.max.messages": 1000,  # beyond it events are in the log only
    "message.timeout.ms": 30_000,
    "linger.ms": 50,
    "log_level": 2,  # the producer of answers tells of outages
}
DECISION_PRODUCER_SETTINGS: ProducerSettings = {
    **EVENT_PRODUCER_SETTINGS,
    "queue.buffering.max.kbytes": 32_768,
    "compression.type": "lz4",
}
_LAST_WORDS_S = 1.0


class EventProducer:
    """Sends events to Kafka; a `Send`. That the broker takes none is logged once.

    Args:
        kafka: bootstrap servers.
        security: what librdkafka must be told of it.
        topic: takes the records; empty: the one of events.
        without: what it means that the topic takes none.
        settings: of the producer.
    """

    def __init__(
        self,
        kafka: str,
        security: Mapping[str, Any] = MappingProxyType({}),
        topic: str = "",
        without: str = "events are in this log only",
        settings: ProducerSettings = EVENT_PRODUCER_SETTINGS,
    ) -> None:
        self._topic, self._without = topic or events_topic(), without
        self._has_warned = False
        self._producer = Producer(
            {
                **settings,
                "bootstrap.servers": kafka,
                **security,
                "on_delivery": self._on_delivery,
            }
        )

    def __call__(self, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        """Queue a record."""
        try:
            self._producer.poll(0)  # reports on earlier events
            self._producer.produce(self._topic, value, key, headers=[*headers])
        except BufferError:
            self._warn_once("its queue is full")
        except KafkaException as e:
            self._warn_once(e.args[0].str())

    def close(self) -> None:
        """Send what is queued, for a second at most."""
        self._producer.flush(_LAST_WORDS_S)
        self._producer.purge()
        self._producer.flush(_LAST_WORDS_S)

    def _on_delivery(self, error: KafkaError | None, _: Message) -> None:
        if error is not None and error.code() != KafkaError._PURGE_QUEUE:
            self._warn_once(error.str())

    def _warn_once(self, why: str) -> None:
        if not self._has_warned:
            self._has_warned = True
            logger.warning("%s, %s takes none: %s", self._without, self._topic, why)
