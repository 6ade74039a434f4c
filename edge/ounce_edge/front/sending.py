"""Requests go to Kafka, and who sent one hears what became of it, on the event loop."""

import asyncio
import logging
import threading
import time
from functools import partial
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from ounce_edge.broker.delivery.publishing import PRODUCER_SETTINGS, ProducerSettings
from ounce_edge.front.statuses import NotAnsweredError
from ounce_edge.gateway.arrivals import KafkaRecord
from ounce_edge.gateway.line import produce

logger = logging.getLogger(__name__)

_POLL_S = 0.1
_AWAY_S = 5.0
"""So long after a request that was not confirmed Kafka counts as away. Balancers send no call
meanwhile, and only a call finds out whether it is back."""
_PURGE_S = 1.0
_TOO_LARGE = (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError._BAD_MSG)


class KafkaAwayError(NotAnsweredError):
    """Kafka has left a request unconfirmed for too long."""


class Place(NamedTuple):
    """Where Kafka holds a request."""

    topic: str
    partition: int
    offset: int


class Sender:
    """Sends requests. While Kafka is away one at a time tries; all others are refused at once.

    Args:
        kafka: how to reach Kafka.
        max_message_bytes: of a record.
        patience_s: so long Kafka may leave a record unconfirmed.
    """

    def __init__(self, kafka: ProducerSettings, max_message_bytes: int, patience_s: float) -> None:
        self._confirms = True
        """Whether Kafka confirmed what was sent last."""
        self._failed_s = 0.0
        self.n_unconfirmed = 0
        self._settings = {
            **PRODUCER_SETTINGS,
            "delivery.report.only.error": False,
            "linger.ms": 0.25,  # somebody waits; under load calls share a request to Kafka
            "message.timeout.ms": max(round(patience_s * 1e3), 1),
            "topic.metadata.propagation.max.ms": 1000,
            "message.max.bytes": max_message_bytes,
            "log_level": 2,  # what is sent tells of outages
            **kafka,
            "error_cb": self._on_error,
        }
        self._patience_s = patience_s
        self._loop = asyncio.get_running_loop()
        self._told: list[tuple[asyncio.Future[Place], Place | NotAnsweredError]] = []
        self._is_lost = self._is_closing = False
        self._replacing = threading.Lock()
        self._turned_s = time.monotonic()
        self._producer = self._make()
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)
        self._thread.start()

    def send(self, record: KafkaRecord) -> "asyncio.Future[Place]":
        """Send a request.

        Returns:
            Where Kafka holds it, once it does; or the `NotAnsweredError` that says why it does not.

        Raises:
            NotAnsweredError: it can't be sent now.
        """
        if not self._confirms and self.n_unconfirmed:
            raise self._away()
        found: asyncio.Future[Place] = self._loop.create_future()
        try:
            with self._replacing:
                produce(self._producer, record, partial(self._on_delivery, found))
        except BufferError:
            raise NotAnsweredError(503, "too much waits for Kafka; try again") from None
        except KafkaException as e:
            raise self._refusal(e.args[0], record.topic) from e
        self.n_unconfirmed += 1
        return found

    @property
    def is_away(self) -> bool:
        """Whether Kafka confirmed nothing that was sent lately."""
        return not self._confirms and time.monotonic() - self._failed_s < _AWAY_S

    @property
    def stalled_s(self) -> float:
        """How long the thread has not come round."""
        return time.monotonic() - self._turned_s

    def close(self) -> None:
        """End; what is under way has been waited for."""
        self._is_closing = True
        self._thread.join()

    def _run(self) -> None:
        while not self._is_closing:
            self._turned_s = time.monotonic()
            self._producer.poll(_POLL_S)
            if self._is_lost:  # nothing can be sent by it; what it holds is told as not confirmed
                with self._replacing:
                    lost, self._producer, self._is_lost = self._producer, self._make(), False
                lost.purge()
                lost.flush(_PURGE_S)
            if self._told:
                told, self._told = self._told, []
                self._loop.call_soon_threadsafe(self._tell, told)

    def _on_delivery(
        self, found: "asyncio.Future[Place]", error: KafkaError | None, message: Message
    ) -> None:
        topic = str(message.topic())
        if error is not None:
            self._told.append((found, self._refusal(error, topic)))
        else:
            place = Place(topic, message.partition() or 0, message.offset() or 0)
            self._told.append((found, place))

    def _tell(self, told: list[tuple["asyncio.Future[Place]", Place | NotAnsweredError]]) -> None:
        for found, what in told:
            self.n_unconfirmed -= 1
            self._note(what)
            if found.done():  # who sent it has gone
                continue
            if isinstance(what, NotAnsweredError):
                found.set_exception(what)
            else:
                found.set_result(what)

    def _note(self, what: Place | NotAnsweredError) -> None:
        confirmed = self._confirms
        if isinstance(what, Place):
            self._confirms = True
        elif isinstance(what, KafkaAwayError):
            self._confirms, self._failed_s = False, time.monotonic()
        if self._confirms != confirmed:
            say = logger.info if self._confirms else logger.error
            say("Kafka %s", "confirms requests again" if self._confirms else "confirms no requests")

    def _refusal(self, error: KafkaError, topic: str) -> NotAnsweredError:
        if error.code() in _TOO_LARGE:
            return NotAnsweredError(413, f"{topic} takes no record so large: send less")
        if error.code() == KafkaError._MSG_TIMED_OUT:
            return self._away()
        return NotAnsweredError(503, f"{topic} takes no request: {error.str()}")

    def _away(self) -> KafkaAwayError:
        return KafkaAwayError(
            503, f"Kafka has confirmed no request for {self._patience_s:g} s; try again"
        )

    def _make(self) -> Producer:
        return Producer(self._settings, logger=logger)

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            logger.warning("a new producer takes over: %s", error.str())
            self._is_lost = True
