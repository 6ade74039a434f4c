"""Callers of HTTP, a real front, a real Kafka and a real worker: from a call to its answer."""

import gzip
import json
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from ounce_edge.front.waiting import NOBODY
from ounce_schemas.documents import TEST_SPLIT_FILE

from tests.support.kafka.topics import OwnTopics
from tests.support.process.front import FrontProcess, Told
from tests.support.process.wait import wait_until
from tests.support.process.worker import PATIENT, Device, Worker

pytestmark = pytest.mark.kafka
N = 40
TIMELESS = {"ce-maxlatencyms": str(60_000), "ce-minaccuracy": "0.9"}
WAITING = "ounce_http_waiting_requests"


@pytest.fixture
def front(kafka: str, topics: OwnTopics, tmp_path: Path) -> Iterator[FrontProcess]:
    topics.of_task("digits")
    with FrontProcess(kafka, tmp_path / "front.log") as front:
        yield front


@pytest.fixture
def items(digits_models: Path) -> list[bytes]:
    with np.load(digits_models / "digits" / TEST_SPLIT_FILE) as split:
        return [item.astype("<f4").tobytes() for item in split["input"][:N]]


def waits_for(front: FrontProcess, n: int) -> bool:
    return front.value_of(WAITING) == n


def essence(answer: dict[str, object]) -> object:
    """What does not depend on the time."""
    parameters = answer["parameters"]
    assert isinstance(parameters, dict)
    kept = ("task", "max_latency_ms", "min_accuracy", "deadline_met", "floor_met")
    outputs = answer["outputs"]
    assert isinstance(outputs, list)
    return answer["id"], outputs[0]["data"], [parameters[name] for name in kept]


def test_answers_are_those_that_come_by_kafka(
    kafka: str, front: FrontProcess, digits_models: Path, consumer_group: str, device: Device,
    items: list[bytes], tmp_path: Path,
) -> None:  # fmt: skip
    only = [f"--group={consumer_group}", f"--policy={tmp_path}/policy.yaml"]
    (tmp_path / "policy.yaml").write_text("tasks: {digits: {allow: [mlp]}}\n")

    def ask(i: int) -> Told:
        return front.ask(items[i], {**TIMELESS, "ce-id": f"h-{i}", "ounce-device": f"d-{i % 3}"})

    with Worker(kafka, digits_models, tmp_path / "worker.log", only):
        for i, item in enumerate(items):
            device.send(item, [PATIENT, ("ce_minaccuracy", b"0.9"), ("ce_id", b"k-%d" % i)])
        device.flush()
        device.read(N)
        with ThreadPoolExecutor(16) as pool:
            told = [*pool.map(ask, range(N))]
        rows = [np.frombuffer(item, "<f4").tolist() for item in items[:2]]
        v1 = json.dumps({"instances": rows}).encode()
        told_v1 = front.call("/v1/models/digits:predict", v1, {**TIMELESS, "ce-id": "v1"})
        explained = front.call("/v1/models/digits:explain", v1, {**TIMELESS, "ce-id": "why"})
        refused = front.ask(b'{"data": [0.0')
        assert (refused.status, refused.body["reason"]) == (400, "malformed-json")
        packed = {**TIMELESS, "Content-Encoding": "gzip", "Prefer": "respond-async", "ce-id": "p"}
        assert front.ask(gzip.compress(items[0]), packed).status == 202
        later = front.ask(items[0], {"Prefer": "respond-async", "ce-id": "later"})
        assert (later.status, later.body) == (202, {"id": "later"})
        device.read(2 * N + 5)
        assert {"later", "p"} < {answer.id for answer in device.answers()}
    by_kafka = {}
    for message in device.predictions:
        answer = json.loads(message.value() or b"")
        by_kafka[answer["id"]] = essence(answer)
    for i, each in enumerate(told):
        assert each.status == 200
        assert each.headers["ce-id"] == each.body["id"] == f"h-{i}"
        assert by_kafka[f"h-{i}"] == essence(each.body)
        assert by_kafka[f"k-{i}"][1:] == by_kafka[f"h-{i}"][1:]
    labels = [each.body["outputs"][0]["data"][0] for each in told[:2]]
    assert (told_v1.status, told_v1.body["predictions"]) == (200, labels)
    assert (explained.status, explained.body["predictions"]) == (200, labels)
    assert [len(each["contributions"]) for each in explained.body["explanations"]] == [16, 16]
    keys = {m.key() for m in device.predictions if m.value() and b'"h-' in (m.value() or b"")}
    assert keys == {b"d-0", b"d-1", b"d-2"}
    front.wait_until_counted(rf'ounce_http_requests_total.*status="200".* {N + 2}\.0')


def test_each_front_hears_its_own_answers_and_one_that_is_killed_costs_the_other_nothing(
    kafka: str, front: FrontProcess, digits_models: Path, consumer_group: str, items: list[bytes],
    tmp_path: Path,
) -> None:  # fmt: skip
    with (
        FrontProcess(kafka, tmp_path / "other.log") as other,
        ThreadPoolExecutor(4) as pool,
    ):
        own = [pool.submit(front.ask, item, TIMELESS) for item in items[:2]]
        lost = [pool.submit(other.ask, item, TIMELESS) for item in items[2:4]]
        for each in (front, other):
            wait_until(partial(waits_for, each, 2), each.child.log_tail)
        other.child.kill()
        options = [f"--group={consumer_group}"]
        with Worker(kafka, digits_models, tmp_path / "worker.log", options):
            assert [each.result().status for each in own] == [200, 200]
            for each in lost:
                with pytest.raises(ConnectionError, match="closed"):
                    each.result()
            assert front.ask(items[4], TIMELESS).status == 200


def test_who_waits_is_answered_before_the_end(
    kafka: str, front: FrontProcess, digits_models: Path, consumer_group: str, items: list[bytes],
    tmp_path: Path,
) -> None:  # fmt: skip
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(front.ask, item, TIMELESS) for item in items[:3]]
        wait_until(partial(waits_for, front, 3), front.child.log_tail)
        front.child.process.send_signal(signal.SIGTERM)
        wait_until(lambda: front.get("/readyz")[1] == "stopping\n", front.child.log_tail)
        options = [f"--group={consumer_group}"]
        with Worker(kafka, digits_models, tmp_path / "worker.log", options):
            assert [each.result().status for each in asked] == [200, 200, 200]
        assert front.child.process.wait(60) == 0
    assert "Traceback" not in front.child.log.read_text()


def test_a_body_can_not_say_that_others_hear_its_answer(
    kafka: str, front: FrontProcess, digits_models: Path, consumer_group: str, device: Device,
    tmp_path: Path,
) -> None:  # fmt: skip
    forged = {
        "specversion": "1.0", "id": "forged", "source": "/x", "type": "x",
        "ouncereply": "http:others:1", "data": [0.0] * 64,
    }  # fmt: skip
    kind = {"content-type": "application/cloudevents+json"}
    options = [f"--group={consumer_group}"]
    with Worker(kafka, digits_models, tmp_path / "worker.log", options):
        later = front.ask(json.dumps(forged).encode(), {**kind, "Prefer": "respond-async"})
        assert (later.status, later.body) == (202, {"id": "forged"})
        device.read(1)
        assert front.ask(json.dumps(forged).encode(), kind).status == 200
    (answer,) = device.predictions
    assert dict(answer.headers() or [])["ce_ouncereply"] == NOBODY
