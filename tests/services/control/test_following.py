"""Topics are read on and on, whatever comes between."""

import threading
from collections.abc import Mapping

from confluent_kafka import Producer
from ounce_schemas.errors import OunceError
from ounce_services.cluster.embedded import EmbeddedBroker
from ounce_services.control.following import Following, Records

TOPIC = "ounce.following.predictions"
TIMED = "ounce.following-timed.predictions"
LIMIT_S = 60
EARLIEST_MS = -2
"""As Kafka's protocol says it; the embedded broker knows no other time."""


def test_a_question_that_fails_once_does_not_end_the_reading(
    embedded_broker: EmbeddedBroker,
) -> None:
    embedded_broker.create_topics([TOPIC])
    servers = embedded_broker.bootstrap_servers
    failed, taken = list[int](), threading.Event()

    def wanted(names: set[str]) -> Mapping[str, None]:
        assert TOPIC in names
        if not failed:
            failed.append(1)
            raise OunceError("the database is away")
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
