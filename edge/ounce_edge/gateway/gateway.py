"""The gateway process: one thread does everything but MQTT's network."""

import logging
import signal
import time
from functools import partial
from typing import Any

from prometheus_client import CollectorRegistry

from ounce_edge.gateway.answers import Answers
from ounce_edge.gateway.arrivals import Arrived, KafkaRecord, Translator
from ounce_edge.gateway.instruments import GatewayInstruments
from ounce_edge.gateway.line import Line
from ounce_edge.gateway.maps import Pattern
from ounce_edge.gateway.replies import ReplyAddress
from ounce_edge.gateway.session import Session
from ounce_edge.gateway.settings import GatewaySettings
from ounce_edge.telemetry.health import serve_health

logger = logging.getLogger(__name__)

_TURN_S = 0.002
"""So long a turn waits for messages; confirmations and answers wait as long."""
_LAST_S = 5.0
_STALLED_S = 30.0
_TOLD_EVERY_S = 10.0


class Gateway:
    """Forwards messages and publishes answers until it is told to stop."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._registry = CollectorRegistry()
        self._instruments = GatewayInstruments(self._registry)
        self._settings = settings
        maps = settings.maps
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
        self._answers = Answers(
            kafka,
            settings.own_group,
            settings.task,
            replies,
            self._session,
            self._instruments.answers,
        )
        self._is_stopping = False
        self._turned_s = time.monotonic()
        self._told_s = -_TOLD_EVERY_S

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
        try:
            self._session.start()
            while not self._is_stopping:
                self._turn()
            self._session.take(0)
            if left := self._line.close(_LAST_S):
                logger.warning("%d messages are left with MQTT, which sends them again", left)
            self._session.take(0)
            self._answers.close()
        finally:
            self._session.close()
            stop_server()
        logger.info("stopped")

    def healthy(self) -> tuple[bool, str]:
        """Whether this process can go on by itself."""
        stalled_s = time.monotonic() - self._turned_s
        if stalled_s > _STALLED_S:
            return False, f"no progress for {stalled_s:.0f} s: restart this gateway"
        trouble = self._trouble()
        return True, f"alive, not ready: {trouble}" if trouble else "healthy"

    def ready(self) -> tuple[bool, str]:
        """Whether messages are forwarded, and what hinders it otherwise."""
        trouble = self._trouble()
        return trouble is None, trouble or "ready"

    def _trouble(self) -> str | None:
        return "stopping" if self._is_stopping else self._session.trouble or self._line.trouble

    def _turn(self) -> None:
        for arrived in self._session.take(_TURN_S):
            self._take(arrived)
        self._line.poll()
        self._answers.turn()
        self._turned_s = time.monotonic()
        self._instruments.unacknowledged.set(len(self._line))
        self._instruments.ready.set(self.ready()[0])

    def _take(self, arrived: Arrived) -> None:
        self._instruments.arrived.labels(arrived.qos).inc()
        found = self._translator.translate(arrived)
        if found.refused is not None:
            self._instruments.refused.labels(found.refused).inc()
            self._tell(f"{found.refused}: {found.why}")
        if found.record is None:
            self._session.finish(arrived)
        else:
            self._line.send(found.record, partial(self._on_confirmed, arrived, found.record))

    def _on_confirmed(self, arrived: Arrived, record: KafkaRecord, why_not: str | None) -> None:
        if why_not is not None:
            self._tell(f"{record.topic} takes no message of {record.key!r}: {why_not}")
            return
        self._instruments.forwarded.labels(record.topic).inc()
        self._instruments.forwarding.observe(max(time.time() - arrived.at_ms / 1e3, 0))
        self._session.finish(arrived)

    def _tell(self, text: str) -> None:
        if time.monotonic() - self._told_s >= _TOLD_EVERY_S:
            self._told_s = time.monotonic()
            logger.warning("%s", text)

    def _stop(self, *_: Any) -> None:
        self._is_stopping = True
