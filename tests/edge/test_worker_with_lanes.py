"""The worker's wiring around calls that are on lanes, with fake models and no broker."""

import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest
from confluent_kafka import TopicPartition
from ounce_edge.app import _Worker
from ounce_edge.beliefs import card_belief
from ounce_edge.delivery import Delivery
from ounce_edge.health import STALLED_AFTER_S, Health
from ounce_edge.lanes import Lanes
from ounce_edge.metrics import Metrics
from ounce_edge.pipeline import Pipeline
from ounce_edge.settings import WorkerSettings
from ounce_schemas.policy import Policy
from ounce_schemas.topics import requests_topic

from tests.support.edge import DIGITS, FakeRecord, ladder, raw, served

NOW_S = 1000.02
WAIT_S = 10.0


class FakeDelivery(Delivery):
    """Whose broker has at once what is published."""

    def __init__(self) -> None:
        self.published: list[str] = []
        """Ids of the answers."""
        self._taken: list[TopicPartition] = []

    def publish(self, topic: str, values: Any, *_: Any) -> None:
        self.published += [msgspec.json.decode(value)["id"] for value in values]

    def wait(self) -> None:
        pass

    def start_confirming(self, offsets: list[TopicPartition]) -> None:
        self._taken += offsets

    def take_acknowledged(self) -> list[TopicPartition]:
        taken, self._taken = self._taken, []
        return taken


def answer(inputs: Any) -> Any:
    return np.full((len(inputs["input"]), 3), 1 / 3, np.float32)


@pytest.fixture
def lanes() -> Iterator[Lanes]:
    own = Lanes(1)
    yield own
    own.close()


def worker(
    lanes: Lanes, *tasks: str, model: Callable[[Any], Any] = answer
) -> tuple[_Worker, FakeDelivery]:
    """A worker that never starts; every call takes long, as predicted."""
    pipelines = []
    for name in tasks:
        task = DIGITS.model_copy(update={"name": name})
        pipelines.append(
            Pipeline(
                ladder(task, served(task, "a", model, ms_per_item=4.0)),
                Policy().for_task(name),
                clock=lambda: NOW_S,
                believe=lambda served_model: card_belief(served_model.card),
                lanes=lanes,
            )
        )
    settings = WorkerSettings(task=tasks, kafka="127.0.0.1:1")
    own = _Worker(settings, pipelines, Metrics(), Health(time.monotonic), lanes=lanes)
    own._delivery.close()
    own._delivery = delivery = FakeDelivery()
    own._assigned = {(requests_topic(name), 3) for name in tasks}
    return own, delivery


def record(task: str, id_: str, max_latency_ms: float = 1000.0) -> Any:
    headers = [("ce_id", id_.encode()), ("ce_maxlatencyms", b"%g" % max_latency_ms)]
    return FakeRecord(raw(1, 2, 3, 4), headers, topic_=requests_topic(task))


def test_a_call_that_hangs_is_no_progress(lanes: Lanes, monkeypatch: pytest.MonkeyPatch) -> None:
    own, _ = worker(lanes, "digits")
    now_s, go = time.monotonic(), threading.Event()
    monkeypatch.setattr("ounce_edge.lanes.time.perf_counter", lambda: now_s)
    before_s = own._health.progress_at_s
    call = lanes.start(lambda: go.wait(WAIT_S), 1.0)
    now_s += STALLED_AFTER_S
    own._progressed()
    assert own._health.progress_at_s == before_s
    go.set()
    call.result()
    own._progressed()
    assert own._health.progress_at_s > before_s


def test_what_is_on_a_lane_is_answered_before_partitions_are_given_up(lanes: Lanes) -> None:
    go = threading.Event()

    def when_it_may(inputs: Any) -> Any:
        assert go.wait(WAIT_S)
        return answer(inputs)

    own, delivery = worker(lanes, "digits", model=when_it_may)
    [serving] = own._pipelines.values()
    own._admit([record("digits", "r-1")])
    own._slice()
    assert (delivery.published, len(serving.waiting), serving.n_open) == ([], 0, 1)
    assert own._room() == own._settings.max_waiting - 1
    committed: list[TopicPartition] = []
    consumer: Any = SimpleNamespace(commit=lambda offsets, asynchronous: committed.extend(offsets))
    threading.Timer(0.05, go.set).start()
    own._on_revoke(consumer, [TopicPartition(requests_topic("digits"), 3)])
    assert delivery.published == ["r-1"]
    assert [(at.partition, at.offset) for at in committed] == [(3, 8)]


def test_a_late_request_gets_a_lane_although_another_task_keeps_it_busy(lanes: Lanes) -> None:
    def takes_long(inputs: Any) -> Any:
        time.sleep(0.004)
        return answer(inputs)

    own, delivery = worker(lanes, "busy", "other", model=takes_long)
    own._admit([record("other", "late", 1.0)])
    for i in range(5):
        own._admit([record("busy", f"timely-{i}")])
        own._slice()
        while not lanes.n_free:
            lanes.wait(WAIT_S)
    assert "late" in delivery.published
    own._finish()
    assert len(delivery.published) == 6
