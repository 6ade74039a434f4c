"""Requests of the digits task, and how far a consumer group is with them."""

from collections.abc import Callable

import numpy as np
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.support.process.wait import wait_until

REQUESTS = "ounce.digits.requests"
GOOD = np.zeros(64, "<f4").tobytes()


def wait_for(is_so: Callable[[], object], what: str, timeout_s: float = 90.0) -> None:
    wait_until(lambda: bool(is_so()), lambda: what, timeout_s)


def send(kafka: str, n: int, partition: int = 0, **settings: str) -> None:
    """Good requests, in a transaction where settings give one an id."""
    producer = Producer({"bootstrap.servers": kafka, **settings})
    if settings:
        producer.init_transactions()
        producer.begin_transaction()
    for _ in range(n):
        producer.produce(REQUESTS, GOOD, partition=partition)
    producer.commit_transaction() if settings else producer.flush()


def committed(kafka: str, group: str, partition: int = 0) -> int:
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": group})
    [at] = consumer.committed([TopicPartition(REQUESTS, partition)], timeout=60)
    consumer.close()
    return at.offset


def wait_until_empty(kafka: str, group: str) -> None:
    """Return once the group has no member, none that it waits for either."""
    admin = AdminClient({"bootstrap.servers": kafka})

    def members() -> list[object]:
        return list(admin.describe_consumer_groups([group])[group].result(60).members)

    wait_until(lambda: not members(), members)


def commit(kafka: str, group: str, offset: int, partition: int = 0) -> None:
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": group})
    at = TopicPartition(REQUESTS, partition, offset)
    consumer.commit(offsets=[at], asynchronous=False)
    consumer.close()
