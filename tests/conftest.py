"""Fixtures of every component's tests: a real Kafka, its topics, and a real Prometheus."""

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from hypothesis import HealthCheck, settings

from tests.support.exporters.commands import trained
from tests.support.kafka.apache_kafka import ApacheKafka, KafkaUnavailableError
from tests.support.kafka.needed import BROKER
from tests.support.kafka.topics import OwnTopics
from tests.support.process.mosquitto import Mosquitto, MosquittoUnavailableError
from tests.support.process.prometheus import Prometheus, PrometheusUnavailableError
from tests.support.process.worker import Device
from tests.support.suite.once import made_once
from tests.support.suite.processes import number_of_processes

pytest_plugins = [
    "pytester",
    "tests.support.suite.in_memory",
    "tests.support.suite.parallel",
    "tests.support.suite.rough_times",
    "tests.support.suite.skips",
]
# How long an example takes tells of the machine alone.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests with the mark `prometheus` are skipped where its programs are absent."""
    if item.get_closest_marker("prometheus"):
        for program in ("prometheus", "promtool"):
            if shutil.which(program) is None:
                pytest.skip(f"no {program} on PATH (Debian package: prometheus)")


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """Bootstrap servers of a broker that all tests of this process share: KAFKA_BOOTSTRAP_SERVERS,
    or our own."""
    servers = os.environ.get(BROKER)
    if servers:
        if number_of_processes() > 1:
            pytest.fail(f"{BROKER} names one broker: run the tests in one process, without -n")
        try:
            AdminClient({"bootstrap.servers": servers}).list_topics(timeout=10)
        except KafkaException as e:
            pytest.fail(f"{BROKER}={servers}: no broker answers there ({e})")
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
        return ApacheKafka(runs_shortly=True)
    except KafkaUnavailableError as e:
        pytest.skip(f"no Apache Kafka: {e}; or set {BROKER}")


@pytest.fixture
def topics(kafka: str) -> Iterator[OwnTopics]:
    """Makes topics on the shared broker; they are removed after the test."""
    own = OwnTopics(kafka)
    try:
        yield own
    finally:
        own.remove()


@pytest.fixture(scope="session")
def digits_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small digits ladder, trained by the real command."""
    only = [f"--only={name}" for name in ("decision-tree", "logistic-regression", "mlp")]

    def train(models: Path) -> None:
        trained(models, "digits", *only)

    return made_once(tmp_path_factory, "digits", train)


@pytest.fixture
def device(kafka: str, request: pytest.FixtureRequest) -> Iterator[Device]:
    """Sends requests to a task and reads what comes back: to digits, or the `TASK` of the test's
    module."""
    own = Device(kafka, getattr(request.module, "TASK", "digits"))
    try:
        yield own
    finally:
        own.close()


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


@pytest.fixture
def mosquitto() -> Iterator[Mosquitto]:
    """An MQTT broker of this test alone, which takes anybody."""
    try:
        broker = Mosquitto()
    except MosquittoUnavailableError as e:
        pytest.skip(f"no mosquitto: {e}")
    with broker:
        yield broker
