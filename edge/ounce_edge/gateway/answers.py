"""Answers come back: from Kafka's topics of answers to the devices that asked."""

from typing import cast

import msgspec
from confluent_kafka import Message
from ounce_schemas.dead_letter import HEADER_REASON, HEADER_TEXT
from ounce_schemas.request import (
    CONTENT_TYPE_JSON,
    HEADER_CONTENT_TYPE,
    HEADER_ID,
    HEADER_REPLY,
)
from prometheus_client import Counter

from ounce_edge.gateway.answer_consumer import AnswerConsumer
from ounce_edge.gateway.patterns import is_text
from ounce_edge.gateway.replies import ReplyAddress
from ounce_edge.gateway.session import Session
from ounce_edge.wire.records import Headers
from ounce_edge.wire.requests.sent_ids import sent_id

_OF_KAFKA = "ce_"
"""Before the names of attributes in CloudEvents' Kafka binding."""
_OF_TRACES = ("traceparent", "tracestate", "ce_traceparent", "ce_tracestate")
_encode = msgspec.json.Encoder().encode


class Answers:
    """Publishes a batch of answers, waits until MQTT has confirmed it, and goes on behind it.

    So an answer is published at least once, also by the next gateway of the group.

    Args:
        consumer: reads them.
        replies: reads where an answer goes.
        session: publishes.
        published: counts.
    """

    def __init__(
        self,
        consumer: AnswerConsumer,
        replies: ReplyAddress,
        session: Session,
        published: Counter,
    ) -> None:
        self._consumer = consumer
        self._replies = replies
        self._session = session
        self._published = published
        self._unstored: list[Message] = []

    def turn(self) -> None:
        """Publish what came since, unless the last batch is not confirmed yet."""
        if self._session.n_unconfirmed:
            return
        self._store()
        if self._session.trouble is not None:
            return
        self._unstored = self._consumer.read(self._session.at_once)
        for message in self._unstored:
            headers = cast("Headers", message.headers() or ())
            if publish(self._session, self._replies, message.value(), headers):
                self._published.labels(message.topic()).inc()

    def close(self) -> None:
        """What was confirmed is not published again."""
        if not self._session.n_unconfirmed:
            self._store()
        self._consumer.close()

    def _store(self) -> None:
        self._consumer.store(self._unstored)
        self._unstored = []


def publish(session: Session, replies: ReplyAddress, body: bytes | None, headers: Headers) -> bool:
    """Publish an answer or a dead letter to the device that asked, if it is this group's. Headers
    that MQTT forbids are left out; attributes of CloudEvents are named as in its MQTT binding.

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
    properties = {
        name: text
        for name, text in texts
        if text and name != HEADER_REPLY and is_text(name) and is_text(text)
    }
    content_type = properties.pop(HEADER_CONTENT_TYPE, None)
    if HEADER_REASON in found:
        properties = {name: v for name, v in properties.items() if name.lower() in _OF_TRACES}
        content_type, body = CONTENT_TYPE_JSON, _refusal(found, body or b"")
    named = {name.removeprefix(_OF_KAFKA): text for name, text in properties.items()}
    session.publish(reply, body or b"", content_type, [*named.items()])
    return True


def _refusal(headers: dict[str, bytes | None], body: bytes) -> bytes:
    """What a device hears of a request or label that became a dead letter."""
    reason, text = headers.get(HEADER_REASON), headers.get(HEADER_TEXT)
    id_ = sent_id(headers.get(HEADER_ID) or b"", body)
    return _encode(
        {
            "error": (reason or b"").decode(errors="replace"),
            "text": (text or b"").decode(errors="replace"),
            **({"id": id_} if id_ else {}),
        }
    )
