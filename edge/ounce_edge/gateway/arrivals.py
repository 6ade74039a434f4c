"""From a message of MQTT to a record of Kafka. Pure."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from ounce_schemas.errors import InvalidMessageError, Reason
from ounce_schemas.request import HEADER_CONTENT_TYPE, HEADER_MAX_LATENCY_MS, HEADER_REPLY
from ounce_schemas.topics import dead_letters_topic, labels_topic, requests_topic

from ounce_edge.gateway.maps import BadTopicError, TopicMap, TopicMaps
from ounce_edge.gateway.patterns import Place
from ounce_edge.gateway.replies import BadReplyError, ReplyAddress
from ounce_edge.wire.dead_letters import write_letter
from ounce_edge.wire.records import MadeRecord, Outgoing

MOST_HEADER_BYTES = 16_384
_ATTRIBUTE = re.compile("(?!traceparent$|tracestate$)[a-z0-9]+")
"""A name that an attribute of CloudEvents may have, and none of W3C's trace context."""
_RESERVE_BYTES = 1000
"""For what is held or sent beside key, value and headers."""


_SMALL_BYTES = 4000
"""Of a dead letter that a topic takes whose limit is lower than ours."""
NO_TIME_MS = 1
"""A timestamp that no worker believes: it counts from when it reads the record."""


class Refused(StrEnum):
    """Why a message of MQTT goes nowhere, or not as asked. A closed set, for metrics."""

    BAD_TOPIC = "bad-topic"
    """Its topic names no device, or no task that is served."""
    RETAINED = "retained"
    """The broker kept it, and sends it at every connection."""
    TOO_LARGE = "too-large"
    BAD_PROPERTIES = "bad-properties"
    BAD_REPLY = "bad-reply"
    """It is served, and answered on the usual topic."""


@dataclass(eq=False, slots=True)
class Arrived:
    """One message of MQTT. Written by the session, and marked done by who took it."""

    topic: str | None
    """None where it is no UTF-8 text."""
    payload: bytes
    at_ms: int
    """When it came, by this machine's clock. A device's own clock is never believed."""
    qos: int = 0
    mid: int = 0
    is_retained: bool = False
    content_type: str | None = None
    response_topic: str | None = None
    correlation: bytes | None = None
    properties: Sequence[tuple[str, str]] = ()
    """User properties of MQTT 5."""
    is_done: bool = False

    @property
    def size_bytes(self) -> int:
        """What it holds in memory, roughly."""
        return len(self.payload) + _RESERVE_BYTES


class KafkaRecord(NamedTuple):
    """What goes to Kafka."""

    topic: str
    key: bytes
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    timestamp_ms: int

    @property
    def size_bytes(self) -> int:
        """As Kafka's client counts it, or more."""
        held = sum(len(name) + len(value or b"") + 10 for name, value in self.headers)
        return len(self.key) + len(self.value or b"") + held + _RESERVE_BYTES

    def as_record(self) -> MadeRecord:
        """The same for those that take a `Record`; it has no position yet."""
        return MadeRecord(self.value, self.headers, self.key, -1, -1, self.timestamp_ms, self.topic)

    @property
    def max_latency_ms(self) -> float | None:
        """Its deadline, where a header says one that is a number."""
        for name, value in self.headers:
            if name == HEADER_MAX_LATENCY_MS and value:
                try:
                    found = float(value)
                except ValueError:
                    return None
                return found if math.isfinite(found) else None
        return None


class Translation(NamedTuple):
    """What becomes of a message."""

    record: KafkaRecord | None
    """A request, a label, or a dead letter."""
    refused: Refused | None = None
    why: str = ""


