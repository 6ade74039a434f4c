"""What a worker reads, and what it tells where that is less or more than it should be."""

import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.support.kafka.apache_kafka import ApacheKafka
from tests.support.kafka.topics import OwnTopics
from tests.support.process.worker import Device, Worker

pytestmark = pytest.mark.kafka

REQUESTS = "ounce.digits.requests"
GOOD = np.zeros(64, "<f4").tobytes()


def wait_for(is_so: Callable[[], object], what: str, timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def send(kafka: str, n: int, partition: int = 0, **settings: str) -> None:
    """Good requests, in a transaction where settings give one an id."""
    producer = Producer({"bootstrap.servers": kafka, **settings})
    if settings:
        producer.init_transactions()
        producer.begin_transaction()
    for _ in range(n):
        producer.produce(REQUESTS, GOOD, partition=partition)
    producer.commit_transaction() if settings else producer.flush()


def committed(kafka: str, group: str, partition: int = 0) -> int:
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": group})
    [at] = consumer.committed([TopicPartition(REQUESTS, partition)], timeout=20)
    consumer.close()
    return at.offset


def commit(kafka: str, group: str, offset: int, partition: int = 0) -> None:
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": group})
    at = TopicPartition(REQUESTS, partition, offset)
    consumer.commit(offsets=[at], asynchronous=False)
    consumer.close()


def value_of(worker: Worker, series: str) -> float | None:
    found = re.search(rf"^{re.escape(series)} (\S+)", worker.get("/metrics")[1], re.MULTILINE)
    return float(found[1]) if found else None


def lag(worker: Worker) -> float | None:
    return value_of(worker, 'ounce_consumer_lag{partition="0",task="digits"}')


def counted(worker: Worker, kind: str) -> float | None:
    return value_of(worker, f'ounce_events_total{{kind="{kind}",task="digits"}}')


def test_a_restart_on_a_topic_that_is_read_to_its_end_finds_nothing_to_read(
    kafka: str, topics: OwnTopics, digits_models: Path, tmp_path: Path, consumer_group: str
) -> None:
    topics.of_task("digits")
    send(kafka, 20)
    commit(kafka, consumer_group, 20)
    with Worker(kafka, digits_models, tmp_path / "log", [f"--group={consumer_group}"]) as worker:
        wait_for(lambda: lag(worker) is not None, "the lag is not shown")
        assert lag(worker) == 0
        send(kafka, 1)
        wait_for(lambda: committed(kafka, consumer_group) == 21, "not answered")
        assert counted(worker, "offsets-missing") == 0


@pytest.mark.parametrize("delivery", ["at-least-once", "exactly-once"])
def test_what_follows_the_last_record_of_a_transaction_is_committed_too(
    kafka: str,
    topics: OwnTopics,
    digits_models: Path,
    tmp_path: Path,
    consumer_group: str,
    delivery: str,
) -> None:
    topics.of_task("digits", partitions=2)
    options = [f"--group={consumer_group}", f"--delivery={delivery}"]
    with Worker(kafka, digits_models, tmp_path / "log", options) as worker:
        send(kafka, 3, **{"transactional.id": f"up-{consumer_group}"})
        wait_for(lambda: committed(kafka, consumer_group) == 4, "the marker is not committed")
        wait_for(lambda: lag(worker) == 0, "there is lag")
        aborted = Producer({"bootstrap.servers": kafka, "transactional.id": f"a-{consumer_group}"})
        aborted.init_transactions()
        aborted.begin_transaction()
        aborted.produce(REQUESTS, GOOD, partition=0)
        aborted.flush()
        aborted.abort_transaction()
        wait_for(lambda: committed(kafka, consumer_group) == 6, "what is aborted is not passed")
        wait_for(lambda: lag(worker) == 0, "there is lag")
        assert worker.child.stop() == 0, worker.child.log_tail()


def events_of(log: Path, kind: str) -> list[str]:
    return re.findall(rf"event={kind} task=digits subject=(.*)", log.read_text())


def test_requests_that_expired_while_the_worker_was_down_are_told(
    kafka: str,
    topics: OwnTopics,
    digits_models: Path,
    device: Device,
    tmp_path: Path,
    consumer_group: str,
) -> None:
    topics.of_task("digits")
    send(kafka, 50)
    commit(kafka, consumer_group, 10)
    expire(kafka, 30)
    log = tmp_path / "log"
    with Worker(kafka, digits_models, log, [f"--group={consumer_group}"]) as worker:
        device.read(20)
        assert value_of(worker, 'ounce_requests_lost_total{partition="0",task="digits"}') == 20
        assert counted(worker, "requests-expired") == 1
    [text] = events_of(log, "requests-expired")
    assert text.startswith(
        f"{REQUESTS}[0]: 20 requests of {REQUESTS}[0] are lost, offsets 10 to 29"
    )
    assert consumer_group in text


def expire(kafka: str, before: int) -> None:
    admin = AdminClient({"bootstrap.servers": kafka})
    for outcome in admin.delete_records([TopicPartition(REQUESTS, 0, before)]).values():
        outcome.result(20)


@pytest.mark.parametrize("name", [None, "edge-1"])
def test_requests_that_expire_while_the_worker_waits_are_told(
    kafka: str,
    topics: OwnTopics,
    digits_models: Path,
    device: Device,
    tmp_path: Path,
    consumer_group: str,
    name: str | None,
) -> None:
    topics.of_task("digits", partitions=2)
    log = tmp_path / "log"
    options = [f"--group={consumer_group}", *([f"--name={name}"] if name else [])]
    with Worker(kafka, digits_models, log, options) as worker:
        send(kafka, 1, partition=1)
        device.read(1)
        worker.child.process.send_signal(signal.SIGSTOP)
        time.sleep(0.8)  # the fetch that the broker holds has ended
        send(kafka, 50)
        expire(kafka, 30)
        worker.child.process.send_signal(signal.SIGCONT)
        device.read(21)
        send(kafka, 1, partition=1)
        device.read(22)
        assert value_of(worker, 'ounce_requests_lost_total{partition="0",task="digits"}') == 30
        assert value_of(worker, 'ounce_requests_lost_total{partition="1",task="digits"}') == 0
        wait_for(lambda: committed(kafka, consumer_group) == 50, "not committed")
    assert len(events_of(log, "requests-expired")) == 1


def test_a_topic_that_is_made_again_is_read_from_its_beginning(
    kafka: str,
    topics: OwnTopics,
    digits_models: Path,
    device: Device,
    tmp_path: Path,
    consumer_group: str,
) -> None:
    topics.of_task("digits")
    log, options = tmp_path / "log", [f"--group={consumer_group}"]
    with Worker(kafka, digits_models, log, options) as worker:
        send(kafka, 5)
        device.read(5)
        time.sleep(1.0)  # the supervision has seen the topic that is there
        topics.make_again(REQUESTS)
        send(kafka, 20)
        while not set(range(20)) <= offsets_of(device):
            if not worker.child.running:  # it saw that there was no topic, and ended
                assert f"can't read {REQUESTS}" in log.read_text()
                worker = Worker(kafka, digits_models, log, options)
        wait_for(lambda: committed(kafka, consumer_group) == 20, "not committed")
        assert worker.child.stop() == 0
    assert "topic-recreated" in log.read_text() or f"can't read {REQUESTS}" in log.read_text()


def offsets_of(device: Device) -> set[int]:
    """Offsets of the requests whose answers came after the first five; waits for more."""
    device.read_more()
    return {int(answer.id.rsplit("-", 1)[1]) for answer in device.answers()[5:]}


@pytest.mark.parametrize(
    ("when", "expected", "delivery"),
    [
        ("beginning", 10, "at-least-once"),
        ("end", 0, "exactly-once"),
        ("1h", 10, "exactly-once"),
        ("2099-01-01", 0, "at-least-once"),
    ],
)
def test_a_group_without_offsets_begins_where_it_is_told_to(
    kafka: str,
    topics: OwnTopics,
    digits_models: Path,
    device: Device,
    tmp_path: Path,
    consumer_group: str,
    when: str,
    expected: int,
    delivery: str,
) -> None:
    topics.of_task("digits")
    send(kafka, 10)
    log = tmp_path / "log"
    options = [f"--group={consumer_group}", f"--when-no-offsets={when}", f"--delivery={delivery}"]
    with Worker(kafka, digits_models, log, options) as worker:
        device.read(expected)
        wait_for(lambda: committed(kafka, consumer_group) == 10, "the start is not committed")
        assert counted(worker, "offsets-missing") == 1
        send(kafka, 1)
        device.read(expected + 1)
    [text] = events_of(log, "offsets-missing")
    assert "keeps 10 records" in text
    assert f"--when-no-offsets={when}" in text
    assert {answer.id for answer in device.answers()} == {
        f"{REQUESTS}-0-{offset}" for offset in [*range(expected), 10]
    }


def test_a_group_without_offsets_may_be_one_to_ask_about(
    kafka: str, topics: OwnTopics, digits_models: Path, tmp_path: Path, consumer_group: str
) -> None:
    topics.of_task("digits")
    send(kafka, 10)
    options = [f"--group={consumer_group}", "--when-no-offsets=stop"]
    worker = Worker(kafka, digits_models, tmp_path / "log", options)
    assert worker.child.process.wait(60) == 1
    assert f"no committed offsets of {REQUESTS}, which holds requests" in worker.child.log_tail()
    assert committed(kafka, consumer_group) < 0


def test_sighup_ends_no_worker(
    kafka: str,
    topics: OwnTopics,
    digits_models: Path,
    device: Device,
    tmp_path: Path,
    consumer_group: str,
) -> None:
    topics.of_task("digits")
    with Worker(kafka, digits_models, tmp_path / "log", [f"--group={consumer_group}"]) as worker:
        worker.child.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "ignored SIGHUP" in worker.child.log_tail(), "nothing is told of it")
        send(kafka, 1)
        device.read(1)
        assert worker.child.stop() == 0
    assert worker.child.log_tail().count("ignored SIGHUP") == 1


