"""Records of a topic of dead letters that no broker has seen."""

from ounce_services.dead_letters.letter import (
    DeadLetter,
    Headers,
    Position,
    StoredRecord,
    read,
)

REQUESTS, DEAD_LETTERS = "ounce.toy.requests", "ounce.toy.dead-letters"
AT = Position(0, 3)
WHY: Headers = (
    ("ounce-dead-letter-reason", b"wrong-length"),
    ("ounce-dead-letter-text", b"too\x1b short"),
    ("ounce-dead-letter-topic", REQUESTS.encode()),
    ("ounce-dead-letter-partition", b"1"),
    ("ounce-dead-letter-offset", b"5"),
    ("ounce-dead-letter-timestamp", b"1000"),
)


def record(
    value: bytes | None = b"body",
    headers: Headers = WHY,
    *,
    key: bytes | None = b"key",
    at: Position = AT,
    timestamp_ms: int = 2000,
) -> StoredRecord:
    return StoredRecord(DEAD_LETTERS, at, timestamp_ms, key, value, headers)


def letter(own: Headers = (), value: bytes | None = b"body") -> DeadLetter:
    found = read(record(value, (*own, *WHY)))
    assert isinstance(found, DeadLetter)
    return found
