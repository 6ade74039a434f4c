"""A front that is told to end: who is connected loses nothing."""

import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.support.kafka.topics import OwnTopics
from tests.support.process.front import UNHURRIED, FrontProcess
from tests.support.process.wait import wait_until

pytestmark = pytest.mark.kafka
WAITING = "ounce_http_waiting_requests"
INFER = "/v2/models/digits/infer"


def end(front: FrontProcess) -> None:
    """Tell it to end, once a caller waits for an answer."""
    wait_until(lambda: front.value_of(WAITING) == 1, front.child.log_tail)
    front.child.process.send_signal(signal.SIGTERM)


def test_a_call_on_an_open_connection_is_answered_while_a_front_ends(
    kafka: str, topics: OwnTopics, tmp_path: Path
) -> None:
    topics.of_task("digits")
    with (
        FrontProcess(kafka, tmp_path / "front.log") as front,
        closing(HTTPConnection("127.0.0.1", front.http_port, 60)) as waits,
        closing(HTTPConnection("127.0.0.1", front.http_port, 60)) as idle,
    ):
        idle.connect()
        waits.request("POST", INFER, b"1")
        end(front)
        wait_until(lambda: front.get("/readyz")[1] == "stopping\n", front.child.log_tail)
        idle.request("GET", "/v2")
        with idle.getresponse() as answer:
            assert (answer.status, answer.headers["Connection"]) == (200, "close")
        waits.close()
        assert front.child.process.wait(60) == 0


def test_who_waits_longer_than_a_front_does_is_told(
    kafka: str, topics: OwnTopics, tmp_path: Path
) -> None:
    topics.of_task("digits")
    options = [*UNHURRIED, "--drain-s=0.5"]
    with (
        FrontProcess(kafka, tmp_path / "front.log", options) as front,
        ThreadPoolExecutor(1) as pool,
    ):
        asked = pool.submit(front.ask, b"1")
        end(front)
        told = asked.result()
        assert (told.status, "this front ends" in told.body["error"]) == (503, True)
        assert told.headers["Retry-After"] == "1"
        assert front.child.process.wait(60) == 0
    assert "Traceback" not in front.child.log.read_text()
