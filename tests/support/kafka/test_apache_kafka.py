"""The broker of the test suite keeps what it was given, and leaves nothing behind."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from tests.support.kafka import jars as kafka_jars
from tests.support.kafka.apache_kafka import ApacheKafka, KafkaUnavailableError
from tests.support.kafka.needed import kafka_needed
from tests.support.kafka.topics import OwnTopics
from tests.support.process.child import free_port


def produce(servers: str, topic: str, values: list[bytes]) -> None:
    producer = Producer({"bootstrap.servers": servers, "acks": "all"})
    for value in values:
        producer.produce(topic, value)
    assert producer.flush(30) == 0


def read(servers: str, topic: str, group: str, count: int) -> list[bytes]:
    consumer = Consumer(
        {"bootstrap.servers": servers, "group.id": group, "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    try:
        values: list[bytes] = []
        deadline = time.monotonic() + 60
        while len(values) < count and time.monotonic() < deadline:
            for message in consumer.consume(count - len(values), timeout=1):
                if (value := message.value()) is not None and message.error() is None:
                    values.append(value)
        return values
    finally:
        consumer.close()


@pytest.mark.kafka
def test_records_and_port_survive_a_restart_and_a_crash(
    private_kafka: ApacheKafka, consumer_group: str
) -> None:
    servers = private_kafka.bootstrap_servers
    OwnTopics(servers).make(["kept"])
    produce(servers, "kept", [b"before restart"])
    private_kafka.restart()
    produce(servers, "kept", [b"before crash"])
    private_kafka.kill()
    assert not private_kafka.running
    private_kafka.start()
    assert private_kafka.bootstrap_servers == servers
    assert read(servers, "kept", consumer_group, 2) == [b"before restart", b"before crash"]


@pytest.mark.kafka
def test_topics_of_a_task_are_made_and_removed(kafka: str) -> None:
    admin = AdminClient({"bootstrap.servers": kafka})
    for _ in range(2):  # the second time shows that the first left nothing
        own = OwnTopics(kafka)
        topics = own.of_task("support-check", partitions=3)
        try:
            metadata = admin.list_topics(timeout=60).topics
            assert [len(metadata[topic].partitions) for topic in topics] == [3, 3, 3, 3]
            with pytest.raises(RuntimeError, match=r"'ounce\.support-check\.requests' exists on"):
                OwnTopics(kafka).make(["ounce.support-check.requests"])
        finally:
            own.remove()
        assert not set(topics) & set(admin.list_topics(timeout=60).topics)


@pytest.mark.kafka
def test_a_broker_that_cannot_start_shows_its_log() -> None:
    with kafka_needed():
        broker = ApacheKafka(runs_shortly=True)
    broker._format()
    properties = broker._folder / "server.properties"
    properties.write_text(properties.read_text().replace("node.id=1", "node.id=one"))
    with pytest.raises(RuntimeError, match=r"(?s)ended with 1.*Invalid value one"):
        broker.start()
    assert not broker.running
    broker.close()


@pytest.mark.kafka
def test_classes_that_one_java_leaves_are_loaded_by_the_next_and_passed_over_by_another(
    tmp_path: Path,
) -> None:
    with kafka_needed():
        broker = ApacheKafka()
    broker._loaded = kept = tmp_path / "classes.jsa"

    def loads_them() -> bool:
        command = [broker._java, *broker._sharing(), "-Xlog:class+load", "-version"]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        return "shared objects file (top)" in run.stdout

    assert not loads_them()
    broker._keep(broker._folder / kept.name, kept)
    assert loads_them()
    of_another = kept.read_bytes().replace(b"OpenJDK", b"OtherJD", 1)
    kept.unlink()
    kept.write_bytes(of_another)
    assert not loads_them()
    broker.close()


def test_without_java_the_reason_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(KafkaUnavailableError, match="no java on PATH"):
        kafka_jars.java()


def test_without_maven_the_reason_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(KafkaUnavailableError, match="no mvn on PATH"):
        kafka_jars.kafka_jars(tmp_path)


def test_a_failed_resolution_leaves_no_jars(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    maven = tmp_path / "bin" / "mvn"
    maven.parent.mkdir()
    maven.write_text("#!/bin/sh\necho '[ERROR] Unknown host repo'\nexit 1\n")
    maven.chmod(0o755)
    monkeypatch.setenv("PATH", f"{maven.parent}:{os.environ['PATH']}")
    cache = tmp_path / "cache"
    with pytest.raises(KafkaUnavailableError, match=r"can't resolve Kafka 4.*Unknown host repo"):
        kafka_jars.kafka_jars(cache)
    assert [path.name for path in cache.iterdir()] == ["kafka-4.1.1.lock"]


def test_two_processes_resolve_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A stand-in for Maven copies one jar, slowly, and counts its calls."""
    maven = tmp_path / "bin" / "mvn"
    maven.parent.mkdir()
    maven.write_text(
        "#!/bin/sh\n"
        f"echo called >> {tmp_path}/calls\n"
        "sleep 1\n"
        "for argument; do case $argument in -DoutputDirectory=*) out=${argument#*=};; esac; done\n"
        "mkdir $out && touch $out/kafka.jar\n"
    )
    maven.chmod(0o755)
    monkeypatch.setenv("PATH", f"{maven.parent}:{os.environ['PATH']}")
    script = (
        "import sys; from pathlib import Path; from tests.support.kafka.jars import kafka_jars\n"
        "print([path.name for path in kafka_jars(Path(sys.argv[1])).iterdir()])"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "cache")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[0] for process in both] == ["['kafka.jar']\n"] * 2
    assert (tmp_path / "calls").read_text() == "called\n"


def test_no_port_is_given_twice() -> None:
    ports = [free_port() for _ in range(1000)]
    assert len(set(ports)) == len(ports)
