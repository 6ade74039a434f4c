"""A request on which a real model crashes ends some workers, and then its own answer alone."""

import shutil
import signal
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition
from ounce_schemas.dead_letter import HEADER_OFFSET, HEADER_REASON, HEADER_TEXT

from tests.support.edge.fatal_models import CRASHES, image, make_fatal
from tests.support.kafka.digits_group import REQUESTS, wait_for
from tests.support.kafka.topics import OwnTopics
from tests.support.process.worker import Device
from tests.support.process.workers import Workers

pytestmark = pytest.mark.kafka

FATAL = 3
"""Offset of the request on which it crashes."""


@pytest.fixture
def workers(kafka: str, digits_models: Path, tmp_path: Path, consumer_group: str) -> Workers:
    """They serve a ladder of two models, of which one is fatal."""
    models = tmp_path / "models"
    for name in ("decision-tree", "mlp"):
        shutil.copytree(digits_models / "digits" / name, models / "digits" / name)
    shutil.copy(digits_models / "digits" / "task.json", models / "digits")
    make_fatal(models / "digits" / "mlp")
    return Workers(kafka, models, tmp_path, consumer_group)


def send(device: Device, n: int = 10) -> None:
    """Requests that want the better model."""
    for offset in range(n):
        headers = [("ce_minaccuracy", b"0.95"), ("ce_maxlatencyms", b"600000")]
        device.send(image(CRASHES if offset == FATAL else None), headers)
    device.flush()


def note(kafka: str, group: str) -> tuple[int, str]:
    """What the group has committed, and what stands beside it."""
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": group})
    [at] = consumer.committed([TopicPartition(REQUESTS, 0)], timeout=60)
    consumer.close()
    return at.offset, at.metadata or ""


def test_a_request_that_is_fatal_to_the_only_model_becomes_a_dead_letter(
    kafka: str, topics: OwnTopics, workers: Workers, device: Device, tmp_path: Path
) -> None:
    topics.of_task("digits", partitions=1)
    policy = tmp_path / "policy.yaml"
    policy.write_text("version: x\ntasks: {digits: {deny: [decision-tree]}}\n", encoding="utf-8")
    options = "--name=only", f"--policy={policy}"
    send(device)
    for n in (1, 2):  # a worker that dies, and its successor
        ended = workers(*options)
        assert ended.child.process.wait(90) == -signal.SIGFPE
        offset, text = note(kafka, workers.group)
        assert (offset, text.rpartition(" ")[2]) == (0, f"attempts={n}")
    with workers(*options) as worker:
        device.read(10)
        wait_for(lambda: note(kafka, workers.group)[0] == 10, "not all is committed")
        assert "attempts" not in note(kafka, workers.group)[1]
        assert len(worker.events_of("models-isolated")) == 1
        assert worker.child.stop() == 0
    [letter] = device.dead_letters
    why = dict(letter.headers() or [])
    assert (why[HEADER_REASON], why[HEADER_OFFSET]) == (b"model-crashed", b"%d" % FATAL)
    assert b"took its process down: the process ended with signal 8" in why[HEADER_TEXT]
    answered = {answer.id.rpartition("-")[2] for answer in device.answers()}
    assert answered == {str(offset) for offset in range(10) if offset != FATAL}


def test_another_model_answers_a_request_that_is_fatal_to_one_exactly_once(
    kafka: str, topics: OwnTopics, workers: Workers, device: Device
) -> None:
    topics.of_task("digits", partitions=1)
    send(device)
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": workers.group})
    before = TopicPartition(REQUESTS, 0, 0, " attempts=2")
    consumer.commit(offsets=[before], asynchronous=False)
    consumer.close()
    with workers("--delivery=exactly-once") as worker:
        device.read(10)
        assert worker.child.stop() == 0
    assert device.dead_letters == []
    models = {a.id.rpartition("-")[2]: a.model_name for a in device.answers()}
    assert len(models) == len(device.predictions) == 10
    assert models[str(FATAL)] == "decision-tree"
    assert "mlp" in models.values()
    assert note(kafka, workers.group)[0] == 10
