"""What a worker reads, and what it tells where that is less or more than it should be."""

import re
import signal
import time
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.support.kafka.apache_kafka import ApacheKafka
from tests.support.kafka.digits_group import GOOD, REQUESTS, commit, committed, send, wait_for
from tests.support.kafka.topics import OwnTopics
from tests.support.process.worker import Device, Worker
from tests.support.process.workers import Workers

pytestmark = pytest.mark.kafka


def lag(worker: Worker) -> float | None:
    return worker.value_of('ounce_consumer_lag{partition="0",task="digits"}')


def counted(worker: Worker, kind: str) -> float | None:
    return worker.value_of(f'ounce_events_total{{kind="{kind}",task="digits"}}')


def test_a_restart_on_a_topic_that_is_read_to_its_end_finds_nothing_to_read(
    kafka: str, topics: OwnTopics, workers: Workers
) -> None:
    topics.of_task("digits")
    send(kafka, 20)
    commit(kafka, workers.group, 20)
    with workers() as worker:
        wait_for(lambda: lag(worker) is not None, "the lag is not shown")
        assert lag(worker) == 0
        send(kafka, 1)
        wait_for(lambda: committed(kafka, workers.group) == 21, "not answered")
        assert counted(worker, "offsets-missing") == 0


@pytest.mark.parametrize("delivery", ["at-least-once", "exactly-once"])
def test_what_follows_the_last_record_of_a_transaction_is_committed_too(
    kafka: str, topics: OwnTopics, workers: Workers, delivery: str
) -> None:
    topics.of_task("digits", partitions=2)
    with workers(f"--delivery={delivery}") as worker:
        send(kafka, 3, **{"transactional.id": f"up-{workers.group}"})
        wait_for(lambda: committed(kafka, workers.group) == 4, "the marker is not committed")
        wait_for(lambda: lag(worker) == 0, "there is lag")
        aborted = Producer({"bootstrap.servers": kafka, "transactional.id": f"a-{workers.group}"})
        aborted.init_transactions()
        aborted.begin_transaction()
        aborted.produce(REQUESTS, GOOD, partition=0)
        aborted.flush()
        aborted.abort_transaction()
        wait_for(lambda: committed(kafka, workers.group) == 6, "what is aborted is not passed")
        wait_for(lambda: lag(worker) == 0, "there is lag")
        assert worker.child.stop() == 0, worker.child.log_tail()


def test_requests_that_expired_while_the_worker_was_down_are_told(
    kafka: str, topics: OwnTopics, workers: Workers, device: Device
) -> None:
    topics.of_task("digits")
    send(kafka, 50)
    commit(kafka, workers.group, 10)
    expire(kafka, 30)
    with workers() as worker:
        device.read(20)
        assert worker.value_of('ounce_requests_lost_total{partition="0",task="digits"}') == 20
        assert counted(worker, "requests-expired") == 1
    [text] = worker.events_of("requests-expired")
    assert text.startswith(
        f"{REQUESTS}[0]: 20 requests of {REQUESTS}[0] are lost, offsets 10 to 29"
    )
    assert workers.group in text


def expire(kafka: str, before: int) -> None:
    admin = AdminClient({"bootstrap.servers": kafka})
    for outcome in admin.delete_records([TopicPartition(REQUESTS, 0, before)]).values():
        outcome.result(60)


@pytest.mark.parametrize("name", [None, "edge-1"])
def test_requests_that_expire_while_the_worker_waits_are_told(
    kafka: str, topics: OwnTopics, workers: Workers, device: Device, name: str | None
) -> None:
    topics.of_task("digits", partitions=2)
    options = [f"--name={name}"] if name else []
    with workers(*options) as worker:
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
        assert worker.value_of('ounce_requests_lost_total{partition="0",task="digits"}') == 30
        assert worker.value_of('ounce_requests_lost_total{partition="1",task="digits"}') == 0
        wait_for(lambda: committed(kafka, workers.group) == 50, "not committed")
    assert len(worker.events_of("requests-expired")) == 1


