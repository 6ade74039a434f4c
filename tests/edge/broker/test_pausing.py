"""Partitions that are paused while nothing more can be taken, on a real Kafka."""

from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from ounce_edge.broker.reading.consumer import CONSUMER_SETTINGS

from tests.support.kafka.consumer import Draining
from tests.support.kafka.topics import OwnTopics
from tests.support.process.wait import wait_until

TOPIC = "paused"


@pytest.fixture
def place(kafka: str) -> Iterator[TopicPartition]:
    topics = OwnTopics(kafka)
    topics.make([TOPIC])
    producer = Producer({"bootstrap.servers": kafka})
    producer.produce(TOPIC, b"one")
    assert producer.flush(30) == 0
    yield TopicPartition(TOPIC, 0, 0)
    topics.remove()


def test_a_partition_that_went_away_paused_is_read_when_it_comes_back(
    kafka: str, place: TopicPartition
) -> None:
    consumer = Consumer({**CONSUMER_SETTINGS, "bootstrap.servers": kafka, "group.id": "pausing"})
    room = [0]
    draining = Draining(consumer, room)
    try:
        consumer.incremental_assign([place])
        draining._take(0.01, 10)  # no room: it is paused
        consumer.incremental_unassign([place])
        draining._take(0.01, 10)
        room[0] = 10  # there is room while it is away
        draining._take(0.01, 10)
        consumer.incremental_assign([place])
        wait_until(
            lambda: any(m.error() is None for m in draining._take(0.1, 10)[0]),
            lambda: "its record is not read",
        )
    finally:
        consumer.close()
