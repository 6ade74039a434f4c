"""The latest record of each key, over all partitions of a topic."""

import time
import uuid

import pytest
from confluent_kafka import Producer
from ounce_edge.broker import compacted_topic
from ounce_edge.broker.compacted_topic import CompactedTopic

WAIT_S = 60.0


class Writer:
    """A topic of four partitions on librdkafka's mock cluster, which can't say how it is kept."""

    def __init__(self) -> None:
        self._cluster = Producer({"test.mock.num.brokers": 1, "log_level": 2})
        found = self._cluster.list_topics(timeout=60).brokers.values()
        self.servers = ",".join(f"{b.host}:{b.port}" for b in found)
        self.topic = f"control-{uuid.uuid4().hex}"
        self._producer = Producer({"bootstrap.servers": self.servers, "linger.ms": 0})

    def write(self, **values: bytes | None) -> None:
        for key, value in values.items():
            partition = len(key) % 4  # by hand: keys of one length share one
            self._producer.produce(self.topic, value, key, partition=partition)
        assert self._producer.flush(WAIT_S) == 0


@pytest.fixture
def writer(monkeypatch: pytest.MonkeyPatch) -> Writer:
    monkeypatch.setattr(compacted_topic, "require_compacted", lambda connection, topic: None)
    return Writer()


def test_what_is_there_is_read_whole_and_then_what_comes(writer: Writer) -> None:
    writer.write(a=b"1", bb=b"1", ccc=b"1", dddd=b"1", e=b"1")
    writer.write(a=b"2", bb=None)
    topic = CompactedTopic(writer.servers, writer.topic, fetch_wait_ms=10)
    found = topic.start(WAIT_S)
    try:
        assert found == {"a": b"2", "ccc": b"1", "dddd": b"1", "e": b"1"}
        topic.wait_for_change(0.0)
        assert not topic.wait_for_change(0.05)
        writer.write(ccc=b"2", dddd=None)
        deadline = time.monotonic() + WAIT_S
        while topic.latest() != {"a": b"2", "ccc": b"2", "e": b"1"}:
            assert time.monotonic() < deadline
            topic.wait_for_change(1.0)
    finally:
        topic.close()
