"""What a record of a dead-letters topic is: a dead letter, the mark of a replay, or foreign.

Whoever may write to the topic may have written anything, so nothing here fails on any bytes.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple, Self

import msgspec
from ounce_schemas.dead_letter import (
    DEAD_LETTER_HEADERS,
    HEADER_OFFSET,
    HEADER_OMITTED,
    HEADER_PARTITION,
    HEADER_REASON,
    HEADER_REPLAYED,
    HEADER_REPLAYED_FROM,
    HEADER_TEXT,
    HEADER_TIMESTAMP,
    HEADER_TOPIC,
)
from ounce_schemas.errors import Reason
from ounce_schemas.json_errors import NO_JSON
from ounce_schemas.request import CONTENT_TYPE_JSON, HEADER_CONTENT_TYPE, HEADER_ID

Headers = tuple[tuple[str, bytes | None], ...]

_NUMBER = re.compile(rb"[0-9]{1,18}")  # fits into Kafka's int64


class Position(NamedTuple):
    """Where a record is in its topic."""

    partition: int
    offset: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read PARTITION:OFFSET.

        Raises:
            ValueError: it is not that.
        """
        partition, _, offset = text.partition(":")
        numbers = [_number(part.encode()) for part in (partition, offset)]
        if numbers[0] is None or numbers[1] is None:
            raise ValueError(f"{text!r} is not PARTITION:OFFSET, for example 0:12")
        return cls(numbers[0], numbers[1])

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record as Kafka holds it."""

    topic: str
    position: Position
    timestamp_ms: int
    """Since 1970; -1 where it has none."""
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a dead letter came from."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    """Since 1970; -1 where it had none."""

    @property
    def id(self) -> str:
        """The id of a record that brought none."""
        return f"{self.topic}-{self.partition}-{self.offset}"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that a worker could not serve."""

    record: StoredRecord
    reason: str
    text: str
    origin: Origin
    headers: Headers
    """The record's own, without what the worker added."""
    omitted: tuple[str, ...] = ()
    """What was too large for this topic, of value, headers and key; it is missing here."""

    @property
    def is_label(self) -> bool:
        """Whether it was a label, and no request."""
        return self.reason == Reason.BAD_LABEL

    @property
    def own_id(self) -> str | None:
        """The id that the record brought; None where it brought none that can be read."""
        return read_id(self.headers, self.record.value)

    @property
    def id(self) -> str:
        """What its answer would be known by."""
        return self.own_id or self.origin.id

    @property
    def replayed_from(self) -> tuple[str, ...]:
        """The dead letters that it was before, oldest first."""
        return tuple(
            (value or b"").decode(errors="replace")
            for name, value in self.headers
            if name == HEADER_REPLAYED_FROM
        )

    @property
    def attempts(self) -> int:
        """How often a worker could not serve it."""
        return 1 + len(self.replayed_from)


class Mark(NamedTuple):
    """Says that a dead letter was sent back to the requests topic."""

    position: Position
    """Of the dead letter."""
    at_ms: int
    """Since 1970; -1 where the mark has no timestamp."""


def read_letter(record: StoredRecord) -> DeadLetter | None:
    """The dead letter that a record is; None if it isn't one.

    The worker's headers are behind the record's own, each once, so a record may have brought
    headers of the same names.
    """
    added: dict[str, bytes | None] = {}
    for name, value in reversed(record.headers):
        if name not in DEAD_LETTER_HEADERS or name in added:
            break
        if name == HEADER_OMITTED and added:  # the worker's is the last one
            break
        added[name] = value
    reason, topic = _text(added.get(HEADER_REASON)), _text(added.get(HEADER_TOPIC))
    partition, offset = (_number(added.get(name)) for name in (HEADER_PARTITION, HEADER_OFFSET))
    if not reason or not topic or partition is None or offset is None:
        return None
    timestamp_ms = _number(added.get(HEADER_TIMESTAMP))
    return DeadLetter(
        record=record,
        reason=reason,
        text=(added.get(HEADER_TEXT) or b"").decode(errors="replace"),
        origin=Origin(topic, partition, offset, -1 if timestamp_ms is None else timestamp_ms),
        headers=record.headers[: len(record.headers) - len(added)],
        omitted=tuple(filter(None, (_text(added.get(HEADER_OMITTED)) or "").split(","))),
    )


def read_mark(record: StoredRecord) -> Mark | None:
    """The mark of a replay that a record is; None if it isn't one."""
    if record.value is not None or len(record.headers) != 1:
        return None
    [(name, value)] = record.headers
    offset = _number(value)
    if name != HEADER_REPLAYED or offset is None or offset >= record.position.offset:
        return None
    return Mark(Position(record.position.partition, offset), record.timestamp_ms)


def read(record: StoredRecord) -> DeadLetter | Mark | None:
    """What a record is; None: foreign."""
    return read_letter(record) or read_mark(record)


def make_mark(letter: DeadLetter) -> Headers:
    """The headers of the mark that a dead letter was sent back."""
    return ((HEADER_REPLAYED, str(letter.record.position.offset).encode()),)


def header_id(headers: Headers) -> bytes | None:
    """The header that is a request's id, as the worker reads it: the last one; empty says nothing.
    It may be no text, which the worker refuses."""
    return dict(headers).get(HEADER_ID) or None


class _Body(msgspec.Struct):
    id: str | None = None


_body_id = msgspec.json.Decoder(_Body).decode


def read_id(headers: Headers, value: bytes | None) -> str | None:
    """The id that a request brings: its header's, or else its JSON body's."""
    header = header_id(headers)
    if header is not None:
        return _text(header)
    content_type = (_text(dict(headers).get(HEADER_CONTENT_TYPE)) or "").split(";")[0]
    says_json = content_type.strip().lower() == CONTENT_TYPE_JSON
    if not value or not (says_json or (not content_type and value[:1] == b"{")):
        return None
    try:
        return _body_id(value).id or None
    except NO_JSON:
        return None


def _text(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None


def _number(value: bytes | None) -> int | None:
    return int(value) if value is not None and _NUMBER.fullmatch(value) else None
