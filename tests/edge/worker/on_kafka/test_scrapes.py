"""A worker's page is whole from its first moment to its last."""

import threading
from http.client import HTTPException

import numpy as np
import pytest
from ounce_services.workers.pages import parse_metrics

from tests.support.kafka.topics import OwnTopics
from tests.support.process.worker import Device
from tests.support.process.workers import Workers

pytestmark = pytest.mark.kafka


def test_scrapes_during_start_up_and_drain_are_whole_pages(
    topics: OwnTopics, workers: Workers, device: Device
) -> None:
    topics.of_task("digits")
    worker = workers()
    pages: list[tuple[str, str]] = []
    ended = threading.Event()

    def scrape() -> None:
        while not ended.is_set():
            try:
                state, page = worker.get("/readyz")[1].strip(), worker.get("/metrics")
            except HTTPException:  # the process has ended meanwhile
                continue
            if page[0]:
                assert page[0] == 200
                pages.append((state, page[1]))

    scraper = threading.Thread(target=scrape)
    scraper.start()
    try:
        with worker:
            for _ in range(200):
                device.send(np.zeros(64, "<f4").tobytes())
            device.flush()
            device.read(200)
            assert worker.child.stop() == 0, worker.child.log_tail()
    finally:
        ended.set()
        scraper.join()
    states = [state for state, _ in pages]
    assert "models are loading" in states
    assert "ready" in states
    for _, page in pages:
        assert parse_metrics(page, "the worker")["ounce_build_info"]
    assert "Traceback" not in worker.child.log.read_text()
