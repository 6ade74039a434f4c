"""Answers are read of every partition, of those too that come later."""

import pytest
from confluent_kafka import Message, Producer
from ounce_services.cluster.admin import describe_cluster
from ounce_services.devices import answers
from ounce_services.devices.answers import AnswerReader

from tests.support.kafka.topics import OwnTopics
from tests.support.process.wait import wait_until

TOPIC = "ounce.grown.predictions"


def publish(kafka: str, partition: int, value: str) -> None:
    with Producer({"bootstrap.servers": kafka, "linger.ms": 0}) as producer:
        producer.produce(TOPIC, value, partition=partition)
        assert producer.flush(60) == 0


@pytest.mark.kafka
def test_a_partition_that_a_topic_gains_is_read_from_its_beginning(
    kafka: str, topics: OwnTopics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "_LOOK_EVERY_S", 0.1)
    topics.make([TOPIC])
    publish(kafka, 0, "before the reader")
    found: list[Message] = []

    def is_read(n: int) -> bool:
        found.extend(message for batch in reader.drain() for message in batch.messages)
        return len(found) >= n

    with AnswerReader(kafka, describe_cluster(kafka), [TOPIC]) as reader:
        publish(kafka, 0, "first")
        wait_until(lambda: is_read(1), lambda: found)
        topics.grow(TOPIC, 3)
        for partition in (2, 0, 1):
            publish(kafka, partition, f"of {partition}")
        wait_until(lambda: is_read(4), lambda: found)
    assert found[0].value() == b"first"
    assert {m.value() for m in found[1:]} == {b"of 0", b"of 1", b"of 2"}
