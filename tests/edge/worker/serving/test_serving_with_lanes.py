"""Serving and giving up partitions while calls are on lanes, with fake models and no broker."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from confluent_kafka import TopicPartition
from ounce_edge.pipeline.lanes import Lanes
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.telemetry.health import STALLED_AFTER_S, Health
from ounce_schemas.topics import requests_topic

from tests.support.edge.ladders import DIGITS, FakeRecord, raw, served
from tests.support.edge.partitions import partitions_of
from tests.support.edge.pipelines import pipeline
from tests.support.edge.serving import FakeDelivery, serving_of

WAIT_S = 60.0


def answer(inputs: Any) -> Any:
    return np.full((len(inputs["input"]), 3), 1 / 3, np.float32)


@pytest.fixture
def lanes() -> Iterator[Lanes]:
    own = Lanes(1)
    yield own
    own.close()


def pipelines(
    lanes: Lanes, *tasks: str, model: Callable[[Any], Any] = answer
) -> Iterator[Pipeline]:
    """One for each task; every call takes long, as predicted."""
    for name in tasks:
        task = DIGITS.model_copy(update={"name": name})
        yield pipeline(served(task, "a", model, ms_per_item=4.0), task=task, lanes=lanes)


def record(task: str, id_: str, max_latency_ms: float = 1000.0) -> Any:
    headers = [("ce_id", id_.encode()), ("ce_maxlatencyms", b"%g" % max_latency_ms)]
    return FakeRecord(raw(1, 2, 3, 4), headers, topic_=requests_topic(task))


def test_a_call_that_hangs_is_no_progress() -> None:
    now_s, go, health = 50.0, threading.Event(), Health(time.monotonic)
    lanes = Lanes(1, steady=lambda: now_s)
    serving = serving_of(
        *pipelines(lanes, "digits"), delivery=FakeDelivery(), lanes=lanes, health=health
    )
    before_s = health.progress_at_s
    call = lanes.start(lambda: go.wait(WAIT_S), 1.0)
    now_s += STALLED_AFTER_S
    serving.progressed()
    assert health.progress_at_s == before_s
    go.set()
    call.result()
    serving.progressed()
    assert health.progress_at_s > before_s
    lanes.close()


def test_what_is_on_a_lane_is_answered_before_partitions_are_given_up(lanes: Lanes) -> None:
    go = threading.Event()

    def when_it_may(inputs: Any) -> Any:
        assert go.wait(WAIT_S)
        return answer(inputs)

    [pipeline] = pipelines(lanes, "digits", model=when_it_may)
    delivery = FakeDelivery()
    serving = serving_of(pipeline, delivery=delivery, lanes=lanes, max_waiting=100)
    ours = [TopicPartition(requests_topic("digits"), 3)]
    committed: list[TopicPartition] = []
    consumer: Any = SimpleNamespace(commit=lambda offsets, asynchronous: committed.extend(offsets))
    partitions = partitions_of(serving)
    partitions.on_assign(consumer, ours)
    asyncio.run(serving.take([record("digits", "r-1")]))
    assert (delivery.published, len(pipeline.waiting), pipeline.n_open) == ([], 0, 1)
    assert serving.room() == 99
    threading.Timer(0.05, go.set).start()
    partitions.on_revoke(consumer, ours)
    assert delivery.published == ["r-1"]
    assert [(at.partition, at.offset) for at in committed] == [(3, 3), (3, 8)]


@pytest.mark.parametrize(("lasts_s", "kept"), [(9.0, ""), (11.0, " attempts=1")])
def test_who_gives_up_while_a_call_hangs_leaves_its_note(lasts_s: float, kept: str) -> None:
    now_s, go = 50.0, threading.Event()
    lanes = Lanes(1, steady=lambda: now_s)
    serving = serving_of(*pipelines(lanes, "digits"), delivery=FakeDelivery(), lanes=lanes)
    ours = [TopicPartition(requests_topic("digits"), 3)]
    notes: list[str | None] = []
    consumer: Any = SimpleNamespace(
        commit=lambda offsets, asynchronous: notes.extend(at.metadata for at in offsets)
    )
    partitions = partitions_of(serving)
    partitions.on_assign(consumer, ours)
    call = lanes.start(lambda: go.wait(WAIT_S), 1.0)
    now_s += lasts_s
    partitions.on_revoke(consumer, ours)
    assert notes[-1] == kept
    go.set()
    call.result()
    lanes.close()


def test_a_late_request_gets_a_lane_although_another_task_keeps_it_busy(lanes: Lanes) -> None:
    def takes_long(inputs: Any) -> Any:
        time.sleep(0.004)
        return answer(inputs)

    delivery = FakeDelivery()
    both = pipelines(lanes, "busy", "other", model=takes_long)
    serving = serving_of(*both, delivery=delivery, lanes=lanes)

    async def polls() -> None:
        late = [record("other", "late", 1.0)]
        for i in range(5):
            await serving.take([*late, record("busy", f"timely-{i}")])
            late = []
            while not lanes.n_free:
                lanes.wait(WAIT_S)

    asyncio.run(polls())
    assert "late" in delivery.published
    serving.finish()
    assert len(delivery.published) == 6
