"""`ounce doctor` on a real Kafka, and on none."""

import json
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from ounce_edge.doctor.command import command

from tests.support.kafka.topics import OwnTopics
from tests.support.process.wait import wait_until

TASK = "doctored"
REQUESTS = f"ounce.{TASK}.requests"


def examine(servers: str, models: Path, *options: str) -> tuple[Result, dict[str, dict[str, str]]]:
    arguments = [f"--task={TASK}", f"--kafka={servers}", f"--models={models}", "--metrics-port=0"]
    result = CliRunner().invoke(
        command, [*arguments, *options, "--json"], catch_exceptions=False, standalone_mode=False
    )
    return result, {finding["check"]: finding for finding in json.loads(result.output)}


def test_no_kafka_is_a_failure_and_the_machine_is_looked_at_all_the_same(tmp_path: Path) -> None:
    result, found = examine("127.0.0.1:1", tmp_path, "--kafka-timeout-s=0.3")
    assert result.return_value == 1
    assert found["kafka"]["verdict"] == "failure"
    assert "no Kafka at 127.0.0.1:1" in found["kafka"]["text"]
    assert found["memory"]["verdict"] in ("ok", "failure")
    assert "topic ounce.events" not in found


@pytest.mark.kafka
def test_workers_without_partitions_are_told_of(
    kafka: str, topics: OwnTopics, consumer_group: str, tmp_path: Path
) -> None:
    topics.of_task(TASK)
    group = f"--group={consumer_group}"

    def told() -> tuple[str, str]:
        found = examine(kafka, tmp_path, group)[1][f"group {consumer_group}"]
        return found["verdict"], found["text"]

    assert told() == ("ok", "0 workers, 1 partition of requests")
    with ExitStack() as stack:
        for _ in range(3):
            consumer = Consumer({"bootstrap.servers": kafka, "group.id": consumer_group})
            stack.callback(consumer.close)
            consumer.subscribe([REQUESTS])
            stack.callback(polled(consumer))
        expected = ("warning", "3 workers, 1 partition of requests: 2 without any")
        wait_until(lambda: told() == expected, told)


def polled(consumer: Consumer) -> Callable[[], None]:
    """Poll a consumer on a thread; what is given back ends that."""
    is_over = threading.Event()

    def poll() -> None:
        while not is_over.is_set():
            consumer.poll(0.1)

    thread = threading.Thread(target=poll)
    thread.start()

    def end() -> None:
        is_over.set()
        thread.join()

    return end


@pytest.mark.kafka
def test_a_real_cluster_is_seen_as_it_is(kafka: str, topics: OwnTopics, tmp_path: Path) -> None:
    topics.of_task(TASK, partitions=2)
    options = ["--max-message-bytes=2000000", "--probe-clock"]
    producer = Producer({"bootstrap.servers": kafka})
    producer.produce(REQUESTS, b"late", partition=0, timestamp=1)
    producer.produce(REQUESTS, b"x", partition=1, timestamp=int((time.time() + 3600) * 1000))
    assert producer.flush(60) == 0
    result, found = examine(kafka, tmp_path, *options)
    verdicts = {check: finding["verdict"] for check, finding in found.items()}
    assert result.return_value == 1
    assert verdicts["kafka"] == verdicts["rights"] == "ok"
    assert verdicts[f"partitions of {REQUESTS}"] == verdicts[f"copies of {REQUESTS}"] == "ok"
    predictions = found[f"topic ounce.{TASK}.predictions"]
    assert predictions["verdict"] == "failure"
    assert "takes 1,048,588 bytes" in predictions["text"]
    assert found["clock and requests"]["verdict"] == "warning"
    assert "a device's clock is " in found["clock and requests"]["text"]
    assert verdicts["clock and broker"] == "ok"  # the same machine
    assert found[f"models of {TASK}"]["verdict"] == "failure"
    there = AdminClient({"bootstrap.servers": kafka}).list_topics(timeout=60).topics
    assert [name for name in there if name.startswith("ounce.doctor.")] == []
