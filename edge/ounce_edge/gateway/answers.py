"""Answers come back: from Kafka's topics of answers to the devices that asked."""

import logging
import time
from collections.abc import Sequence
from typing import Any, cast

import msgspec
from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from ounce_schemas.dead_letter import HEADER_REASON, HEADER_TEXT
from ounce_schemas.errors import InvalidMessageError
from ounce_schemas.json_errors import NO_JSON
from ounce_schemas.request import (
    CONTENT_TYPE_JSON,
    HEADER_CONTENT_TYPE,
    HEADER_ID,
    HEADER_REPLY,
)
from ounce_schemas.topics import dead_letters_topic, predictions_topic
from ounce_schemas.wording import counted
from prometheus_client import Counter

from ounce_edge.broker.delivery.publishing import ProducerSettings
from ounce_edge.gateway.patterns import is_text
from ounce_edge.gateway.replies import ReplyAddress
from ounce_edge.gateway.session import Session
from ounce_edge.wire.formats.content import as_id
from ounce_edge.wire.formats.json_text import plain_text
from ounce_edge.wire.records import Headers
from ounce_edge.wire.requests.request_head import check_id

logger = logging.getLogger(__name__)

_DENIED = {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED}
_TIMEOUT_S = 2.0
_AGAIN_S = 1.0
"""From one try to find out where a partition is read from to the next."""
_CLOCKS_DIFFER_S = 60.0
"""An answer may be stamped by a clock that is so much behind this one."""
_OF_TRACES = ("traceparent", "tracestate", "ce_traceparent", "ce_tracestate")
_encode = msgspec.json.Encoder().encode


class _Named(msgspec.Struct):
    """What a body says of itself."""

    id: Any = None


_decode = msgspec.json.Decoder(_Named).decode