def test_a_topic_that_is_made_again_is_read_from_its_beginning(
    kafka: str, topics: OwnTopics, workers: Workers, device: Device
) -> None:
    topics.of_task("digits")
    # One that ends because there is no topic can't leave its group: the next is waited for so long.
    options = ["--session-timeout-ms=3000"]
    with workers(*options) as worker:
        log = worker.child.log  # also of those that follow
        send(kafka, 5)
        device.read(5)
        time.sleep(1.0)  # the supervision has seen the topic that is there
        topics.make_again(REQUESTS)
        send(kafka, 20)
        while not set(range(20)) <= offsets_of(device):
            if not worker.child.running:  # it saw that there was no topic, and ended
                assert f"can't read {REQUESTS}" in log.read_text()
                worker = workers(*options)
        wait_for(lambda: committed(kafka, workers.group) == 20, "not committed")
        assert worker.child.stop() == 0
    assert "topic-recreated" in log.read_text() or f"can't read {REQUESTS}" in log.read_text()


@pytest.mark.parametrize("delivery", ["at-least-once", "exactly-once"])
def test_a_commit_that_comes_after_its_topic_was_made_again_loses_nothing(
    kafka: str, topics: OwnTopics, workers: Workers, device: Device, delivery: str
) -> None:
    topics.of_task("digits")
    with workers(f"--delivery={delivery}") as worker:
        send(kafka, 5)
        device.read(5)
        assert worker.child.stop() == 0
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": workers.group})
    [under_way] = consumer.committed([TopicPartition(REQUESTS, 0)], timeout=60)
    assert under_way.offset == 5
    topics.make_again(REQUESTS)
    send(kafka, 20)
    consumer.commit(offsets=[under_way], asynchronous=False)
    consumer.close()
    with workers(f"--delivery={delivery}") as worker:
        device.read(25)
        assert offsets_of(device) == set(range(20))
        [text] = worker.events_of("topic-recreated")
        assert "stood at offset 5" in text
        wait_for(lambda: committed(kafka, workers.group) == 20, "not committed")


def offsets_of(device: Device) -> set[int]:
    """Offsets of the requests whose answers came after the first five; waits for more."""
    device.read_more()
    return {int(answer.id.rsplit("-", 1)[1]) for answer in device.answers()[5:]}


def test_sighup_ends_no_worker(
    kafka: str, topics: OwnTopics, workers: Workers, device: Device
) -> None:
    topics.of_task("digits")
    with workers() as worker:
        worker.child.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "ignored SIGHUP" in worker.child.log_tail(), "nothing is told of it")
        send(kafka, 1)
        device.read(1)
        assert worker.child.stop() == 0
    assert worker.child.log_tail().count("ignored SIGHUP") == 1


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
        wait_for(lambda: "not answer" in worker.get("/readyz")[1], "it is answered")
        assert worker.get("/readyz")[0] == 503
        assert worker.get("/healthz")[0] == 200
        assert worker.get("/healthz")[1].startswith("alive, not ready: ")
        private_kafka.thaw()
        worker.wait_until_ready()
        device.read(201)
    device.close()


def test_a_worker_outlives_a_broker_that_is_away_for_longer_than_its_session(
    private_kafka: ApacheKafka, digits_models: Path, tmp_path: Path
) -> None:
    kafka = private_kafka.bootstrap_servers
    OwnTopics(kafka).of_task("digits")
    device = Device(kafka)
    with Worker(kafka, digits_models, tmp_path / "log", ["--session-timeout-ms=2000"]) as worker:
        private_kafka.stop()
        log = worker.child.log.read_text
        wait_for(lambda: "lost partitions" in log(), "it keeps them")
        lasting = r"not answered for (1[5-9]|[2-9]\d) s"  # looks come some seconds apart
        wait_for(lambda: re.search(lasting, worker.get("/readyz")[1]), "it is answered")
        private_kafka.start()
        worker.wait_until_ready()
        send(kafka, 1)
        device.read(1)
    device.close()
