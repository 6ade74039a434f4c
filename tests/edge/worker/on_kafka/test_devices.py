"""Devices with clocks that are off, and devices that use the same ids, on a real Kafka."""

import re
import time
from typing import Any

import numpy as np
import pytest

from tests.support.kafka.topics import OwnTopics
from tests.support.process.worker import PATIENT, Device, Worker
from tests.support.process.workers import Workers

pytestmark = pytest.mark.kafka

DAY_MS = 86_400_000


def figure(worker: Worker, series: str) -> float:
    """Value of a series."""
    found = re.search(rf"^{re.escape(series)} (\S+)$", worker.get("/metrics")[1], re.MULTILINE)
    return float(found[1]) if found else 0.0


def labels(worker: Worker, outcome: str) -> float:
    return figure(worker, f'ounce_labels_total{{outcome="{outcome}",task="digits"}}')


def test_clocks_that_are_off_are_marked_and_devices_are_told_apart(
    topics: OwnTopics, workers: Workers, device: Device
) -> None:
    topics.of_task("digits", partitions=1)
    body = np.full(64, 8.0, "<f4").tobytes()
    now_ms = int(time.time() * 1e3)
    clocks: dict[str, Any] = {
        "right": now_ms,
        "1970": 86_400,
        "2000": 946_684_800_000,
        "yesterday": now_ms - DAY_MS,
        "ahead": now_ms + 1_800_000,  # brokers refuse more than an hour by default
    }
    with workers() as worker:
        for name, timestamp_ms in clocks.items():
            device.send(body, [("ce_id", name.encode()), PATIENT], timestamp_ms=timestamp_ms)
        for key in (b"one", b"two"):
            device.send(body, [("ce_id", b"7"), PATIENT], key=key)
        device.flush()
        device.read(len(clocks) + 2)
        decisions = [(answer.id, answer.parameters) for answer in device.answers()]
        assert {id_ for id_, d in decisions if d.timestamp_off} == clocks.keys() - {"right"}
        assert all(decision.deadline_met for _, decision in decisions)
        assert [decision.duplicate for id_, decision in decisions if id_ == "7"] == [False, False]
        off = r'ounce_timestamps_off_total\{task="digits"\} '
        worker.wait_until_counted(rf"{off}{len(clocks) - 1}\.0")
        assert figure(worker, 'ounce_end_to_end_latency_seconds_sum{task="digits"}') < 600
        assert figure(worker, 'ounce_queue_wait_seconds_sum{task="digits"}') < 600
        deadline_s = time.monotonic() + 90
        while labels(worker, "joined") < 2 or not labels(worker, "ambiguous"):
            assert time.monotonic() < deadline_s, worker.get("/metrics")[1]
            for key in (b"one", b"two", None):
                device.label('{"id":"7","label":"1"}', key)
            time.sleep(0.5)
        assert labels(worker, "joined") == 2
