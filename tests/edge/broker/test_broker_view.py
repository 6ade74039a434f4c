"""What the broker says of partitions and topics."""

import gc
import weakref
from collections.abc import Collection, Mapping
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from ounce_edge.broker.broker_view import BrokerView, Marks, SilentBrokerError, why_silent
from ounce_services.cluster.embedded import EmbeddedBroker

from tests.support.edge.serving import NOWHERE
from tests.support.kafka.topics import OwnTopics
from tests.support.process.wait import wait_until

A, B = ("t", 0), ("t", 1)


def view_of(servers: str) -> BrokerView:
    return BrokerView(lambda: AdminClient({"bootstrap.servers": servers, "log_level": 0}))


@pytest.mark.kafka
def test_the_broker_is_asked_for_marks_and_ids(kafka: str, topics: OwnTopics) -> None:
    topic = topics.of_task("digits", 2)[0]
    producer = Producer({"bootstrap.servers": kafka})
    for _ in range(3):
        producer.produce(topic, b"x", partition=1)
    producer.flush()
    open_ = Producer({"bootstrap.servers": kafka, "transactional.id": f"open-{id(topics)}"})
    open_.init_transactions()
    open_.begin_transaction()
    open_.produce(topic, b"x", partition=1)
    open_.flush()
    producer.produce(topic, b"behind", partition=1)
    producer.flush()
    view = view_of(kafka)
    view.check(topic)
    assert set(view.topic(topic).partitions) == {0, 1}
    assert view.marks([]) == {}
    held_up = {(topic, 0): Marks(0, 0, 0), (topic, 1): Marks(0, 3, 5)}
    assert view.marks([(topic, 0), (topic, 1)]) == held_up
    assert view.marks([(topic, 0), (topic, 7), (topic, 1)]) == held_up
    open_.abort_transaction()
    wait_until(lambda: view.marks([(topic, 1)]) == {(topic, 1): Marks(0, 6, 6)}, lambda: topic)
    before = view.topic_ids([topic, "ounce.no-such-topic"])
    assert [*before] == [topic]
    assert view.topic_ids([topic]) == before
    topics.make_again(topic)
    wait_until(
        lambda: view.topic_ids([topic]).get(topic, before[topic]) != before[topic], lambda: topic
    )


def test_a_broker_that_is_not_there_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ounce_edge.broker.broker_view._TIMEOUT_S", 0.2)
    view = view_of(NOWHERE)
    with pytest.raises(SilentBrokerError):
        view.check("t")
    assert view.marks([A]) == view.topic_ids(["t"]) == {}


def test_a_broker_that_is_silent_is_told_with_its_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ounce_edge.broker.broker_view._TIMEOUT_S", 0.2)
    monkeypatch.setattr("ounce_edge.broker.broker_view._ASK_S", 1.0)
    kafka = {"bootstrap.servers": NOWHERE, "log_level": 0}
    clients = weakref.WeakSet[AdminClient]()

    def connect() -> AdminClient:
        client = AdminClient(kafka)
        clients.add(client)
        return client

    view = BrokerView(connect, lambda: why_silent(kafka))
    with pytest.raises(SilentBrokerError, match=f"no Kafka at {NOWHERE} within 1 s .*refused") as e:
        view.check("t")
    del e
    gc.collect()
    assert not clients  # each has threads and files


def test_the_embedded_broker_is_not_asked_for_what_it_is_silent_on() -> None:
    asked: list[str] = []

    class Embedded(AdminClient):
        def describe_topics(self, topics: Any, **_: Any) -> Any:
            asked.append("topics")
            return {}

    with EmbeddedBroker() as broker:
        broker.create_topics(["t"])
        config = {"bootstrap.servers": broker.bootstrap_servers}
        view = BrokerView(lambda: Embedded(config))
        assert view.topic_ids(["t"]) == {}
    assert asked == []


class _FakeClient:
    """Stands in for an `AdminClient` that remembers partitions without a leader."""

    def __init__(self, leaderless: Collection[int]) -> None:
        self._leaderless = leaderless

    def list_offsets(
        self, asked: Mapping[TopicPartition, Any], **_: Any
    ) -> dict[TopicPartition, Future[Any]]:
        return {at: self._answer(at.partition) for at in asked}

    def _answer(self, partition: int) -> Future[Any]:
        answer: Future[Any] = Future()
        if partition in self._leaderless:
            answer.set_exception(KafkaException(KafkaError(KafkaError.LEADER_NOT_AVAILABLE)))
        else:
            answer.set_result(SimpleNamespace(offset=10))
        return answer


def test_a_client_that_does_not_know_an_end_is_asked_no_more() -> None:
    made = [_FakeClient([0]), _FakeClient([0, 1]), _FakeClient([])]
    clients = iter(made)
    view = BrokerView(lambda: cast("AdminClient", next(clients)))
    ten = Marks(10, 10, 10)
    assert view.marks([A, B]) == {B: ten}
    assert view.marks([A, B]) == {}  # without leaders, and not silent
    assert view.marks([A, B]) == view.marks([A, B]) == {A: ten, B: ten}
