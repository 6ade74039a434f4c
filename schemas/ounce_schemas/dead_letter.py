"""A dead letter on the wire: the record's own key, value and headers, byte for byte, and why.

`DEAD_LETTER_HEADERS` are added behind the record's own. Once a dead letter was sent back to the
requests topic, a mark follows it in its own partition of the dead-letters topic: a record without
value that has its key, and `HEADER_REPLAYED` alone.
"""

HEADER_REASON = "ounce-dead-letter-reason"
HEADER_TEXT = "ounce-dead-letter-text"
HEADER_TOPIC = "ounce-dead-letter-topic"
HEADER_PARTITION = "ounce-dead-letter-partition"
HEADER_OFFSET = "ounce-dead-letter-offset"
HEADER_TIMESTAMP = "ounce-dead-letter-timestamp"

DEAD_LETTER_HEADERS = {
    HEADER_REASON: "closed-set code, for example wrong-length",
    HEADER_TEXT: "what was wrong, with the value, and what to send instead",
    HEADER_TOPIC: "topic the record came from",
    HEADER_PARTITION: "its partition, decimal",
    HEADER_OFFSET: "its offset, decimal",
    HEADER_TIMESTAMP: "its timestamp in milliseconds since 1970, decimal; -1 where it had none",
}

HEADER_REPLAYED = "ounce-dead-letter-replayed"
"""Of a mark: the offset of the dead letter, in the mark's own partition, that was sent back."""

HEADER_REPLAYED_FROM = "ounce-replayed-from"
"""Of a request: the dead letter that it was, `<topic>-<partition>-<offset>`; one for each time."""
