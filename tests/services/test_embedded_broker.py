"""What the embedded broker keeps, and what it forgets."""

from collections.abc import Iterator

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from ounce_schemas.errors import BrokerError
from ounce_services.cluster import embedded, mock_cluster
from ounce_services.cluster.embedded import EmbeddedBroker

PLACE = ("old", 0)
LOOKS = 10
GROUP = "readers"


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedBroker]:
    """It looks when it is told to."""
    monkeypatch.setattr(embedded, "_LOOK_EVERY_S", 3600.0)
    with EmbeddedBroker(GROUP) as broker:
        broker.create_topics([PLACE[0]])
        yield broker


def fill(broker: EmbeddedBroker, n: int, n_bytes: int = 1) -> None:
    with Producer({"bootstrap.servers": broker.bootstrap_servers}) as producer:
        for _ in range(n):
            producer.produce(PLACE[0], b"x" * n_bytes, partition=PLACE[1])


def look(broker: EmbeddedBroker, n: int) -> None:
    for _ in range(n):
        broker.forget()


def read(broker: EmbeddedBroker) -> tuple[int, int]:
    """First offset, and the number of records from there to the end."""
    settings = {"bootstrap.servers": broker.bootstrap_servers, "group.id": "unused"}
    with Consumer(settings) as consumer:
        first, end = consumer.get_watermark_offsets(TopicPartition(*PLACE), timeout=10)
        consumer.assign([TopicPartition(*PLACE, OFFSET_BEGINNING)])
        n_read = 0
        while n_read < end - first:
            found = consumer.consume(min(1000, end - first - n_read), timeout=10)
            assert found
            assert all(message.error() is None for message in found)
            n_read += len(found)
        return first, n_read


def test_of_what_is_old_the_newest_stays(broker: EmbeddedBroker) -> None:
    fill(broker, 1500)
    look(broker, LOOKS)
    assert read(broker) == (500, 1000)
    fill(broker, 100)
    look(broker, LOOKS)
    assert read(broker) == (600, 1000)


def test_what_the_group_has_not_read_stays(broker: EmbeddedBroker) -> None:
    fill(broker, 1500)
    with Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": GROUP}) as group:
        group.commit(offsets=[TopicPartition(*PLACE, 200)], asynchronous=False)
        look(broker, LOOKS)
        assert read(broker) == (200, 1300)
        group.commit(offsets=[TopicPartition(*PLACE, 1500)], asynchronous=False)
        look(broker, LOOKS)
        assert read(broker) == (500, 1000)


def test_what_is_new_stays_however_much_it_is(broker: EmbeddedBroker) -> None:
    look(broker, LOOKS)
    fill(broker, 1500)
    look(broker, LOOKS - 1)
    assert read(broker) == (0, 1500)


def test_what_dropped_for_its_size_is_not_said_to_be_there(broker: EmbeddedBroker) -> None:
    fill(broker, 1200, 10_000)
    before = read(broker)
    assert before[0] > 1200 - embedded.KEPT_RECORDS
    look(broker, LOOKS)
    assert read(broker) == before


def test_a_librdkafka_that_can_not_forget_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(mock_cluster._SIGNATURES, "mock_nothing", (None, []))
    with pytest.raises(BrokerError, match="needs rd_kafka_mock_nothing, which this librdkafka"):
        EmbeddedBroker()
