"""Events on their way to Kafka: they arrive, and hold nobody up."""

import time

import msgspec
import pytest
from confluent_kafka import Consumer, Message, TopicPartition
from ounce_edge.broker import event_producer as events_module
from ounce_edge.broker.event_producer import EventProducer
from ounce_edge.telemetry.events import Events
from ounce_schemas.event import EventKind, OperationalEvent
from ounce_schemas.topics import events_topic

from tests.support.kafka.topics import OwnTopics


def test_no_broker_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(events_module, "_LAST_WORDS_S", 0.2)
    producer = EventProducer("127.0.0.1:1")
    for _ in range(1100):
        producer(b"digits", b"{}", [])
    producer.close()
    assert [r.message for r in caplog.records] == [
        "events are in this log only, ounce.events takes none: its queue is full"
    ]


def read_one(servers: str) -> Message:
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "people"})
    consumer.assign([TopicPartition(events_topic(), 0, 0)])
    message = consumer.poll(30)
    consumer.close()
    assert message is not None
    return message


@pytest.mark.kafka
def test_events_reach_their_topic(kafka: str, topics: OwnTopics) -> None:
    topics.make([events_topic()])
    producer = EventProducer(kafka)
    Events(producer, lambda *_: None).tell(EventKind.MODEL_SUSPENDED, "digits", "mlp", "failed")
    producer.close()
    message = read_one(kafka)
    assert message.error() is None
    assert message.key() == b"digits"
    assert dict(message.headers() or [])["ce_type"] == b"io.ounce.event"
    event = msgspec.json.decode(message.value() or b"", type=OperationalEvent)
    assert (event.kind, event.subject) == (EventKind.MODEL_SUSPENDED, "mlp")
    assert abs(event.at_ms / 1e3 - time.time()) < 60


@pytest.mark.kafka
def test_an_absent_topic_is_told_of_once(
    kafka: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(events_module.EVENT_PRODUCER_SETTINGS, "message.timeout.ms", 500)
    producer = EventProducer(kafka)
    deadline = time.monotonic() + 60
    while "takes none" not in caplog.text:
        assert time.monotonic() < deadline
        producer(b"digits", b"{}", [])
        time.sleep(0.1)
    producer.close()
    [record] = caplog.records
    assert record.message.startswith("events are in this log only, ounce.events takes none: ")