class Translator:
    """Makes records of messages.

    Args:
        maps: what topics mean.
        replies: where answers go.
        max_message_bytes: of a record.
    """

    def __init__(self, maps: TopicMaps, replies: ReplyAddress, max_message_bytes: int) -> None:
        self._maps = maps
        self._replies = replies
        self._max_bytes = max_message_bytes
        self._letters = {
            topic(task): dead_letters_topic(task)
            for task in maps.tasks
            for topic in (requests_topic, labels_topic)
        }

    @property
    def topics(self) -> list[str]:
        """Those of requests, and of labels where there is a map of them."""
        return sorted(self._maps.record_topics)

    def translate(self, arrived: Arrived) -> Translation:
        """The record of a message; of one that no topic of Kafka takes its dead letter, and of one
        that is of no task nothing."""
        topic = arrived.topic
        if topic is None:
            return Translation(None, Refused.BAD_TOPIC, "the topic is no UTF-8 text")
        try:
            place, by = self._maps.find(topic)
        except BadTopicError as e:
            return Translation(None, Refused.BAD_TOPIC, f"{topic[:80]!r}: {e}")
        if arrived.is_retained:
            return Translation(None, Refused.RETAINED, f"{topic[:80]!r} is retained")
        refused, why = None, ""
        try:
            address = self._address(arrived, place)
        except BadReplyError as e:
            address = self._replies.usual(place)
            refused, why = Refused.BAD_REPLY, str(e)
        headers, reply = _with_defaults(_headers(arrived), by), (HEADER_REPLY, address)
        record = KafkaRecord(
            by.record_topic(place.task),
            place.device.encode(),
            arrived.payload,
            [*headers, reply],
            arrived.at_ms,
        )
        if sum(len(name) + len(value or b"") for name, value in headers) > MOST_HEADER_BYTES:
            error = InvalidMessageError(
                Reason.BAD_HEADER,
                f"user properties of {topic[:80]!r} take over {MOST_HEADER_BYTES} bytes",
            )
            return self._letter(record._replace(headers=[reply]), Refused.BAD_PROPERTIES, error)
        if record.size_bytes > self._max_bytes:
            error = InvalidMessageError(
                Reason.TOO_LARGE,
                f"a message of {len(arrived.payload)} bytes on {topic[:80]!r} is over "
                f"--max-message-bytes {self._max_bytes}; send less",
            )
            return self._letter(record, Refused.TOO_LARGE, error)
        return Translation(record, refused, why)

    def second_try(self, record: KafkaRecord, why: str) -> KafkaRecord | None:
        """What to send instead of a record that Kafka refuses: without its time, since this
        machine's clock may be years off; then its dead letter; then nothing."""
        if record.timestamp_ms != NO_TIME_MS:
            return record._replace(timestamp_ms=NO_TIME_MS)
        topic = self._letters.get(record.topic)
        if topic is None:
            return None
        error = InvalidMessageError(
            Reason.TOO_LARGE, f"{record.topic} refuses it: {why}; send less"
        )
        letter = write_letter(record.as_record(), error, _SMALL_BYTES)
        return record._replace(topic=topic, value=letter.value, headers=[*letter.headers])

    def _address(self, arrived: Arrived, place: Place) -> bytes:
        if arrived.response_topic is None:
            return self._replies.usual(place)
        return self._replies.asked(place, arrived.response_topic, arrived.correlation)

    def _letter(
        self, record: KafkaRecord, refused: Refused, error: InvalidMessageError
    ) -> Translation:
        letter = write_letter(record.as_record(), error, self._max_bytes)
        topic = self._letters[record.topic]
        dead = record._replace(topic=topic, value=letter.value, headers=[*letter.headers])
        return Translation(dead, refused, error.text)


def _headers(arrived: Arrived) -> list[tuple[str, bytes | None]]:
    """User properties as headers. CloudEvents' MQTT binding names attributes without a mark."""
    names = {name for name, _ in arrived.properties}
    pairs: Iterable[tuple[str, str]] = arrived.properties
    if "specversion" in names:
        pairs = ((f"ce_{n}" if _ATTRIBUTE.fullmatch(n) else n, value) for n, value in pairs)
    headers: list[tuple[str, bytes | None]] = [
        (name, value.encode(errors="replace")) for name, value in pairs if name != HEADER_REPLY
    ]
    if arrived.content_type:
        headers.append((HEADER_CONTENT_TYPE, arrived.content_type.encode(errors="replace")))
    return headers


def _with_defaults(
    headers: list[tuple[str, bytes | None]], by: TopicMap
) -> list[tuple[str, bytes | None]]:
    """Headers, and what the map says where they say nothing."""
    if not by.defaults:
        return headers
    names = {name.lower() for name, _ in headers}
    return headers + [(name, value) for name, value in by.defaults if name not in names]


def as_outgoing(records: Sequence[KafkaRecord]) -> list[Outgoing]:
    """Records by topic; within a topic their order stays."""
    by_topic = groupby(sorted(records, key=attrgetter("topic")), attrgetter("topic"))
    return [_outgoing(topic, [*own]) for topic, own in by_topic]


def _outgoing(topic: str, records: Sequence[KafkaRecord]) -> Outgoing:
    return Outgoing(
        topic,
        [record.value for record in records],
        [record.key for record in records],
        [record.headers for record in records],
        None,
        [record.as_record() for record in records],
        timestamps_ms=[record.timestamp_ms for record in records],
    )
