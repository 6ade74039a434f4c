"""Telling people what a worker noticed: on the topic `ounce.events`, and in its log.

Events are rare and may be lost; nothing that happens to them may hold up or end serving.
"""

import logging
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

import msgspec
from confluent_kafka import KafkaError, KafkaException, Message, Producer
from ounce_schemas.event import EVENT_TYPE, EventKind, OperationalEvent
from ounce_schemas.request import (
    CONTENT_TYPE_JSON,
    HEADER_CONTENT_TYPE,
    HEADER_ID,
    HEADER_SOURCE,
)
from ounce_schemas.topics import EVENTS_TOPIC

from ounce_edge.wire.records import Headers

logger = logging.getLogger(__name__)

EVENT_PRODUCER_SETTINGS: dict[str, str | int | float | bool] = {
    "queue.buffering.max.messages": 1000,  # beyond it events are in the log only
    "message.timeout.ms": 30_000,
    "linger.ms": 50,
    "log_level": 2,  # the producer of answers tells of outages
}
_EVERY_MS = 1000
"""The same thing is told at most so often."""
_MOST_REMEMBERED = 256
"""Different things that may be told within `_EVERY_MS`: subjects must not grow it."""
_LAST_WORDS_S = 1.0

_encode = msgspec.json.Encoder().encode


class Send(Protocol):
    """Sends one record to `ounce.events`, now or later or never, without waiting."""

    def __call__(self, key: bytes, value: bytes, headers: Headers) -> None:
        """Any error that it raises is logged."""


class EventProducer:
    """Sends events to Kafka; a `Send`. If the broker does not take one, that is logged once.

    Args:
        kafka: bootstrap servers.
        security: what librdkafka must be told of it.
    """

    def __init__(self, kafka: str, security: Mapping[str, Any] = MappingProxyType({})) -> None:
        self._has_warned = False
        self._producer = Producer(
            {
                **EVENT_PRODUCER_SETTINGS,
                "bootstrap.servers": kafka,
                **security,
                "on_delivery": self._on_delivery,
            }
        )

    def __call__(self, key: bytes, value: bytes, headers: Headers) -> None:
        """Queue a record."""
        try:
            self._producer.poll(0)  # reports on earlier events
            self._producer.produce(EVENTS_TOPIC, value, key, headers=[*headers])
        except BufferError:
            self._warn_once("its queue is full")
        except KafkaException as e:
            self._warn_once(e.args[0].str())

    def close(self) -> None:
        """Send what is queued, if that takes no longer than a second."""
        self._producer.flush(_LAST_WORDS_S)
        self._producer.purge()
        self._producer.flush(_LAST_WORDS_S)

    def _on_delivery(self, error: KafkaError | None, _: Message) -> None:
        if error is not None and error.code() != KafkaError._PURGE_QUEUE:
            self._warn_once(error.str())

    def _warn_once(self, why: str) -> None:
        if not self._has_warned:
            self._has_warned = True
            logger.warning("events are in this log only, %s takes none: %s", EVENTS_TOPIC, why)


class Events:
    """What a worker has to say.

    Args:
        send: takes the records.
        on_event: called with task and kind of each event that is told, for metrics.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        send: Send,
        on_event: Callable[[str, EventKind], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._send = send
        self._on_event = on_event
        self._clock = clock
        self._latest: dict[tuple[EventKind, str, str], _Told] = {}

    def tell(self, kind: EventKind, task: str, subject: str, text: str) -> None:
        """Tell people, unless they were told the same less than a second ago: then the next such
        event says how many there were. Never raises, never waits.

        Args:
            kind: what happened.
            task: name of the task.
            subject: what it is about: a model, a plan, a floor, or `requests`.
            text: what happened, with the figures, in a sentence.
        """
        try:
            self._tell(OperationalEvent(kind, task, subject, text, int(self._clock() * 1e3)))
        except Exception:
            logger.exception("an event was not told: %s %s %s: %s", kind, task, subject, text)

    def _tell(self, event: OperationalEvent) -> None:
        key = (event.kind, event.task, event.subject)
        latest = self._latest.get(key)
        if latest is not None and 0 <= event.at_ms - latest.at_ms < _EVERY_MS:
            latest.untold += 1
            return
        if latest is None and not self._make_room(event.at_ms):
            return
        if latest is not None and latest.untold:
            event.text = f"{event.text} ({latest.untold} more like it since the last event)"
        self._latest[key] = _Told(event.at_ms)
        logger.warning(
            "event=%s task=%s subject=%s: %s",
            event.kind,
            event.task,
            event.subject,
            " ".join(event.text.split()),
        )
        self._on_event(event.task, event.kind)
        headers = [
            (HEADER_ID, str(uuid.uuid4()).encode()),
            ("ce_specversion", b"1.0"),
            ("ce_type", EVENT_TYPE.encode()),
            (HEADER_SOURCE, f"/ounce/{event.task}".encode()),
            (HEADER_CONTENT_TYPE, CONTENT_TYPE_JSON.encode()),
        ]
        self._send(event.task.encode(), _encode(event), headers)

    def _make_room(self, now_ms: int) -> bool:
        """Whether one more thing can be remembered; forgets those told long enough ago."""
        if len(self._latest) >= _MOST_REMEMBERED:
            self._latest = {
                key: told
                for key, told in self._latest.items()
                if 0 <= now_ms - told.at_ms < _EVERY_MS
            }
        return len(self._latest) < _MOST_REMEMBERED


@dataclass(slots=True)
class _Told:
    """When something was told last, and how often it was not since."""

    at_ms: int
    untold: int = 0
