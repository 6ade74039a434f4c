"""Topics are read on and on, whatever comes between."""

import threading
from collections.abc import Mapping

from confluent_kafka import Producer
from ounce_schemas.errors import OunceError
from ounce_services.cluster.embedded import EmbeddedBroker
from ounce_services.control.following import Following, Records

TOPIC = "ounce.following.predictions"


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
