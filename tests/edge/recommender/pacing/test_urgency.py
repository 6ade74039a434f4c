"""What is answered while more is there to be read, with fake models and without a broker."""

import asyncio
import time

import numpy as np
import pytest
from ounce_edge.broker.reading import consumer as consumption
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.pipeline.turn import Turn
from ounce_edge.recommender.pacing.poll_size import LEAST_POLL
from ounce_edge.recommender.pacing.urgency import POLLS_AHEAD, before_reading
from ounce_edge.worker.serving.serving import Serving

from tests.support.edge.ladders import DIGITS, FakeRecord, Outbox, served
from tests.support.edge.pipelines import GOOD, NOW_S, pipeline, prediction
from tests.support.edge.serving import FakeDelivery, serving_of
from tests.support.kafka.consumer import Draining, FakeClient


def requests(*left_ms: float, start: int = 0) -> list[FakeRecord]:
    """Requests that have so much time left; late ones came a second ago."""
    return [
        FakeRecord(
            GOOD,
            headers_=[("ce_maxlatencyms", b"%g" % max(ms, 1.0))],
            partition_=0,
            offset_=start + i,
            timestamp_ms=int(NOW_S * 1e3) - (0 if ms > 0.0 else 1000),
        )
        for i, ms in enumerate(left_ms)
    ]


@pytest.fixture
def light() -> Pipeline:
    return pipeline(served(DIGITS, "light", accuracy=0.85, ms_per_item=0.01))


def test_what_can_wait_for_polls_and_what_is_late_is_left(light: Pipeline) -> None:
    view = light.plans.view(0.0)
    poll_ms = 8.0
    horizon_ms = POLLS_AHEAD * poll_ms
    left_ms = np.array([-5.0, 0.0, 1.0, horizon_ms - 0.1, horizon_ms, 1e6])
    assert before_reading(view, left_ms, poll_ms).tolist() == [2, 3]
    assert not len(before_reading(view, np.array([-1.0, 1e6]), poll_ms))


def test_a_step_answers_only_what_can_not_wait(light: Pipeline) -> None:
    outbox = Outbox()
    light.admit(requests(10.0, 10_000.0, 15.0), outbox)
    report = light.step(outbox, Turn(poll_ms=8.0))
    answered = [prediction(record).id for record in outbox.records]
    assert answered == ["ounce.digits.requests-0-0", "ounce.digits.requests-0-2"]
    assert report.next_offsets == {}  # nothing is committed over the one that waits
    light.step(outbox, Turn(poll_ms=8.0))
    assert len(outbox.records) == 2
    assert light.step(outbox).next_offsets == {0: 3}
    assert len(outbox.records) == 3


def behind(serving: Serving, records: list[FakeRecord], is_more: bool) -> None:
    """One poll."""
    serving.polled(len(records), is_more, 0.001)
    asyncio.run(serving.take(records))


def test_while_more_is_there_only_urgent_requests_are_answered(light: Pipeline) -> None:
    delivery = FakeDelivery()
    serving = serving_of(light, delivery=delivery)
    n = LEAST_POLL
    behind(serving, requests(*[5_000.0] * (n - 1), 1.0), is_more=True)
    assert delivery.published == [f"ounce.digits.requests-0-{n - 1}"]
    asyncio.run(serving.work())  # reading comes first
    assert len(delivery.published) == 1
    serving.polled(0, False, 0.0)  # a poll that gave nothing calls no handler
    while serving.due_in_s() == 0.0:
        asyncio.run(serving.work())
    assert len(set(delivery.published)) == len(delivery.published) == n


def test_a_poll_is_as_large_as_the_time_of_slices_allows(light: Pipeline) -> None:
    serving = serving_of(light, delivery=FakeDelivery(), slice_ms=20.0)
    assert LEAST_POLL < serving.room() < 16_384
    serving.polled(400, False, 100.0)  # so slow that a slice is over before a small poll is
    asyncio.run(serving.take(requests(*[5_000.0] * 400)))
    assert serving.room() == LEAST_POLL


def test_a_slice_is_longer_than_what_groups_take_beside_their_calls(light: Pipeline) -> None:
    serving = serving_of(light, delivery=FakeDelivery())
    usual = serving.room()
    overhead = light.edition.plans.overhead
    for _ in range(10_000):
        overhead.observe(1, 0.85, 0.0)  # 0.8 ms of it are the group's
    assert serving.room() == usual
    for _ in range(10_000):
        overhead.observe(1, 5.3125, 0.0)  # 5 ms a group: a slice of 20 instead of 10 ms
    assert overhead.group_ms == pytest.approx(5.0)
    assert serving.room() == pytest.approx(2 * usual, abs=1)


def test_a_slice_is_no_longer_because_answers_are_dear(light: Pipeline) -> None:
    serving = serving_of(light, delivery=FakeDelivery())
    usual = serving.room()
    for n in (1, 2, 10, 30) * 1000:
        ms = 1.0 + 1.0 * n  # 1 ms a group, and 1 ms a message
        light.edition.plans.overhead.observe(n, ms, ms)
    assert serving.room() == usual


def test_a_backlog_that_is_late_is_read_in_large_polls(light: Pipeline) -> None:
    serving = serving_of(light, delivery=FakeDelivery())
    small = serving.room()
    behind(serving, requests(*[-1.0] * LEAST_POLL), is_more=True)
    assert serving.room() == 16_384 - LEAST_POLL > small
    behind(serving, requests(5_000.0, *[-1.0] * LEAST_POLL, start=LEAST_POLL), is_more=True)
    assert serving.room() < 16_384 // 2


def test_a_poll_tells_whether_there_may_be_more() -> None:
    draining = Draining(FakeClient(5), [3])
    for n, may_be_more in ((3, True), (2, False), (0, False)):
        taken, is_more, _ = draining._take(0.0, 100)
        assert (len(taken), is_more) == (n, may_be_more)


def test_partitions_are_paused_only_when_there_is_no_room_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = time.perf_counter()
    monkeypatch.setattr("ounce_edge.broker.reading.consumer.time.perf_counter", lambda: now_s)
    client, room = FakeClient(5), [0]
    draining = Draining(client, room)
    assert draining._take(0.0, 100)[0] == []
    assert client.calls == []
    now_s += 2 * consumption.PAUSE_AFTER_S
    draining._take(0.0, 100)
    assert client.calls == ["pause"]
    client.records, room[0] = [object()] * 5, 2
    assert len(draining._take(0.0, 100)[0]) == 2
    assert client.calls == ["pause", "resume"]


def test_with_nothing_to_do_for_now_a_full_consumer_is_paused_at_once() -> None:
    client = FakeClient(0)
    Draining(client, [0])._take(0.01, 100)
    assert client.calls == ["pause"]