def test_a_worker_that_the_group_does_not_take_says_why_and_goes_on_once_it_does(
    kafka: str, topics: OwnTopics, digits_models: Path, tmp_path: Path, consumer_group: str
) -> None:
    topics.of_task("digits")
    others = Consumer(
        {
            "bootstrap.servers": kafka,
            "group.id": consumer_group,
            "partition.assignment.strategy": "range",
        }
    )
    others.subscribe([REQUESTS])
    wait_for(lambda: others.poll(0.2) or others.assignment(), "the other consumer has nothing")
    worker = Worker(kafka, digits_models, tmp_path / "log", [f"--group={consumer_group}"])
    try:
        wait_for(lambda: "the group does not take" in worker.get("/readyz")[1], "nothing is told")
        status, text = worker.get("/readyz")
        assert (status, worker.get("/healthz")[0]) == (503, 200)
        assert "give every worker of a group a --name, or none" in text
        time.sleep(3)  # it tried again
        assert worker.child.log_tail().count("the group does not take") == 1
        others.close()
        worker.wait_until_ready()
    finally:
        worker.child.stop()


def test_a_frozen_broker_leaves_a_worker_alive_and_not_ready(
    private_kafka: ApacheKafka, digits_models: Path, tmp_path: Path
) -> None:
    kafka = private_kafka.bootstrap_servers
    OwnTopics(kafka).of_task("digits")
    device = Device(kafka)
    with Worker(kafka, digits_models, tmp_path / "log") as worker:
        send(kafka, 1)
        device.read(1)
        send(kafka, 200)
        private_kafka.freeze()
        wait_for(lambda: worker.get("/readyz")[0] == 503, "it is ready")
        assert "not answer" in worker.get("/readyz")[1]
        assert worker.get("/healthz")[0] == 200
        assert worker.get("/healthz")[1].startswith("alive, not ready: ")
        private_kafka.thaw()
        worker.wait_until_ready()
        device.read(201)
    device.close()
