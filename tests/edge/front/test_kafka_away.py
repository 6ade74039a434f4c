"""A front whose Kafka goes away and comes back, and workers that die."""

from pathlib import Path

import pytest

from tests.support.kafka.apache_kafka import ApacheKafka
from tests.support.kafka.topics import OwnTopics
from tests.support.process.front import FrontProcess
from tests.support.process.wait import wait_until
from tests.support.process.worker import Worker

pytestmark = pytest.mark.kafka
ITEM = b"[" + b",".join([b"0"] * 64) + b"]"
READY = "/v2/models/digits/ready"
HURRIED = {"ce-maxlatencyms": "10"}


def test_kafka_goes_away_and_comes_back(
    private_kafka: ApacheKafka, digits_models: Path, tmp_path: Path
) -> None:
    servers = private_kafka.bootstrap_servers
    OwnTopics(servers).of_task("digits")
    options = ["--task=digits", "--patience-s=0.5", "--grace-s=60"]
    with (
        Worker(servers, digits_models, tmp_path / "worker.log"),
        FrontProcess(servers, tmp_path / "front.log", options) as front,
    ):
        assert front.ask(ITEM).status == 200
        private_kafka.kill()
        first = front.ask(ITEM)
        assert (first.status, first.headers["Retry-After"]) == (503, "1")
        assert "confirmed no request" in first.body["error"]
        assert front.ask(ITEM, {"Prefer": "respond-async"}).status == 503
        wait_until(lambda: front.get("/readyz")[0] == 503, front.child.log_tail)
        assert front.get("/healthz")[0] == 200
        assert front.value_of("ounce_http_kafka_away") == 1
        private_kafka.start()
        # Balancers send no call to a front that is not ready.
        wait_until(lambda: front.get("/readyz")[0] == 200, front.child.log_tail)
        wait_until(lambda: front.ask(ITEM).status == 200, front.child.log_tail)


def test_topics_and_workers_that_are_absent_are_told(
    private_kafka: ApacheKafka, digits_models: Path, tmp_path: Path
) -> None:
    servers = private_kafka.bootstrap_servers
    front = FrontProcess(servers, tmp_path / "front.log", ["--task=digits", "--grace-s=0.2"])
    log = front.child.log_tail

    def is_absent() -> bool:
        told = front.ask(ITEM, HURRIED)
        return told.status == 503 and "start `ounce worker`" in told.body["error"]

    try:
        wait_until(lambda: "is absent" in front.get("/readyz")[1], log)
        told = front.ask(ITEM)
        assert (told.status, "make it with `ounce topics`" in told.body["error"]) == (503, True)
        OwnTopics(servers).of_task("digits")
        front.wait_until_ready()
        wait_until(is_absent, log)
        assert front.call(READY).status == 503
        with Worker(servers, digits_models, tmp_path / "worker.log"):
            wait_until(lambda: front.call(READY).status == 200, log)
            wait_until(lambda: front.ask(ITEM).status == 200, log)
        wait_until(is_absent, log)
        assert front.get("/readyz")[0] == 200
    finally:
        assert front.child.stop() == 0
    assert "Traceback" not in front.child.log.read_text()


def test_a_worker_that_dies_costs_its_own_calls(
    private_kafka: ApacheKafka, digits_models: Path, tmp_path: Path
) -> None:
    servers = private_kafka.bootstrap_servers
    OwnTopics(servers).of_task("digits")
    options = ["--task=digits", "--grace-s=5"]
    with FrontProcess(servers, tmp_path / "front.log", options) as front:
        with Worker(servers, digits_models, tmp_path / "worker.log") as worker:
            wait_until(lambda: front.ask(ITEM).status == 200, front.child.log_tail)
            worker.child.kill()
        assert front.ask(ITEM, HURRIED).status == 504
        with Worker(servers, digits_models, tmp_path / "next.log"):
            front.wait_until_counted(r"ounce_http_unclaimed_answers_total [1-9]")
            wait_until(lambda: front.ask(ITEM).status == 200, front.child.log_tail)
    assert "Traceback" not in front.child.log.read_text()
