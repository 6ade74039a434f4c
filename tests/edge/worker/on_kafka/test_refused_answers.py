"""Answers that the broker refuses, among others that it takes, and then nothing more comes."""

import random
import re
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from confluent_kafka import Consumer, TopicPartition
from ounce_schemas.topics import events_topic, predictions_topic, requests_topic

from tests.support.kafka.topics import OwnTopics, configure
from tests.support.process.wait import wait_until
from tests.support.process.worker import Device, Worker
from tests.support.process.workers import Workers

pytestmark = pytest.mark.kafka

N = 60
LARGE = (7, 8, 41)
"""Requests with ids so long that their answers are more than the predictions topic takes."""


@pytest.mark.parametrize("delivery", ["at-least-once", "exactly-once"])
def test_each_becomes_a_dead_letter_and_all_others_are_answered_and_counted(
    delivery: str,
    kafka: str,
    topics: OwnTopics,
    workers: Workers,
    digits_models: Path,
    device: Device,
) -> None:
    topics.of_task("digits", partitions=1)
    topics.make([events_topic()])
    configure(kafka, predictions_topic("digits"), max_message_bytes=3000)
    with np.load(digits_models / "digits" / "test-split.npz") as arrays:
        inputs = arrays["input"].astype("<f4")
    letters = random.Random(1)
    for i in range(N):
        id_ = f"{i}-" + "".join(letters.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=3500))
        device.send(inputs[i].tobytes(), [("ce_id", id_.encode() if i in LARGE else b"%d" % i)])
    device.flush()
    with workers(f"--delivery={delivery}") as worker:
        device.read(N)
        reader = Consumer({"bootstrap.servers": kafka, "group.id": workers.group})
        requests = TopicPartition(requests_topic("digits"), 0)
        deadline_s = time.monotonic() + 90
        while reader.committed([requests], timeout=60)[0].offset < N:
            assert time.monotonic() < deadline_s
        reader.close()
        expected = {"dead-letter": len(LARGE), "answer": N - len(LARGE)}
        wait_until(lambda: counted(worker) == expected, lambda: counted(worker))
        worker.wait_until_counted(
            r'ounce_events_total\{kind="answer-refused",task="digits"\} [1-9]'
        )
        assert worker.get("/healthz")[0] == 200
        assert worker.child.stop() == 0, worker.child.log_tail()
    assert sorted(int(answer.id) for answer in device.answers()) == [
        i for i in range(N) if i not in LARGE
    ]
    headers = [dict(letter.headers() or []) for letter in device.dead_letters]
    assert {each["ounce-dead-letter-reason"] for each in headers} == {b"answer-refused"}
    assert sorted(int(each["ounce-dead-letter-offset"]) for each in headers) == [*LARGE]
    assert {letter.value() for letter in device.dead_letters} == {
        inputs[i].tobytes() for i in LARGE
    }


def counted(worker: Worker) -> dict[str, int]:
    """Messages that became answers, and dead letters."""
    found = re.findall(
        r'ounce_messages_total\{.*outcome="([a-z-]+)".*\} (\d+)', worker.get("/metrics")[1]
    )
    counts = Counter[str]()
    for outcome, n in found:
        counts["dead-letter" if outcome == "dead-letter" else "answer"] += int(n)
    return dict(counts)
