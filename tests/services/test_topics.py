"""`ounce topics` and the embedded broker."""

from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from click.testing import CliRunner
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from ounce_edge.doctor.broker_checks import topic_configs
from ounce_schemas.errors import BrokerError
from ounce_schemas.topics import control_topics
from ounce_services.cluster.admin import (
    Cluster,
    create_topics,
    describe_cluster,
    require_topics,
    topic_ids,
)
from ounce_services.cluster.embedded import EmbeddedBroker
from ounce_services.topics.command import command

from tests.support.kafka.topics import OwnTopics

ABSENT = "127.0.0.1:1"


@pytest.fixture
def own_broker() -> Iterator[EmbeddedBroker]:
    """Without the topic of events, which other tests make on the broker that all share."""
    with EmbeddedBroker() as broker:
        yield broker


def test_topics_are_created_once_and_said_so(own_broker: EmbeddedBroker) -> None:
    arguments = ["once", "--kafka", own_broker.bootstrap_servers]
    first = CliRunner().invoke(command, arguments, catch_exceptions=False)
    again = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert first.exit_code == again.exit_code == 0
    assert [line.split()[:2] for line in first.output.splitlines()] == [
        ["ounce.once.requests", "created"],
        ["ounce.once.predictions", "created"],
        ["ounce.once.dead-letters", "created"],
        ["ounce.once.labels", "created"],
        ["ounce.events", "created"],
        ["ounce.policies", "created"],
        ["ounce.canaries", "created"],
        ["ounce.models", "created"],
    ]
    assert [line.split()[1] for line in again.output.splitlines()] == ["exists"] * 8
    other = ["other", *arguments[1:]]
    shared = CliRunner().invoke(command, other, catch_exceptions=False).output.splitlines()
    assert [line.split()[1] for line in shared] == ["created"] * 4 + ["exists"] * 4
    more = CliRunner().invoke(command, [*arguments, "--decisions"], catch_exceptions=False)
    assert more.output.splitlines()[-1].split()[:2] == ["ounce.decisions", "created"]


def test_the_topic_of_what_gateways_answered_is_made_where_it_is_asked_for(
    embedded_broker: EmbeddedBroker,
) -> None:
    arguments = ["gated", "--answered", "--kafka", embedded_broker.bootstrap_servers]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    behind_labels = result.output.splitlines()[4]
    assert behind_labels.split()[:2] == ["ounce.gated.answered", "created"]


def test_ids_of_topics_are_known_as_far_as_kafka_tells() -> None:
    told, refused, silent = Future[Any](), Future[Any](), Future[Any]()
    told.set_result(SimpleNamespace(topic_id="an id"))
    refused.set_exception(KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)))
    answers = {"told": told, "refused": refused, "silent": silent}
    client = SimpleNamespace(describe_topics=lambda topics, request_timeout: answers)
    assert topic_ids(cast("Any", client), answers, 0.01) == {"told": "an id"}


def test_topics_command_refuses_a_name_that_is_no_task() -> None:
    result = CliRunner().invoke(command, ["Bad Name", "--kafka", ABSENT])
    assert result.exit_code == 2
    assert "Bad Name" in result.output


def test_absent_broker_is_one_clear_line() -> None:
    with pytest.raises(BrokerError, match=rf"no Kafka at {ABSENT} within 0.3 s"):
        create_topics(ABSENT, ["a"], timeout_s=0.3)


def test_absent_topics_are_named_with_what_to_do(embedded_broker: EmbeddedBroker) -> None:
    cluster = describe_cluster(embedded_broker.bootstrap_servers)
    with pytest.raises(BrokerError, match=r"no topic ounce\.nil\.requests.*`ounce topics nil"):
        require_topics(cluster, "nil", ["ounce.nil.requests"])
    names = ["ounce.room.requests", "ounce.nil.predictions", "ounce.nil.requests", "other"]
    some = Cluster("c", dict.fromkeys(names, 1))
    with pytest.raises(BrokerError, match=r"tasks that Kafka has: room$"):
        require_topics(some, "nil", ["ounce.nil.dead-letters"])
    assert (
        "ounce.nil.requests" not in describe_cluster(embedded_broker.bootstrap_servers).partitions
    )


def test_embedded_broker_keeps_key_value_and_headers() -> None:
    with EmbeddedBroker() as broker:
        assert [state.partitions for state in broker.create_topics(["trip"])] == [4]
        servers = broker.bootstrap_servers
        with Producer({"bootstrap.servers": servers}) as producer:
            producer.produce("trip", b"body", key=b"device", partition=2, headers=[("h", b"\xff")])
            producer.flush(60)
        consumer = Consumer({"bootstrap.servers": servers, "group.id": "g"})
        consumer.assign([TopicPartition("trip", 2, 0)])
        message = consumer.poll(60)
        consumer.close()
    assert message is not None
    assert (message.key(), message.value(), message.headers()) == (
        b"device",
        b"body",
        [("h", b"\xff")],
    )


def test_embedded_broker_is_gone_after_its_block() -> None:
    with EmbeddedBroker() as broker:
        servers = broker.bootstrap_servers
        describe_cluster(servers)
    with pytest.raises(BrokerError):
        describe_cluster(servers, timeout_s=0.3)


@pytest.mark.kafka
def test_partitions_and_races_on_a_real_broker(kafka: str, tmp_path: Path) -> None:
    name = f"ounce.{tmp_path.name.replace('_', '-')}.requests"
    assert create_topics(kafka, [name], partitions=3)[0].partitions == 3
    again = create_topics(kafka, [name], partitions=9)[0]
    assert (again.created, again.partitions) == (False, 3)
    with pytest.raises(BrokerError, match="refuses to create topic"):
        create_topics(kafka, [f"{name}.copies"], replication=7)


@pytest.mark.kafka
def test_control_topics_keep_the_last_record_of_each_key_in_order(
    kafka: str, topics: OwnTopics
) -> None:
    there = describe_cluster(kafka).partitions  # of other tests
    for name in control_topics():
        if name not in there:
            topics.made_by_others(name)
    made = create_topics(kafka, control_topics(), partitions=3)
    assert [(state.partitions, state.created) for state in made] == [
        (1, name not in there) for name in control_topics()
    ]
    found = topic_configs(AdminClient({"bootstrap.servers": kafka}), control_topics())
    assert {name: config["cleanup.policy"] for name, config in found.items()} == dict.fromkeys(
        control_topics(), "compact"
    )
