"""A dead letter on the wire: the record's own key, value and headers, byte for byte, and why.
What makes it too large for the topic is left out, and `HEADER_OMITTED` says so.

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
HEADER_OMITTED = "ounce-dead-letter-omitted"

DEAD_LETTER_HEADERS = {
    HEADER_REASON: "closed-set code, for example wrong-length",
    HEADER_TEXT: "what was wrong, with the value, and what to send instead",
    HEADER_TOPIC: "topic the record came from",
    HEADER_PARTITION: "its partition, decimal",
    HEADER_OFFSET: "its offset, decimal",
    HEADER_TIMESTAMP: "its timestamp in milliseconds since 1970, decimal; -1 where it had none",
    HEADER_OMITTED: "the last, and only where the record was too large for this topic: what was "
    "left out, of value, headers and key, separated by commas; it is where the record came from",
}

HEADER_REPLAYED = "ounce-dead-letter-replayed"
"""Of a mark: the offset of the dead letter, in the mark's own partition, that was sent back."""

HEADER_REPLAYED_FROM = "ounce-replayed-from"
"""Of a request: the dead letter that it was, `<topic>-<partition>-<offset>`; one for each time."""
