"""The pipeline with lanes: fake models whose heavy calls last until a test lets them end."""

import threading
from typing import Any

import pytest
from ounce_edge.pipeline.lanes import Lanes
from ounce_edge.pipeline.turn import Turn
from ounce_schemas.routing import Choice

from tests.support.edge.calls_beside import (
    HEAVY,
    WAIT_S,
    Gate,
    answers,
    finish,
    heavy,
    light,
    pipeline,
    takes,
)
from tests.support.edge.ladders import Outbox
from tests.support.edge.pipelines import Clock, second_label


def test_light_messages_are_answered_while_a_heavy_call_runs(lanes: Lanes, gate: Gate) -> None:
    serving, outbox = pipeline(lanes, gate), Outbox()
    serving.admit([heavy(0)], outbox)
    first = serving.step(outbox)
    assert gate.began.wait(WAIT_S)
    assert len(first.waited_ms) == 1
    for offset in range(1, 50):
        serving.admit([light(offset, 5.0 + 20.0)], outbox)
        report = serving.step(outbox)
        assert sorted(answers(outbox)) == list(range(1, offset + 1))
        assert report.next_offsets == {}  # a commit would cover the heavy one
    assert serving.n_open == 1
    gate.open()
    report = finish(serving, lanes, outbox)
    assert report.next_offsets == {3: 50}
    assert answers(outbox)[0].model_name == "heavy"
    assert all(caller.startswith("lane") for caller in gate.callers)


def test_heavy_messages_are_answered_under_a_constant_stream_of_light_ones(lanes: Lanes) -> None:
    serving, outbox, offset = pipeline(lanes, takes(HEAVY)), Outbox(), 10
    serving.admit([heavy(i) for i in range(offset)], outbox)
    while not set(range(10)) <= answers(outbox).keys():
        assert offset < 100_000
        serving.admit([light(offset + i) for i in range(3)], outbox)
        serving.step(outbox)
        offset += 3
        lanes.wait(0.001)  # until the next ones come
    finish(serving, lanes, outbox)
    assert len(answers(outbox)) == offset


def test_a_heavy_message_waits_for_a_busy_lane_as_long_as_its_deadline_allows(
    gate: Gate,
) -> None:
    clock = Clock()
    lanes = Lanes(1, steady=clock)
    serving, outbox = pipeline(lanes, gate, steady=clock), Outbox()
    serving.admit([heavy(0)], outbox)
    serving.step(outbox)
    serving.admit([heavy(1)], outbox)
    report = serving.step(outbox)
    assert (serving.n_open, len(serving.waiting), report.calls) == (2, 1, [])
    assert serving.due_in_s() == pytest.approx(0.004)  # when the lane is free, as predicted
    clock.now_s = 50.003
    assert serving.due_in_s() == pytest.approx(0.001)
    gate.open()
    report = finish(serving, lanes, outbox)
    assert sorted(answers(outbox)) == [0, 1]
    assert all(caller.startswith("lane") for caller in gate.callers)
    lanes.close()


def test_a_heavy_message_that_cant_wait_for_a_busy_lane_is_answered_at_once(
    lanes: Lanes,
) -> None:
    release, callers = threading.Event(), list[str]()

    def answer(inputs: Any) -> Any:
        callers.append(threading.current_thread().name)
        if callers[-1].startswith("lane"):
            assert release.wait(WAIT_S)
        return second_label(inputs)

    serving, outbox = pipeline(lanes, answer), Outbox()
    serving.admit([heavy(0)], outbox)
    serving.step(outbox)
    serving.admit([heavy(1, 20.0 + 4.9)], outbox)  # 20 ms of it are over
    while 1 not in answers(outbox):
        serving.step(outbox)
    assert not callers[-1].startswith("lane")
    release.set()
    finish(serving, lanes, outbox)
    assert {a.model_name for a in answers(outbox).values()} == {"heavy"}


def test_where_nothing_newer_is_to_come_both_threads_answer_heavy_ones(
    lanes: Lanes, gate: Gate
) -> None:
    here = threading.current_thread().name

    def answer(inputs: Any) -> Any:
        return gate(inputs) if threading.current_thread().name != here else second_label(inputs)

    serving, outbox = pipeline(lanes, answer), Outbox()
    serving.admit([heavy(offset) for offset in range(10)], outbox)
    while len(serving.waiting):
        serving.step(outbox, Turn(keep_free=False))
    assert len(answers(outbox)) == 9
    gate.open()
    finish(serving, lanes, outbox)
    assert len(answers(outbox)) == 10


def test_a_heavy_message_that_is_late_for_long_gets_a_lane_although_timely_ones_keep_coming() -> (
    None
):
    # long enough for a lane, and short enough for the time that late messages may take: so nothing
    # but this clock may say how long it takes
    clock = Clock()
    lanes, model = Lanes(1, steady=clock), clock.takes({"heavy": 2.2}, "heavy")
    card = {"accuracy": 0.99, "ms_per_item": 2.2}
    serving, outbox = pipeline(lanes, model, card, steady=clock), Outbox()
    serving.admit([heavy(0, 1.0, timestamp_ms=998_000)], outbox)
    offset = 1
    while 0 not in answers(outbox):
        assert offset < 100
        serving.admit([heavy(offset)], outbox)
        offset += 1
        serving.step(outbox)
        while not lanes.n_free:
            lanes.wait(WAIT_S)
    answer = answers(outbox)[0]
    assert (answer.model_name, answer.parameters.reason) == ("heavy", Choice.FALLBACK_LATE)
    finish(serving, lanes, outbox)
    assert sorted(answers(outbox)) == list(range(offset))
    lanes.close()
