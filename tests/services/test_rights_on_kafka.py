"""Control topics on a Kafka that asks who comes, with the rights that docs/security.md lists."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ounce_edge.broker.compacted import TopicFollower
from ounce_schemas.kafka_connection import KafkaConnection
from ounce_schemas.topics import policies_topic
from ounce_services.control.decision_search import find_decision
from ounce_services.control.errors import NotFoundError

from tests.support.kafka.logins import PASSWORDS, ounce, secure_kafka
from tests.support.kafka.needed import kafka_needed
from tests.support.kafka.secure import SecureKafka

pytestmark = pytest.mark.kafka


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[SecureKafka]:
    with kafka_needed(), secure_kafka(tmp_path) as kafka:
        yield kafka


class Follows:
    """Notes whether the topic could be read."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.troubles: list[str | None] = []
        self.is_done = threading.Event()

    def start(self) -> None:
        pass

    def take(self, record: Any) -> None:
        self.values.append(record.value())

    def caught_up(self) -> None:
        self.is_done.set()

    def tell_trouble(self, why: str | None) -> None:
        self.troubles.append(why)


def test_who_reads_a_control_topic_needs_no_right_on_a_group(
    broker: SecureKafka, tmp_path: Path
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("min_accuracy: 0.5")
    applied = ounce(broker, "control", "policy", "apply", str(file), "--author=ann")
    assert applied.code == 0, applied.stderr
    told = ounce(broker, "control", "policy", "history")
    assert "ann" in told.stdout, told.stderr

    connection = KafkaConnection(
        security_protocol="sasl_ssl",
        ssl_ca=broker.authority.certificate,
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="control",
        sasl_password=PASSWORDS["control"],
    )
    kafka = {"bootstrap.servers": broker.scram, **connection.security}
    with pytest.raises(NotFoundError, match="none of all answers"):
        find_decision(kafka, "digits", "nobody's", 60)
    follows = Follows()
    follower = TopicFollower(broker.scram, policies_topic(), follows, security=connection.security)
    follower.start()
    try:
        assert follows.is_done.wait(60)
    finally:
        follower.close()
    assert (len(follows.values), follows.troubles) == (1, [])
