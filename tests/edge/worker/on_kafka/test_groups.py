"""A worker whose group has other consumers, too."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from confluent_kafka import Consumer

from tests.support.kafka.digits_group import REQUESTS, committed, send, wait_for, wait_until_empty
from tests.support.kafka.topics import OwnTopics
from tests.support.process.worker import Device, Worker
from tests.support.process.workers import Workers

pytestmark = pytest.mark.kafka

PATIENT = "--session-timeout-ms=300000"
"""Longer than a test waits for a member that says nothing."""
HEARS_SOON = "--session-timeout-ms=3000"
"""A worker hears three times in it what became of its group."""


@contextmanager
def other_member(kafka: str, group: str, **settings: str) -> Iterator[Consumer]:
    """A consumer of the requests that has partitions."""
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": group, **settings})
    consumer.subscribe([REQUESTS])
    wait_for(lambda: consumer.poll(0.2) or consumer.assignment(), "the other one has nothing")
    yield consumer
    consumer.close()


def test_a_worker_whose_topic_is_deleted_leaves_its_group(
    kafka: str, topics: OwnTopics, workers: Workers
) -> None:
    topics.of_task("digits", partitions=2)
    with workers(PATIENT) as worker:
        topics.delete(REQUESTS)
        assert worker.child.process.wait(60) == 1
        assert f"can't read {REQUESTS}" in worker.child.log_tail()
    wait_until_empty(kafka, workers.group)


def says_what_to_do(worker: Worker) -> None:
    wait_for(lambda: "the group does not take" in worker.get("/readyz")[1], "nothing is told")
    status, text = worker.get("/readyz")
    assert (status, worker.get("/healthz")[0]) == (503, 200)
    assert "give every worker of a group a --name, or none" in text
    assert "keep other consumers out of it" in text


def test_a_worker_that_the_group_does_not_take_says_why_and_goes_on_once_it_does(
    kafka: str, topics: OwnTopics, workers: Workers
) -> None:
    topics.of_task("digits")
    with other_member(kafka, workers.group, **{"partition.assignment.strategy": "range"}):
        worker = workers()
        try:
            says_what_to_do(worker)
            time.sleep(3)  # it tried again
        except BaseException:
            worker.child.kill()
            raise
    with worker:
        assert worker.child.log_tail().count("the group does not take") == 1


def events(worker: Worker, kind: str) -> list[str]:
    """Once there is one of this kind."""
    wait_for(lambda: worker.events_of(kind), f"no event {kind}", timeout_s=90)
    return worker.events_of(kind)


@pytest.mark.parametrize("name", [None, "edge-1"])
def test_a_consumer_of_the_new_protocol_shares_the_partitions_until_it_leaves(
    kafka: str, topics: OwnTopics, workers: Workers, device: Device, name: str | None
) -> None:
    topics.of_task("digits", partitions=2)
    options = [f"--name={name}"] if name else []
    with workers(*options, HEARS_SOON) as worker:
        settings = {"group.protocol": "consumer", "client.id": "curious"}
        with other_member(kafka, workers.group, **settings) as other:
            [theirs] = other.assignment()
            send(kafka, 1, partition=1 - theirs.partition)
            device.read(1)
            [told] = events(worker, "group-shared")
            assert f"curious at 127.0.0.1 has partition {theirs.partition};" in told
        send(kafka, 1, partition=theirs.partition)
        device.read(2)
        wait_for(lambda: committed(kafka, workers.group, theirs.partition) == 1, "not committed")
        assert len(events(worker, "group-unshared")) == 1
        assert worker.child.stop() == 0


def test_a_consumer_that_shares_like_a_worker_is_told_and_another_worker_is_not(
    kafka: str, topics: OwnTopics, workers: Workers
) -> None:
    topics.of_task("digits", partitions=3)
    settings = {"partition.assignment.strategy": "cooperative-sticky"}
    with (
        workers(HEARS_SOON, log="log-1") as worker,
        workers(HEARS_SOON, log="log-2") as beside,
        other_member(kafka, workers.group, **settings),
    ):
        [told] = events(worker, "group-shared")
        assert told.count("client") == 1
        assert "client rdkafka at 127.0.0.1 has partition" in told
        assert len(events(beside, "group-shared")) == 1
