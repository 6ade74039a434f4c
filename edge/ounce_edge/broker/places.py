"""Partitions by topic and number: what is read, answered and committed is known by these."""

from confluent_kafka import TopicPartition

from ounce_edge.wire.records import Record

Partition = tuple[str, int]
"""Name of its topic, and its number."""


def place_of(at: TopicPartition) -> Partition:
    """The partition that is meant, without the offset."""
    return at.topic, at.partition


def place_of_record(record: Record) -> Partition:
    """The partition that a record was read from."""
    return str(record.topic()), record.partition() or 0
