"""The gateway process: one thread does everything but MQTT's network and the backlog."""

import logging
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from ounce_schemas.topics import requests_topic
from prometheus_client import CollectorRegistry, ProcessCollector

from ounce_edge.broker.certificates import FilesOfStart, certificate_expiries
from ounce_edge.gateway.answer_consumer import AnswerConsumer
from ounce_edge.gateway.answers import Answers, publish
from ounce_edge.gateway.arrivals import Arrived, KafkaRecord, Refused, Translator
from ounce_edge.gateway.backlog import Backlog
from ounce_edge.gateway.bounds import Bounds
from ounce_edge.gateway.forwarder import Forwarder, Rules
from ounce_edge.gateway.instruments import GatewayInstruments
from ounce_edge.gateway.line import Line
from ounce_edge.gateway.local import Asked, LocalServing
from ounce_edge.gateway.mqtt_tls import mqtt_expiries
from ounce_edge.gateway.patterns import Pattern
from ounce_edge.gateway.replies import ReplyAddress
from ounce_edge.gateway.session import Session
from ounce_edge.gateway.settings import GatewaySettings
from ounce_edge.gateway.store import Store, StoreError
from ounce_edge.gateway.topic_watch import TopicWatch
from ounce_edge.telemetry.health import serve_health

logger = logging.getLogger(__name__)

_TURN_S = 0.002
"""So long a turn waits for messages; confirmations and answers wait as long."""
_LAST_S = 5.0
_STALLED_S = 30.0
_SHOW_S = 0.2
"""Between two looks of the metrics at what is held."""
_EVERY_S = 5.0
"""Between two looks at what changes slowly, and two lines on what is refused for one reason."""