class Answers:
    """Publishes a batch of answers, waits until MQTT has confirmed it, and goes on behind it.

    So an answer is published at least once, also by the next gateway of the group.

    Args:
        kafka: how to reach Kafka.
        group: of gateways.
        tasks: whose answers to read.
        replies: reads where an answer goes.
        session: publishes.
        published: counts.
    """

    def __init__(
        self,
        kafka: ProducerSettings,
        group: str,
        tasks: Sequence[str],
        replies: ReplyAddress,
        session: Session,
        published: Counter,
    ) -> None:
        self._replies = replies
        self._session = session
        self._published = published
        self._unstored: list[Message] = []
        self._lost_track: set[TopicPartition] = set()
        """Partitions that the client gave up: what it was to read next is not there."""
        self._again_s = 0.0
        self._is_closing = False
        self.trouble: str | None = None
        """Why answers can't be read; None again once this gateway is let in, or reads one."""
        self._began_ms = round((time.time() - _CLOCKS_DIFFER_S) * 1e3)
        self._consumer = Consumer(
            {
                "group.id": f"ounce-gateway-{group}",
                "auto.offset.reset": "error",  # else what is kept is lost with what expired
                "enable.auto.offset.store": False,
                "fetch.queue.backoff.ms": 2,
                "topic.metadata.refresh.interval.ms": 10_000,  # partitions that a topic gains
                "log_level": 2,  # the line tells of outages
                **kafka,
            },
            logger=logger,
        )
        self._consumer.subscribe(
            [topic(task) for task in tasks for topic in (predictions_topic, dead_letters_topic)],
            on_assign=self._begin,
        )

    def turn(self) -> None:
        """Publish what came since, unless the last batch is not confirmed yet."""
        if self._session.n_unconfirmed:
            return
        self._store()
        if self._session.trouble is not None:
            return
        for message in self._consumer.consume(self._session.at_once, 0):
            error = message.error()
            if error is None:
                self.trouble = None
                self._publish(message)
                self._unstored.append(message)
            elif error.code() in _DENIED:
                self._note_denied(error.str())
            elif error.code() == KafkaError._AUTO_OFFSET_RESET:
                self._lost_track.add(
                    TopicPartition(message.topic() or "", message.partition() or 0)
                )
        if self._lost_track and time.monotonic() >= self._again_s:
            self._again_s = time.monotonic() + _AGAIN_S
            self._begin(self._consumer, self._consumer.assignment())

    def _note_denied(self, why: str) -> None:
        trouble = f"answers are not read: {why}; grant this user Read (docs/security.md, Rights)"
        if trouble != self.trouble:
            self.trouble = trouble
            logger.error("%s", trouble)

    def _begin(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """A new group has no offsets: it begins where this gateway began, not where it is let in,
        since answers may come before that."""
        if self._is_closing:  # Kafka lets it in at last, and is asked for nothing any more
            return
        self.trouble = None
        try:
            found = starts(consumer, partitions, self._began_ms)
            self._pass_over_expired(consumer, found)
        except KafkaException as e:  # the client begins at the group's offsets, if there are any
            logger.warning("Kafka does not say yet where answers begin: %s", e.args[0].str())
        else:
            consumer.assign(found)
            self._lost_track.clear()

    def _pass_over_expired(self, consumer: Consumer, found: list[TopicPartition]) -> None:
        for at in found:
            if at not in self._lost_track:
                continue
            low, end = consumer.get_watermark_offsets(at, _TIMEOUT_S)
            if at.offset < low:
                lost = f"{counted(low - at.offset, 'answer')} of {at.topic}[{at.partition}]"
                logger.error("%s expired unread: raise the topic's retention.ms", lost)
            if not low <= at.offset <= end:  # beyond the end, the topic was made again
                at.offset = low

    def close(self) -> None:
        """What was confirmed is not published again."""
        if not self._session.n_unconfirmed:
            self._store()
        self._is_closing = True
        self._consumer.close()

    def _publish(self, message: Message) -> None:
        headers = cast("Headers", message.headers() or ())
        if publish(self._session, self._replies, message.value(), headers):
            self._published.labels(message.topic()).inc()

    def _store(self) -> None:
        ends = {(m.topic(), m.partition()): m for m in self._unstored}
        self._unstored.clear()
        for message in ends.values():
            try:
                self._consumer.store_offsets(message)
            except KafkaException as e:  # the partition went to another gateway meanwhile
                logger.debug("not stored: %s", e.args[0].str())


def starts(
    consumer: Consumer, partitions: list[TopicPartition], since_ms: int
) -> list[TopicPartition]:
    """Where to read partitions from: behind what the group has committed; of a new group from a
    time on.

    Args:
        consumer: of the group.
        partitions: that it was given.
        since_ms: the time, in ms since 1970.

    Raises:
        KafkaException: Kafka does not say.
    """
    known = consumer.committed(partitions, _TIMEOUT_S)
    new = [p for p in known if p.offset < 0]
    # Asked for first: what comes between both questions is behind this end.
    ends = {p: consumer.get_watermark_offsets(p, _TIMEOUT_S)[1] for p in new}
    asked = [TopicPartition(p.topic, p.partition, since_ms) for p in new]
    found = consumer.offsets_for_times(asked, _TIMEOUT_S) if asked else []
    for p in found:
        p.offset = ends[p] if p.offset < 0 else p.offset
    return [*(p for p in known if p.offset >= 0), *found]


def publish(session: Session, replies: ReplyAddress, body: bytes | None, headers: Headers) -> bool:
    """Publish an answer or a dead letter to the device that asked, if it is this group's. Headers
    that MQTT forbids are left out.

    Args:
        session: publishes.
        replies: reads the address.
        body: of the answer.
        headers: of the answer, or of the dead letter.
    """
    found = dict(headers)
    reply = replies.read(found.get(HEADER_REPLY) or b"")
    if reply is None:
        return False
    texts = [(name, (value or b"").decode(errors="replace")) for name, value in headers]
    properties = [
        (name, text)
        for name, text in texts
        if text and name != HEADER_REPLY and is_text(name) and is_text(text)
    ]
    if HEADER_REASON in found:
        trace = [(name, text) for name, text in properties if name.lower() in _OF_TRACES]
        properties = [(HEADER_CONTENT_TYPE, CONTENT_TYPE_JSON), *trace]
        body = _refusal(found, body or b"")
    session.publish(reply, body or b"", properties)
    return True


def _refusal(headers: dict[str, bytes | None], body: bytes) -> bytes:
    """What a device hears of a request or label that became a dead letter."""
    reason, text = headers.get(HEADER_REASON), headers.get(HEADER_TEXT)
    id_ = _id(headers.get(HEADER_ID) or b"", body)
    return _encode(
        {
            "error": (reason or b"").decode(errors="replace"),
            "text": (text or b"").decode(errors="replace"),
            **({"id": id_} if id_ else {}),
        }
    )


def _id(header: bytes, body: bytes) -> str | None:
    """The id of the header, or that of a JSON object; None where there is none that can come
    back."""
    try:
        id_ = header.decode(errors="replace") or as_id(_decode(plain_text(body)).id)
        return None if id_ is None else check_id(id_)
    except (*NO_JSON, InvalidMessageError):
        return None
