"""A worker that traces, with a receiver and when that has gone; its log; and what is seen of it."""

import json
from typing import Any

import numpy as np
import pytest

from tests.support.edge.receivers import Receiver
from tests.support.edge.traces import PARENT, TRACE, traceparent
from tests.support.kafka.topics import OwnTopics
from tests.support.process.command import ounce
from tests.support.process.wait import wait_until
from tests.support.process.worker import Device, Worker
from tests.support.process.workers import Workers

pytestmark = pytest.mark.kafka

N = 5
BODY = np.zeros(64, "<f4").tobytes()


def log_of(worker: Worker) -> list[dict[str, Any]]:
    """Each line of its log is an object."""
    return [json.loads(line) for line in worker.child.log.read_text().splitlines()]


def wait_until_sent(worker: Worker, n: int) -> None:
    series = 'ounce_traced_messages_total{outcome="sent"}'
    wait_until(lambda: worker.value_of(series) == n, lambda: worker.get("/metrics")[1])


def test_a_trace_goes_from_the_device_to_the_answer_and_joins_with_the_log(
    topics: OwnTopics, workers: Workers, device: Device
) -> None:
    topics.of_task("digits")
    with Receiver() as receiver:
        options = [f"--traces={receiver.url}", "--log-format=json", "--log-level=DEBUG"]
        with workers(*options) as worker:
            for n in range(N):
                device.send(BODY, [("ce_id", f"r-{n}".encode()), traceparent()])
            device.send(b"nonsense", [traceparent("00")])
            device.flush()
            device.read(N + 1)
            receiver.wait_for(1 + 6 * N + 1)
            by_name = [s.name for s in receiver.spans if s.trace_id.hex() == TRACE]
            assert by_name.count("process ounce.digits.requests") == N + 1
            assert by_name.count("send ounce.digits.predictions") == N
            wait_until_sent(worker, N + 1)  # counted when the receiver has answered
            returned = {dict(m.headers() or ())["traceparent"] for m in device.predictions}
            assert returned == {f"00-{TRACE}-{PARENT}-01".encode()}
            state = ounce("status", f"127.0.0.1:{worker.port}", "--json")
            (seen,) = json.loads(state.stdout)
            assert seen["is_ready"]
            assert seen["tasks"][0]["answered"] == N
            traced = [line for line in log_of(worker) if "trace_id" in line]
            assert sorted(line["message_id"] for line in traced) == [f"r-{n}" for n in range(N)]
            assert {line["trace_id"] for line in traced} == {TRACE}
            assert {line["task"] for line in traced} == {"digits"}
            receiver.close()
            for _ in range(N):
                device.send(BODY, [traceparent()])
            device.flush()
            device.read(2 * N + 1)
            assert worker.child.stop() == 0, worker.child.log_tail()
        lost = [line for line in log_of(worker) if "traces of" in line["message"]]
        assert len(lost) <= 1
