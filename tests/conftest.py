"""Fixtures of every component's tests: a real Kafka, its topics, and a real Prometheus."""

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.support.apache_kafka import ApacheKafka, KafkaUnavailableError
from tests.support.prometheus import Prometheus, PrometheusUnavailableError
from tests.support.topics import OwnTopics

pytest_plugins = ["pytester", "tests.support.skips"]


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """Bootstrap servers of a broker that all tests share: KAFKA_BOOTSTRAP_SERVERS, or our own."""
    servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if servers:
        try:
            AdminClient({"bootstrap.servers": servers}).list_topics(timeout=10)
        except KafkaException as e:
            pytest.fail(f"KAFKA_BOOTSTRAP_SERVERS={servers}: no broker answers there ({e})")
        yield servers
        return
    with _own_kafka() as broker:
        yield broker.bootstrap_servers


@pytest.fixture
def private_kafka() -> Iterator[ApacheKafka]:
    """A broker of this test alone, which may stop, kill and restart it."""
    with _own_kafka() as broker:
        yield broker


def _own_kafka() -> ApacheKafka:
    try:
        return ApacheKafka()
    except KafkaUnavailableError as e:
        pytest.skip(f"no Apache Kafka: {e}; or set KAFKA_BOOTSTRAP_SERVERS")


@pytest.fixture
def topics(kafka: str) -> Iterator[OwnTopics]:
    """Makes topics on the shared broker; they are removed after the test."""
    own = OwnTopics(kafka)
    try:
        yield own
    finally:
        own.remove()


@pytest.fixture
def consumer_group() -> str:
    """A name that no other test's consumers use."""
    return f"test-{uuid.uuid4().hex}"


@pytest.fixture
def prometheus() -> Iterator[Callable[[str], Prometheus]]:
    """Starts a Prometheus that scrapes HOST:PORT; it is stopped after the test."""
    with ExitStack() as stack:

        def start(target: str) -> Prometheus:
            try:
                return stack.enter_context(Prometheus(target))
            except PrometheusUnavailableError as e:
                pytest.skip(f"no Prometheus: {e}")

        yield start
