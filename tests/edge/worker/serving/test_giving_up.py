"""Giving up partitions and draining end in time, and leave what is not answered to others."""

import asyncio
import time
from typing import Any

import numpy as np
import pytest
from confluent_kafka import TopicPartition
from ounce_edge.worker.serving.serving import Serving
from ounce_schemas.topics import requests_topic

from tests.support.edge.ladders import DIGITS, FakeRecord, raw, served
from tests.support.edge.pipelines import pipeline
from tests.support.edge.serving import FakeDelivery, serving_of

N = 200
DRAIN_S = 0.5
REQUESTS = requests_topic(DIGITS.name)
SLOWLY_MS = 20.0
"""What the model takes for each request: 4 s for all of them."""


def slowly(inputs: Any) -> Any:
    n = len(inputs["input"])
    time.sleep(n * SLOWLY_MS / 1e3)
    return np.full((n, 3), 1 / 3, np.float32)


def serving_slowly(delivery: FakeDelivery) -> Serving:
    model = served(DIGITS, "a", slowly, ms_per_item=SLOWLY_MS)
    one = pipeline(model, clock=time.time, max_latency_ms=60_000)
    return serving_of(one, delivery=delivery, drain_s=DRAIN_S)


def records(partition: int, n: int) -> list[FakeRecord]:
    now_ms = int(time.time() * 1e3)
    body = raw(1, 2, 3, 4)
    return [
        FakeRecord(body, offset_=i, partition_=partition, topic_=REQUESTS, timestamp_ms=now_ms)
        for i in range(n)
    ]


def full_room(delivery: FakeDelivery) -> Serving:
    """N requests wait, half of them in each of two partitions; none is answered yet."""
    serving = serving_slowly(delivery)
    for record in [*records(0, N // 2), *records(1, N // 2)]:
        serving._open.admit([record])  # a poll of its own, so that some may be committed
    return serving


def place_of(id_: str) -> tuple[int, int]:
    """Partition and offset of the request with this id, which it has from there."""
    partition, offset = id_.rsplit("-", 2)[1:]
    return int(partition), int(offset)


def test_at_least_once_what_is_not_answered_in_time_is_left(
    caplog: pytest.LogCaptureFixture,
) -> None:
    delivery = FakeDelivery()
    serving = full_room(delivery)
    serving.finish()
    n_answered = len(delivery.published)
    assert 0 < n_answered < N
    assert f"{N - n_answered} requests are not answered within --drain-s 0.5" in caplog.text
    answered = set(map(place_of, delivery.published))
    for at in delivery.take_acknowledged():
        assert {(at.partition, i) for i in range(at.offset)} <= answered
    serving.drop([TopicPartition(REQUESTS, 0)])
    assert 0 < serving._open.n_open <= N // 2
    serving.drop([TopicPartition(REQUESTS, 1)])
    assert serving._open.n_open == 0


def test_exactly_once_nothing_is_there_whose_offset_is_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    delivery = FakeDelivery(is_transactional=True)
    serving = serving_slowly(delivery)
    serving._mode._taken = records(2, N)  # type: ignore[attr-defined]
    serving._mode._size.n_records = 4  # type: ignore[attr-defined]
    serving.finish()
    assert "requests are not answered within --drain-s 0.5" in caplog.text
    offsets = [at.offset for at in delivery.take_acknowledged()]
    answered = sorted(place_of(id_)[1] for id_ in delivery.published)
    assert 0 < len(answered) < N
    assert answered == list(range(max(offsets)))


def test_a_broker_that_takes_nothing_does_not_hold_up_draining(
    caplog: pytest.LogCaptureFixture,
) -> None:
    delivery = FakeDelivery()
    delivery.takes_nothing = True
    serving = full_room(delivery)
    serving.finish()
    assert "the broker does not hold all answers yet" in caplog.text
    assert delivery.take_acknowledged() == []


@pytest.mark.parametrize("is_transactional", [False, True])
def test_leaving_after_draining_takes_no_more_time(is_transactional: bool) -> None:
    delivery = FakeDelivery(is_transactional)
    if is_transactional:
        serving = serving_slowly(delivery)
        serving._mode._taken = records(2, N)  # type: ignore[attr-defined]
    else:
        serving = full_room(delivery)
    asyncio.run(serving.drain())
    n_answered = len(delivery.published)
    assert n_answered < N
    serving.finish()  # as the consumer does, which gives up its partitions
    assert len(delivery.published) == n_answered
