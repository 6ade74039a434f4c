"""A broker that takes no answers for now: that is told, with the cause, and waited for."""

import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from ounce_edge.broker.delivery.at_least_once import AtLeastOnce
from ounce_edge.broker.delivery.base import Delivery
from ounce_edge.broker.delivery.exactly_once import ExactlyOnce
from ounce_edge.broker.delivery.publishing import Publishing
from ounce_schemas.topics import dead_letters_topic, predictions_topic, requests_topic

from tests.contracts.deliveries.suite import WAIT_S, Heard
from tests.support.kafka.apache_kafka import ApacheKafka
from tests.support.kafka.delivered import Delivered
from tests.support.kafka.digits_group import wait_for
from tests.support.kafka.needed import kafka_needed
from tests.support.kafka.second_broker import SecondBroker

pytestmark = pytest.mark.kafka

MAKE: dict[str, Callable[[Publishing, str], Delivery]] = {
    "at-least-once": lambda publishing, name: AtLeastOnce(publishing),
    "exactly-once": lambda publishing, name: ExactlyOnce(
        publishing._replace(settings={**publishing.settings, **GIVEN_UP_SOON}),
        transactional_id=name,
    ),
}
GIVEN_UP_SOON = {"transaction.timeout.ms": 6000}
"""What is left open is read behind sooner."""


@pytest.fixture(scope="module")
def alone() -> Iterator[ApacheKafka]:
    """What is left of a cluster of two brokers: predictions topics have a replica on each, and ask
    for both."""
    with kafka_needed(), ApacheKafka(runs_shortly=True) as first:
        for kind, make in MAKE.items():  # Kafka's own topics are made now, on this broker
            delivered = Delivered(first.bootstrap_servers, kind)
            wait_for(partial(has_coordinator, delivered.member), "no coordinator")
            make(delivered.publishing, kind).close()
            delivered.close()
        admin = AdminClient({"bootstrap.servers": first.bootstrap_servers})
        with kafka_needed(), SecondBroker(first):
            wait_for(lambda: len(admin.list_topics(timeout=WAIT_S).brokers) == 2, "one broker")
            topics = [
                topic
                for kind in MAKE
                for topic in (
                    NewTopic(requests_topic(kind), 1, replica_assignment=[[1]]),
                    NewTopic(dead_letters_topic(kind), 1, replica_assignment=[[1]]),
                    NewTopic(
                        predictions_topic(kind),
                        1,
                        replica_assignment=[[1, 2]],
                        config={"min.insync.replicas": "2"},
                    ),
                )
            ]
            for made in admin.create_topics(topics).values():
                made.result(WAIT_S)
        asked = predictions_topic(next(iter(MAKE)))
        wait_for(
            lambda: (
                admin.list_topics(asked, timeout=WAIT_S).topics[asked].partitions[0].isrs == [1]
            ),
            "both are in sync",
        )
        yield first


@pytest.fixture(params=list(MAKE))
def stalled(
    alone: ApacheKafka, request: pytest.FixtureRequest
) -> Iterator[tuple[Delivery, Delivered, Heard]]:
    """A delivery that has published one answer, which the broker does not take."""
    delivered = Delivered(alone.bootstrap_servers, request.param)
    # While the topic takes nothing Kafka can't end a transaction that was left open either.
    delivered.set_topic(delivered.predictions, min_insync_replicas=1)
    delivery = MAKE[request.param](delivered.publishing, request.param)
    delivery.follow(delivered.member)
    delivered.set_topic(delivered.predictions, min_insync_replicas=2)
    heard = Heard()
    delivery.publish(delivered.answers([b"one"]))
    delivery.start_confirming(delivered.behind(1), heard)
    yield delivery, delivered, heard
    delivery.close()
    delivered.close()


Stalled = tuple[Delivery, Delivered, Heard]


def test_closing_does_not_wait_for_a_broker_that_takes_nothing(stalled: Stalled) -> None:
    delivery, delivered, heard = stalled
    assert not delivery.wait(0.1)
    began_s = time.monotonic()
    delivery.close()
    assert time.monotonic() - began_s < WAIT_S / 2
    assert heard.batches == []
    assert delivered.committed(delivery) < 0
    assert delivered.read(delivered.predictions) == []


def test_too_few_in_sync_replicas_are_told_of_and_waited_for(
    stalled: Stalled, alone: ApacheKafka, caplog: pytest.LogCaptureFixture
) -> None:
    delivery, delivered, heard = stalled
    wait_for(lambda: delivery.trouble, "no trouble")
    assert delivery.trouble == (
        f"{delivered.predictions}[0] has 1 in-sync replica(s), and its min.insync.replicas asks "
        "for 2"
    )
    assert delivery.trouble in caplog.text
    assert not delivery.is_settled
    assert delivery.unconfirmed_s > 3
    assert heard.batches == []
    alone.freeze()
    try:
        wait_for(lambda: "does not answer" in (delivery.trouble or ""), "it answers")
    finally:
        alone.thaw()
    delivered.set_topic(delivered.predictions, min_insync_replicas=1)
    assert delivery.wait(WAIT_S)
    while delivery.is_aborted:  # a transaction does not live as long as that: it is repeated
        delivery.start_over()
        delivery.publish(delivered.answers([b"one"]))
        delivery.start_confirming(delivered.behind(1), heard)
        assert delivery.wait(WAIT_S)
    wait_for(lambda: delivery.trouble is None, "there is trouble")
    assert heard.batches == [[]]
    assert delivered.values(delivered.predictions) == [b"one"]
    assert delivered.committed(delivery) == 1


def has_coordinator(member: Consumer) -> bool:
    """Whether offsets of its group can be asked for."""
    try:
        member.committed([TopicPartition("any", 0)], timeout=WAIT_S)
    except KafkaException:
        return False
    return True