class Gateway:
    """Forwards messages and publishes answers until it is told to stop.

    Raises:
        StoreError: the store can't be opened.
    """

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)  # alerts ask when it started
        metrics = self._metrics = GatewayInstruments(self._registry)
        for name, at_s in certificate_expiries(settings).items():
            metrics.certificates.labels(name).set(at_s)
        for name, expiry_s in mqtt_expiries(settings):
            metrics.certificates.labels(name).set_function(expiry_s)
        self._files = FilesOfStart(settings)
        maps = settings.topic_maps
        replies = ReplyAddress(
            settings.own_group,
            Pattern.parse(settings.answers),
            [Pattern.parse(text) for text in settings.reply_to],
            maps,
        )
        kafka = {"bootstrap.servers": settings.kafka, **settings.security}
        self._translator = Translator(maps, replies, settings.max_message_bytes)
        self._session = Session(settings, maps.filters)
        self._line = Line(kafka, settings.max_message_bytes)
        max_bytes = round(settings.max_store_mb * 1e6)
        metrics.store_limit.set(max_bytes)
        bounds = Bounds(
            max_bytes, settings.max_store_h * 3600, settings.drop_first, settings.max_message_bytes
        )
        self._store = Store(settings.store, bounds)
        self._backlog = Backlog(
            {**kafka, "message.max.bytes": settings.max_message_bytes},
            [requests_topic(task) for task in settings.task],
            self._store,
            settings.backlog_per_s,
            self._count_sent,
            self._second_try,
        )
        self._forwarder = Forwarder(
            self._line,
            self._store,
            self._backlog,
            Rules(settings.order, settings.patience_s),
            self._session.finish,
        )
        self._forwarder.confirmed = self._on_confirmed
        self._local = LocalServing(
            settings.models,
            settings.local,
            settings.policy,
            self._forwarder,
            partial(publish, self._session, replies),
        )
        consumer = self._answer_consumer = AnswerConsumer(kafka, settings.own_group, settings.task)
        self._answers = Answers(consumer, replies, self._session, metrics.answers)
        self._watch = TopicWatch(
            kafka, self._topics, self._set_absent, consumer.topics, consumer.note_readable
        )
        self._is_stopping = False
        self._turned_s = time.monotonic()
        self._looked_s = self._shown_s = 0.0
        self._told_s: dict[Refused, float] = {}
        self._n_untold, self._told_lost_s = 0, 0.0

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT.

        Raises:
            OunceError: the port of metrics can't be had.
        """
        settings = self._settings
        stop_server, port = serve_health(
            settings.metrics_host, settings.metrics_port, self, self._registry
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        logger.info("gateway %s: metrics on port %d", settings.own_name, port)
        if len(self._store):
            logger.info("%d messages are stored from before", len(self._store))
        try:
            self._session.start()
            self._backlog.start()
            self._watch.start()
            while not self._is_stopping:
                self._turn()
            self._finish()
        finally:
            self._session.close()
            self._store.close()
            stop_server()
        logger.info("stopped")

    def healthy(self) -> tuple[bool, str]:
        """Whether this process can go on by itself."""
        stalled_s = time.monotonic() - self._turned_s
        if stalled_s > _STALLED_S:
            return False, f"no progress for {stalled_s:.0f} s: restart this gateway"
        if self._forwarder.is_away and (replaced := self._files.replaced()):
            names = ", ".join(map(str, replaced))
            return False, f"Kafka is away, and {names} was replaced: restart this gateway"
        trouble = self._trouble()
        return True, f"alive, not ready: {trouble}" if trouble else "healthy"

    def ready(self) -> tuple[bool, str]:
        """Whether messages go and answers come back, and all that hinders it otherwise."""
        if trouble := self._trouble():
            return False, trouble
        is_alive, why = self.healthy()
        return (True, "ready") if is_alive else (False, why)

    def _trouble(self) -> str | None:
        if self._is_stopping:
            return "stopping"
        away = "Kafka is away: messages are stored" if self._forwarder.is_away else None
        forwarder = self._forwarder
        every = (
            self._session.trouble,
            forwarder.store_trouble,
            away,
            self._backlog.trouble,
            self._answer_consumer.trouble,
        )
        return "; ".join(filter(None, every)) or None

    def _turn(self) -> None:
        asked: list[Asked] = []
        for arrived in self._session.take(_TURN_S):
            self._take(arrived, asked)
        if asked:
            self._metrics.local.inc(self._local.answer(asked))
        self._forwarder.turn()
        self._answers.turn()
        now_s = self._turned_s = time.monotonic()
        if now_s - self._looked_s > _EVERY_S:
            self._looked_s = now_s
            self._forwarder.drop_old()
            with suppress(StoreError):  # the forwarder tells of it with the next write
                self._metrics.stored_age.set(self._store.oldest_age_s())
        if now_s - self._shown_s > _SHOW_S:
            self._shown_s = now_s
            self._show()

    def _take(self, arrived: Arrived, asked: list[Asked]) -> None:
        """Forward a message, or add it to what is answered here."""
        self._metrics.arrived.labels(arrived.qos).inc()
        found = self._translator.translate(arrived)
        if found.refused is not None:
            self._metrics.refused.labels(found.refused).inc()
            self._tell(found.refused, found.why)
        if found.record is None:
            self._session.finish(arrived)
        elif self._forwarder.is_away and self._local.serves(found.record.topic):
            asked.append((found.record, arrived))
        else:
            self._forwarder.take(found.record, arrived)

    def _finish(self) -> None:
        """What MQTT was told of is in Kafka or on the disk; the rest is left with MQTT."""
        self._watch.close()
        self._line.close(_LAST_S)
        self._forwarder.turn()
        self._session.take(0)
        self._backlog.close()
        self._answers.close()

    def _topics(self) -> set[str]:
        """All that records may go to."""
        return {*self._translator.topics, *self._store.topics()}

    def _set_absent(self, topics: frozenset[str]) -> None:
        self._forwarder.absent = self._backlog.aside.absent = topics
        self._metrics.absent.set(len(topics))

    def _on_confirmed(self, record: KafkaRecord) -> None:
        self._count_sent([record])
        self._metrics.forwarding.observe(max(time.time() - record.timestamp_ms / 1e3, 0))

    def _count_sent(self, records: Sequence[KafkaRecord]) -> None:
        for record in records:
            self._metrics.forwarded.labels(record.topic).inc()

    def _second_try(self, record: KafkaRecord, why: str) -> KafkaRecord | None:
        again = self._translator.second_try(record, why)
        if again is None:
            logger.error("%s takes no record of %r, dropped: %s", record.topic, record.key, why)
            self._metrics.dropped.inc()
        return again

    def _show(self) -> None:
        metrics, store, forwarder = self._metrics, self._store, self._forwarder
        metrics.ready.set(self._trouble() is None)
        metrics.away.set(forwarder.is_away)
        metrics.mqtt_away.set(self._session.trouble is not None)
        metrics.unconfirmed.set(forwarder.n_under_way)
        metrics.stored.set(len(store))
        metrics.stored_bytes.set(store.n_bytes)
        metrics.store_failing.set(forwarder.store_trouble is not None)
        dropped, forwarder.dropped = forwarder.dropped, 0
        metrics.dropped.inc(dropped)
        self._n_untold += dropped
        if self._n_untold and time.monotonic() - self._told_lost_s >= _EVERY_S:
            text = "dropped %d stored messages, which were too old or too many; %d bytes are stored"
            logger.error(text, self._n_untold, store.n_bytes)
            self._n_untold, self._told_lost_s = 0, time.monotonic()

    def _tell(self, refused: Refused, why: str) -> None:
        if time.monotonic() - self._told_s.get(refused, 0.0) >= _EVERY_S:
            self._told_s[refused] = time.monotonic()
            logger.warning("%s: %s", refused, why)

    def _stop(self, *_: Any) -> None:
        self._is_stopping = True
