"""No answer is passed over, wherever a gateway begins to read."""

import threading
import time
from typing import Any

import pytest
from confluent_kafka import (
    OFFSET_END,
    OFFSET_INVALID,
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from ounce_edge.broker.delivery.publishing import ProducerSettings
from ounce_edge.gateway import answer_consumer
from ounce_edge.gateway.answer_consumer import AnswerConsumer, starts
from ounce_schemas.topics import dead_letters_topic

from tests.support.kafka.topics import OwnTopics
from tests.support.process.wait import wait_until

TASK = "gateway-answers"
HOUR_MS = 3_600_000


@pytest.fixture
def predictions(topics: OwnTopics) -> str:
    return topics.of_task(TASK, partitions=2)[1]


def publish(kafka: str, topic: str, value: bytes, age_ms: int = 0) -> None:
    producer = Producer({"bootstrap.servers": kafka})
    producer.produce(topic, value, timestamp=round(time.time() * 1e3) - age_ms)
    assert producer.flush(60) == 0


def wait_for_answers(consumer: AnswerConsumer, n: int) -> list[bytes | None]:
    found: list[bytes | None] = []

    def has_come() -> bool:
        found.extend(message.value() for message in consumer.read(10))
        return len(found) >= n

    wait_until(has_come, lambda: (found, consumer.trouble))
    return found


def test_leaving_is_given_up_where_kafka_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_consumer, "_LEAVE_S", 0.1)
    is_asked, is_answered = threading.Event(), threading.Event()

    class FakeConsumer:
        """Kafka is away: closing waits for it."""

        def __init__(self, *_: Any, **__: Any) -> None:
            pass

        def subscribe(self, *_: Any, **__: Any) -> None:
            pass

        def close(self) -> None:
            is_asked.set()
            is_answered.wait()

    monkeypatch.setattr(answer_consumer, "Consumer", FakeConsumer)
    AnswerConsumer({}, "g", [TASK]).close()
    assert is_asked.is_set()
    is_answered.set()


@pytest.mark.kafka
def test_an_answer_is_read_that_comes_while_kafka_does_not_say_where_to_begin(
    kafka: str, predictions: str, consumer_group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[int]()

    def silent_at_first(*arguments: Any) -> Any:
        asked.append(1)
        if len(asked) == 1:
            publish(kafka, predictions, b"meanwhile")
            raise KafkaException(KafkaError(KafkaError.REQUEST_TIMED_OUT, "silent"))
        return starts(*arguments)

    monkeypatch.setattr(answer_consumer, "starts", silent_at_first)
    consumer = AnswerConsumer({"bootstrap.servers": kafka}, consumer_group, [TASK])
    try:

        def is_told() -> bool:
            consumer.read(10)
            return "Kafka does not say from where: silent" in (consumer.trouble or "")

        wait_until(is_told, lambda: consumer.trouble)
        assert wait_for_answers(consumer, 1) == [b"meanwhile"]
        assert consumer.trouble is None
    finally:
        consumer.close()


@pytest.mark.kafka
def test_a_group_that_has_read_nothing_goes_on_where_it_began(
    kafka: str, predictions: str, consumer_group: str
) -> None:
    settings: ProducerSettings = {"bootstrap.servers": kafka}
    publish(kafka, predictions, b"before the group", age_ms=2 * HOUR_MS)
    first = AnswerConsumer(settings, consumer_group, [TASK])
    group = {"bootstrap.servers": kafka, "group.id": f"ounce-gateway-{consumer_group}"}
    places = [TopicPartition(topic, p) for topic in first.topics for p in range(2)]

    def noted() -> list[int]:
        assert first.read(10) == []
        with Consumer(group) as asking:
            return [p.offset for p in asking.committed(places, 60)]

    try:
        wait_until(lambda: min(noted()) >= 0, noted)
    finally:
        first.close()
    publish(kafka, predictions, b"while it is away", age_ms=HOUR_MS)
    second = AnswerConsumer(settings, consumer_group, [TASK])
    try:
        assert wait_for_answers(second, 1) == [b"while it is away"]
    finally:
        second.close()


@pytest.mark.kafka
def test_answers_are_read_where_kafka_does_not_say_what_it_has_dropped(
    kafka: str, predictions: str, consumer_group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = {"bootstrap.servers": kafka, "group.id": f"ounce-gateway-{consumer_group}"}
    topics = (predictions, dead_letters_topic(TASK))
    with Consumer(group) as before:
        places = [TopicPartition(topic, p, 0) for topic in topics for p in range(2)]
        before.commit(offsets=places, asynchronous=False)

    class Leaderless(Consumer):
        """As where the broker of a partition is away."""

        def get_watermark_offsets(self, *_: Any, **__: Any) -> Any:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))

    monkeypatch.setattr(answer_consumer, "Consumer", Leaderless)
    consumer = AnswerConsumer({"bootstrap.servers": kafka}, consumer_group, [TASK])
    publish(kafka, predictions, b"kept")
    try:
        assert wait_for_answers(consumer, 1) == [b"kept"]
    finally:
        consumer.close()


class FakeConsumer:
    """Of a group; each time that it is asked, one more answer has come."""

    def __init__(self, committed: int, later: int) -> None:
        self._committed, self._later = committed, later
        self._end = 7

    def committed(self, partitions: list[TopicPartition], _: float) -> list[TopicPartition]:
        self._end += 1
        return [TopicPartition(p.topic, p.partition, self._committed) for p in partitions]

    def get_watermark_offsets(self, _: TopicPartition, timeout_s: float) -> tuple[int, int]:
        self._end += 1
        return 0, self._end

    def offsets_for_times(self, asked: list[TopicPartition], _: float) -> list[TopicPartition]:
        self._end += 1
        return [TopicPartition(p.topic, p.partition, self._later) for p in asked]


@pytest.mark.parametrize(
    ("committed", "later", "start"),
    [(3, 5, 3), (OFFSET_INVALID, 5, 5), (OFFSET_INVALID, OFFSET_END, 9)],
    ids=["the group was here", "an answer since the time", "none since, and one that comes now"],
)
def test_no_answer_is_passed_over_that_comes_while_a_gateway_begins(
    committed: int, later: int, start: int
) -> None:
    consumer: Any = FakeConsumer(committed, later)
    known, new = starts(consumer, [TopicPartition("ounce.t.dead-letters", 0)], 1000)
    (found,) = [*known, *new]
    assert (found.topic, found.offset) == ("ounce.t.dead-letters", start)
    assert bool(new) == (committed < 0)
