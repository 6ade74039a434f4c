"""Topics are read on and on, whatever comes between."""

import logging
import threading
from collections.abc import Mapping
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer
from ounce_schemas.errors import OunceError
from ounce_services.cluster.embedded import EmbeddedBroker
from ounce_services.control import following
from ounce_services.control.following import Following, Records
from sqlalchemy.exc import InterfaceError

from tests.support.kafka.topics import OwnTopics
from tests.support.process.wait import wait_until

TOPIC = "ounce.following.predictions"
TIMED, LATE = "ounce.following-timed.predictions", "ounce.following-late.predictions"
LIMIT_S = 60
EARLIEST_MS = -2
"""As Kafka's protocol says it; the embedded broker knows no other time."""


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_LOOK_EVERY_S", 0.1)


@pytest.mark.parametrize(
    "error",
    [
        OunceError("Kafka is away"),
        InterfaceError("SELECT", {}, Exception("connection closed")),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_question_that_fails_once_does_not_end_the_reading(
    error: Exception, embedded_broker: EmbeddedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    embedded_broker.create_topics([TOPIC])
    servers = embedded_broker.bootstrap_servers
    failed, taken = list[int](), threading.Event()

    def wanted(names: set[str]) -> Mapping[str, None]:
        assert TOPIC in names
        if not failed:
            failed.append(1)
            raise error
        return {TOPIC: None}

    def take(topic: str, records: Records) -> None:
        assert (topic, records[0]) == (TOPIC, (b"k", b"v"))
        taken.set()

    producer = Producer({"bootstrap.servers": servers})
    with Following({"bootstrap.servers": servers}, "test", wanted, take).running():
        for _ in range(600):  # what is there before the reading begins is not read
            producer.produce(TOPIC, b"v", b"k")
            producer.poll(0)
            if taken.wait(0.1):
                break
    assert taken.is_set()
    assert failed == [1]
    [told] = [record for record in caplog.records if "goes on later" in record.message]
    assert told.exc_info is None


def test_after_a_failure_of_any_kind_each_record_comes_once(
    embedded_broker: EmbeddedBroker,
) -> None:
    embedded_broker.create_topics([TIMED])
    servers = embedded_broker.bootstrap_servers
    producer = Producer({"bootstrap.servers": servers})
    taken, half, failed, whole = list[bytes | None](), *(threading.Event() for _ in range(3))

    def send(*values: bytes) -> None:
        for value in values:
            producer.produce(TIMED, value, b"k")
        assert producer.flush(LIMIT_S) == 0

    def wanted(names: set[str]) -> Mapping[str, int]:
        assert TIMED in names
        if half.is_set() and not failed.is_set():
            failed.set()
            raise KeyError("a fault of ours")
        return {TIMED: EARLIEST_MS}

    def take(_topic: str, records: Records) -> None:
        taken.extend(value for _, value in records)
        (whole if b"4" in taken else half).set()

    send(b"1", b"2")
    with Following({"bootstrap.servers": servers}, "test", wanted, take).running():
        assert half.wait(LIMIT_S)
        assert failed.wait(LIMIT_S)
        send(b"3", b"4")
        assert whole.wait(LIMIT_S)
    assert taken == [b"1", b"2", b"3", b"4"]


def test_what_comes_between_the_look_and_the_first_fetch_is_read(
    embedded_broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded_broker.create_topics([LATE])
    servers = embedded_broker.bootstrap_servers
    producer = Producer({"bootstrap.servers": servers})
    taken = list[bytes | None]()
    seen = threading.Event()

    class Slow(Consumer):
        """The topic gets its first record just after it was found empty."""

        def offsets_for_times(self, *asked: Any) -> Any:
            found = super().offsets_for_times(*asked)
            producer.produce(LATE, b"1", b"k")
            assert producer.flush(LIMIT_S) == 0
            return found

    monkeypatch.setattr("ounce_services.control.following.Consumer", Slow)

    def take(_topic: str, records: Records) -> None:
        taken.extend(value for _, value in records)
        seen.set()

    def wanted(_names: set[str]) -> Mapping[str, int]:
        return {LATE: 0}

    with Following({"bootstrap.servers": servers}, "test", wanted, take).running():
        for _ in range(600):  # until it is read, others come behind it
            if seen.wait(0.1):
                break
            producer.produce(LATE, b"2", b"k")
            producer.poll(0)
    producer.flush(LIMIT_S)
    assert taken[0] == b"1"


@pytest.mark.kafka
def test_a_topic_that_is_made_anew_is_read_from_its_beginning(
    kafka: str, topics: OwnTopics
) -> None:
    topic = f"following-anew-{id(topics)}"
    topics.make([topic])
    producer = Producer({"bootstrap.servers": kafka})
    seen = list[str]()

    def send(*values: str) -> None:
        for value in values:
            producer.produce(topic, value, "k")
        assert producer.flush(LIMIT_S) == 0

    def wanted(names: set[str]) -> Mapping[str, int]:
        return {topic: 0} if topic in names else {}

    def take(_topic: str, records: Records) -> None:
        seen.extend((value or b"").decode() for _, value in records)

    following = Following(
        {"bootstrap.servers": kafka}, "test", wanted, take, lambda name: seen.append("begin")
    )
    with following.running():
        send("1", "2", "3")
        wait_until(lambda: seen == ["begin", "1", "2", "3"], lambda: seen)
        topics.make_again(topic)
        send("4", "5")
        wait_until(lambda: seen[-3:] == ["begin", "4", "5"], lambda: seen)


@pytest.mark.kafka
def test_a_topic_that_holds_less_than_was_read_is_read_from_its_beginning(
    kafka: str, topics: OwnTopics
) -> None:
    topic = f"following-less-{id(topics)}"
    topics.make([topic])
    producer = Producer({"bootstrap.servers": kafka})
    producer.produce(topic, "1", "k")
    assert producer.flush(LIMIT_S) == 0
    seen = list[str]()

    def take(_topic: str, records: Records) -> None:
        seen.extend((value or b"").decode() for _, value in records)

    following = Following(
        {"bootstrap.servers": kafka},
        "test",
        lambda names: {topic: 0} if topic in names else {},
        take,
        lambda name: seen.append("begin"),
    )
    following._next[topic, 0] = 7  # the broker told the new id before it let go of the old records
    with following.running():
        wait_until(lambda: seen == ["begin", "1"], lambda: seen)
