"""Answers that the broker refuses, among others that it takes, and then nothing more comes."""

import random
import re
import time
from pathlib import Path

import numpy as np
import pytest
from confluent_kafka import Consumer, TopicPartition
from ounce_schemas.topics import EVENTS_TOPIC, predictions_topic, requests_topic

from tests.support.kafka.topics import OwnTopics, configure
from tests.support.process.worker import Device
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
    topics.make([EVENTS_TOPIC])
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
        _, metrics = worker.get("/metrics")
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
    outcomes = re.findall(r'ounce_messages_total\{.*outcome="([a-z-]+)".*\} (\d+)', metrics)
    counted = {name: sum(int(n) for of, n in outcomes if of == name) for name, _ in outcomes}
    assert counted.pop("dead-letter") == len(LARGE)
    assert sum(counted.values()) == N - len(LARGE)
    assert re.search(r'ounce_events_total\{kind="answer-refused",task="digits"\} [1-9]', metrics)
