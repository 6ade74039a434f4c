"""Every command against a broker that asks who comes, with the rights that the pages list."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from ounce_edge.broker.event_producer import EventProducer
from ounce_schemas.kafka_connection import KafkaConnection
from ounce_schemas.topics import events_topic, requests_topic

from tests.support.kafka.acls import grant, withdraw
from tests.support.kafka.certificates import Authority
from tests.support.kafka.digits_group import wait_until_empty
from tests.support.kafka.logins import (
    PASSWORDS,
    SECRET,
    documented_commands,
    fails,
    ounce,
    scram,
    secure_kafka,
)
from tests.support.kafka.needed import kafka_needed
from tests.support.kafka.secure import SecureKafka
from tests.support.kafka.token_server import TokenServer
from tests.support.process.worker import Worker

pytestmark = pytest.mark.kafka

PATIENT = "--session-timeout-ms=300000"
"""Longer than a test waits for a member that says nothing."""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    """With topics and rights."""
    with kafka_needed(), secure_kafka(tmp_path_factory.mktemp("certificates")) as kafka:
        yield kafka


@pytest.mark.parametrize("delivery", ["at-least-once", "exactly-once"])
def test_the_documented_rights_suffice(
    broker: SecureKafka, digits_models: Path, tmp_path: Path, delivery: str
) -> None:
    log = tmp_path / "log"
    password = tmp_path / "password"
    password.write_text(PASSWORDS["worker"] + "\n")
    options = [
        *scram(broker, "worker"),
        f"--sasl-password-file={password}",
        "--log-level=DEBUG",
        f"--delivery={delivery}",
    ]
    with Worker(broker.scram, digits_models, log, options) as worker:
        before = committed(broker, "ounce")
        sent = ounce(
            broker, "devices", "devices", "--task=digits", f"--models={digits_models}",
            "--rate=100", "--duration=3", "--label-share=1", "--label-delay=0",
            f"--report={tmp_path / 'report'}",
        )  # fmt: skip
        assert sent.code == 0, sent.stdout + sent.stderr
        worker.wait_until_counted('outcome="joined"')
        metrics = worker.get("/metrics")[1]
        arguments = Path(f"/proc/{worker.child.pid}/cmdline").read_text()
        assert worker.child.stop() == 0, worker.child.log_tail()
    report = json.loads((tmp_path / "report").read_text().splitlines()[-1])["tasks"]["digits"]
    assert report["answered"] == report["sent"] > 200
    assert committed(broker, "ounce") - before == report["sent"]
    text = log.read_text()
    for complaint in ("uthoriz", "does not let", "takes none", "no labels", "no topic"):
        assert complaint not in text
    assert SECRET not in text + metrics + arguments + sent.stdout + sent.stderr


def test_the_doctor_sees_what_a_user_may(broker: SecureKafka, tmp_path: Path) -> None:
    def rights(user: str) -> list[tuple[str, str]]:
        options = ["--task=digits", f"--models={tmp_path}", "--json"]
        findings = json.loads(ounce(broker, user, "doctor", *options).stdout)
        return [(f["verdict"], f["text"]) for f in findings if f["check"] == "rights"]

    assert rights("worker") == [("ok", "this user may do what a worker does")]
    assert rights("frugal") == [
        (
            "warning",
            "this user may not write ounce.events, read ounce.digits.labels: a worker goes on "
            "without",
        )
    ]
    ((verdict, text),) = rights("groupless")
    assert verdict == "failure"
    assert "read group ounce" in text


def committed(broker: SecureKafka, group: str) -> int:
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": group})
    try:
        partitions = [TopicPartition(requests_topic("digits"), p) for p in range(2)]
        return sum(max(p.offset, 0) for p in consumer.committed(partitions, timeout=60))
    finally:
        consumer.close()


def test_dead_letters_are_read_and_replayed(broker: SecureKafka) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    headers = [
        ("ounce-dead-letter-reason", b"wrong-length"),
        ("ounce-dead-letter-topic", b"ounce.digits.requests"),
        ("ounce-dead-letter-partition", b"0"),
        ("ounce-dead-letter-offset", b"0"),
        ("ounce-dead-letter-text", b"too short"),
    ]
    producer.produce("ounce.digits.dead-letters", b"short", headers=headers)
    assert producer.flush(60) == 0
    listed = ounce(broker, "operator", "dead-letters", "list", "digits")
    assert listed.code == 0, listed.stderr
    assert "wrong-length" in listed.stdout
    replayed = ounce(broker, "operator", "dead-letters", "replay", "digits", "--all", "--yes")
    assert replayed.code == 0, replayed.stdout + replayed.stderr
    assert SECRET not in listed.stdout + replayed.stdout + replayed.stderr


def test_events_arrive(broker: SecureKafka) -> None:
    connection = KafkaConnection(
        security_protocol="sasl_ssl",
        ssl_ca=broker.authority.certificate,
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="worker",
        sasl_password=PASSWORDS["worker"],
    )
    producer = EventProducer(broker.scram, connection.security)
    producer(b"digits", b"told", [])
    producer.close()
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "people"})
    try:
        consumer.assign([TopicPartition(events_topic(), p, 0) for p in range(2)])
        deadline = time.monotonic() + 90
        values: list[bytes | None] = []
        while b"told" not in values:
            assert time.monotonic() < deadline
            values += [message.value() for message in consumer.consume(100, 0.2)]
    finally:
        consumer.close()


def test_labels_and_events_are_not_needed(
    broker: SecureKafka, digits_models: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    env = {"OUNCE_SASL_PASSWORD": PASSWORDS["frugal"]}
    with Worker(broker.scram, digits_models, log, scram(broker, "frugal"), env=env) as worker:
        assert worker.child.stop() == 0, worker.child.log_tail()
    for right in ("read ounce.digits.labels", "write ounce.events"):
        assert f"does not let this user {right}: going on without" in log.read_text()


def test_a_right_that_is_taken_away_ends_the_worker(
    broker: SecureKafka, digits_models: Path, tmp_path: Path
) -> None:
    # In a group of its own: nobody else needs these rights.
    mine = [
        line.replace("User:worker", "User:leaving").replace("--group ounce", "--group leaving")
        for line in documented_commands()
    ]
    revoked = [line for line in mine if "User:leaving --operation Read --topic" in line]
    grant(broker.bootstrap_servers, mine)
    env = {"OUNCE_SASL_PASSWORD": PASSWORDS["leaving"]}
    log, options = tmp_path / "log", [*scram(broker, "leaving"), "--group=leaving", PATIENT]
    with Worker(broker.scram, digits_models, log, options, env=env) as worker:
        withdraw(broker.bootstrap_servers, revoked)
        assert worker.child.process.wait(30) == 1
    wait_until_empty(broker.bootstrap_servers, "leaving")
    # Which of the two is refused first is chance.
    said = re.search(
        r"ounce: can't (read|commit offsets of) ounce\.digits\.requests: ", log.read_text()
    )
    assert said, log.read_text()


def test_a_certificate_is_a_login_too(
    broker: SecureKafka, digits_models: Path, tmp_path: Path
) -> None:
    pair = broker.authority.sign("worker")
    key = broker.authority.encrypt(pair, f"{SECRET}-key")
    options = [
        "--security-protocol=ssl",
        f"--ssl-ca={broker.authority.certificate}",
        f"--ssl-certificate={pair.certificate}",
        f"--ssl-key={key}",
    ]
    env = {"OUNCE_SSL_KEY_PASSWORD": f"{SECRET}-key"}
    with Worker(broker.mutual, digits_models, tmp_path / "log", options, env=env) as worker:
        assert worker.child.stop() == 0, worker.child.log_tail()
    usual = ["--task=digits", f"--kafka={broker.mutual}", "--metrics-port=0", *options]
    error = fails(*usual, env={"OUNCE_SSL_KEY_PASSWORD": "other"})
    assert "can't set up a connection" in error
    assert "ssl.key.location failed" in error
    assert "no trusted connection" in fails(*usual[:5], env={})


def test_a_token_is_a_login_too(broker: SecureKafka, digits_models: Path, tmp_path: Path) -> None:
    options = [
        "--security-protocol=sasl_ssl",
        f"--ssl-ca={broker.authority.certificate}",
        "--sasl-mechanism=OAUTHBEARER",
        "--oauth-client-id=worker",
        "--oauth-scope=kafka",
    ]
    log = tmp_path / "log"
    env = {"OUNCE_OAUTH_CLIENT_SECRET": f"{SECRET}-client"}
    with TokenServer({"worker": f"{SECRET}-client"}) as tokens:
        options.append(f"--oauth-token-url={tokens.url}")
        with Worker(broker.oauth, digits_models, log, options, env=env) as worker:
            assert worker.child.stop() == 0, worker.child.log_tail()
        assert set(tokens.scopes) == {"kafka"}
        usual = ["--task=digits", f"--kafka={broker.oauth}", "--metrics-port=0", *options]
        error = fails(*usual, env={"OUNCE_OAUTH_CLIENT_SECRET": f"{SECRET}-wrong"})
    assert "refuses the login (Failed to acquire SASL OAUTHBEARER token" in error
    assert SECRET not in log.read_text()


@pytest.mark.parametrize(
    ("user", "changes", "text"),
    [
        ("worker", {"password": f"{SECRET}-wrong"}, "refuses the login (sasl_ssl://"),
        ("nobody", {"password": f"{SECRET}-any"}, "invalid credentials"),
        ("worker", {"--sasl-mechanism": "SCRAM-SHA-256"}, "supported mechanisms: SCRAM-SHA-512"),
        ("worker", {"--ssl-ca": "/etc/hostname"}, "can't set up a connection with Kafka"),
        ("worker", {"--ssl-ca": "OTHER"}, "no trusted connection with Kafka at localhost"),
        ("worker", {"--kafka": "127.0.0.1"}, "no trusted connection with Kafka at 127.0.0.1"),
        (
            "stranger",
            {},
            "does not let this user read ounce.digits.requests, write ounce.digits.predictions, "
            "write ounce.digits.dead-letters, read group ounce: grant it",
        ),
        # Told before models are looked for.
        ("groupless", {"--models": "/none"}, "does not let this user read group ounce: grant it"),
        (
            "groupless",
            {"--group": "mine", "--delivery": "exactly-once"},
            "can't start transactions of mine-",
        ),
        ("worker", {"--group": "other"}, "does not let this user read group other: grant it"),
        (
            "worker",
            {"--when-no-offsets": "answered"},
            "read ounce.digits.predictions, read ounce.digits.dead-letters: grant it",
        ),
    ],
)
def test_what_is_refused_is_one_clear_line(
    broker: SecureKafka,
    digits_models: Path,
    tmp_path: Path,
    user: str,
    changes: dict[str, str],
    text: str,
) -> None:
    changes = dict(changes)
    password = changes.pop("password", PASSWORDS.get(user, ""))
    if changes.get("--ssl-ca") == "OTHER":
        changes["--ssl-ca"] = str(Authority(tmp_path, "other").certificate)
    if "--kafka" in changes:
        changes["--kafka"] += ":" + broker.scram.rpartition(":")[2]
    usual = ["--task=digits", f"--models={digits_models}", "--metrics-port=0"]
    changed = [f"{name}={value}" for name, value in changes.items()]
    error = fails(*usual, *scram(broker, user), *changed, env={"OUNCE_SASL_PASSWORD": password})
    assert text in error


def test_the_wrong_protocol_is_told(broker: SecureKafka) -> None:
    usual = ["--task=digits", f"--kafka={broker.scram}", "--metrics-port=0", "--kafka-timeout-s=3"]
    assert "check --kafka and --security-protocol" in fails(*usual, env={})


def test_the_demo_hands_the_connection_on(
    broker: SecureKafka, digits_models: Path, tmp_path: Path
) -> None:
    shown: Any = ounce(
        broker, "demo", "demo", "--task=digits", f"--models={digits_models}", "--duration=3"
    )
    assert shown.code == 0, shown.stdout + shown.stderr
    assert SECRET not in shown.stdout + shown.stderr
