"""The pipeline with lanes: fake models whose heavy calls last until a test lets them end."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import numpy as np
import pytest
from ounce_edge.pipeline.lanes import Lanes
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.pipeline.reports import Report
from ounce_edge.pipeline.turn import Turn
from ounce_schemas.errors import Reason
from ounce_schemas.event import EventKind
from ounce_schemas.prediction import Prediction
from ounce_schemas.routing import Choice

from tests.support.edge import pipelines
from tests.support.edge.ladders import DIGITS, FakeRecord, Outbox, raw, served
from tests.support.edge.pipelines import Clock

NOW_S = 1000.02
GOOD = raw(1, 2, 3, 4)
LIGHT = {"accuracy": 0.85, "ms_per_item": 0.01}
HEAVY = {"accuracy": 0.99, "ms_per_item": 4.0}
WAIT_S = 10.0


def second(inputs: Any) -> Any:
    return np.tile(np.array([0.1, 0.7, 0.2], np.float32), (len(inputs["input"]), 1))


def takes(card: dict[str, float]) -> Callable[[Any], Any]:
    """A model that takes as long as its card says."""

    def answer(inputs: Any) -> Any:
        time.sleep(card["ms_per_item"] / 1e3 * len(inputs["input"]))
        return second(inputs)

    return answer


class Gate:
    """What heavy calls wait at; `began` says that one does."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self._go = threading.Event()
        self.callers: list[str] = []

    def __call__(self, inputs: Any) -> Any:
        self.callers.append(threading.current_thread().name)
        self.began.set()
        assert self._go.wait(WAIT_S)
        return second(inputs)

    def open(self) -> None:
        self._go.set()


@pytest.fixture
def lanes() -> Iterator[Lanes]:
    own = Lanes(1)
    yield own
    own.close()


@pytest.fixture
def gate() -> Iterator[Gate]:
    own = Gate()
    yield own
    own.open()


def pipeline(
    lanes: Lanes,
    heavy: Callable[[Any], Any] | None = None,
    heavy_card: dict[str, float] = HEAVY,
    **options: Any,
) -> Pipeline:
    models = served(DIGITS, "light", **LIGHT), served(DIGITS, "heavy", heavy, **heavy_card)
    return pipelines.pipeline(*models, lanes=lanes, **options)


def light(offset: int, max_latency_ms: float = 1000.0, **fields: Any) -> FakeRecord:
    return asks(offset, 0.5, max_latency_ms, **fields)


def heavy(offset: int, max_latency_ms: float = 1000.0, **fields: Any) -> FakeRecord:
    return asks(offset, 0.95, max_latency_ms, **fields)


def asks(offset: int, floor: float, max_latency_ms: float, **fields: Any) -> FakeRecord:
    headers = [
        ("ce_id", str(offset).encode()),
        ("ce_minaccuracy", str(floor).encode()),
        ("ce_maxlatencyms", str(max_latency_ms).encode()),
    ]
    return FakeRecord(GOOD, headers, offset_=offset, **fields)


def answers(outbox: Outbox) -> dict[int, Prediction]:
    """By offset; none is answered twice."""
    found = [
        msgspec.json.decode(value or b"", type=Prediction)
        for topic, value, _, _ in outbox.records
        if topic.endswith("predictions")
    ]
    by_offset = {int(answer.id): answer for answer in found}
    assert len(by_offset) == len(found)
    return by_offset


def finish(serving: Pipeline, lanes: Lanes, outbox: Outbox) -> Report:
    """Step as the worker does until nothing is open; the last report."""
    report = Report("digits")
    while serving.n_open:
        lanes.wait(min(serving.due_in_s(), WAIT_S))
        report = serving.step(outbox)
    return report


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
        return second(inputs)

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
        return gate(inputs) if threading.current_thread().name != here else second(inputs)

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


def test_what_a_model_fails_on_beside_another_one_answers(lanes: Lanes) -> None:
    def fails(inputs: Any) -> Any:
        raise RuntimeError("out of memory")

    serving, outbox = pipeline(lanes, fails), Outbox()
    serving.admit([heavy(offset) for offset in range(3)], outbox)
    told, report = [], Report("digits")
    while serving.n_open:
        lanes.wait(min(serving.due_in_s(), WAIT_S))
        report = serving.step(outbox)
        told += [incident.kind for incident in report.incidents]
    assert report.next_offsets == {3: 3}
    assert told[0] is EventKind.MODEL_SUSPENDED
    assert {a.model_name for a in answers(outbox).values()} == {"light"}


def test_what_no_model_answers_beside_is_a_dead_letter(lanes: Lanes) -> None:
    def fails(inputs: Any) -> Any:
        raise RuntimeError("no")

    serving = pipelines.pipeline(served(DIGITS, "heavy", fails, **HEAVY), lanes=lanes)
    outbox, rejected = Outbox(), list[Reason]()
    serving.admit([heavy(0)], outbox)
    while serving.n_open:
        lanes.wait(min(serving.due_in_s(), WAIT_S))
        report = serving.step(outbox)
        rejected += report.rejected
    assert rejected == [Reason.MODEL_FAILED]
    assert report.next_offsets == {3: 1}


def test_a_bug_beside_surfaces_in_the_next_step(
    lanes: Lanes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def has_a_bug(*_: Any) -> Any:
        raise ZeroDivisionError("a bug")

    serving, outbox = pipeline(lanes), Outbox()
    monkeypatch.setattr("ounce_edge.pipeline.job.run_plan", has_a_bug)
    serving.admit([heavy(0)], outbox)
    serving.step(outbox)
    lanes.wait(WAIT_S)
    assert serving.due_in_s() == 0.0
    with pytest.raises(ZeroDivisionError, match="a bug"):
        serving.step(outbox)
    assert outbox.records == []


def test_of_a_lost_partition_nothing_that_is_on_a_lane_is_published_or_committed(
    lanes: Lanes, gate: Gate
) -> None:
    serving, outbox = pipeline(lanes, gate), Outbox()
    records = [heavy(offset, partition_=offset % 2) for offset in range(2)]
    serving.admit(records, outbox)
    serving.step(outbox, Turn(slice_ms=100.0))
    assert (serving.n_open, len(serving.waiting)) == (2, 0)
    assert serving.drop([1]) == 1
    assert serving.drop([1]) == 0
    gate.open()
    report = finish(serving, lanes, outbox)
    assert sorted(answers(outbox)) == [0]
    assert report.next_offsets == {0: 1}


def test_bodies_on_a_lane_count_as_held(lanes: Lanes, gate: Gate) -> None:
    serving, outbox = pipeline(lanes, gate), Outbox()
    serving.admit([heavy(0), heavy(1)], outbox)
    n_bytes = serving.n_bytes
    assert n_bytes > 2 * len(GOOD)
    serving.step(outbox)
    assert (len(serving.waiting), serving.n_bytes, n_bytes) == (1, n_bytes, n_bytes)
    serving.step(outbox, Turn(slice_ms=100.0))
    gate.open()
    finish(serving, lanes, outbox)
    assert serving.n_bytes == 0


@pytest.mark.parametrize("seed", range(20))
def test_every_record_leads_to_one_published_record_whatever_happens_beside(seed: int) -> None:
    rng, n_partitions = random.Random(seed), 3
    lanes = Lanes(rng.choice([0, 1, 1, 2, 4]))
    of_calls = random.Random(seed + 1)

    def takes_a_while_or_fails(inputs: Any) -> Any:
        threading.Event().wait(of_calls.random() * 0.004)
        result = second(inputs)
        if of_calls.random() < 0.1:
            raise RuntimeError("out of memory")
        if of_calls.random() < 0.1:
            result[of_calls.randrange(len(result))] = np.nan
        return result

    serving = pipeline(lanes, takes_a_while_or_fails)
    outbox, offset = Outbox(), [0] * n_partitions
    owned, dropped = set(range(n_partitions)), set[str]()
    committed: dict[int, int] = {}
    sent, came = set[str](), dict[str, int]()

    def look(report: Report) -> None:
        committed.update(report.next_offsets)
        for _, value, _, headers in outbox.records:
            ids = [h[1].decode() for h in headers or () if h[0] == "ce_id"]
            [id_] = ids or [msgspec.json.decode(value or b"", type=Prediction).id]
            came[id_] = came.get(id_, 0) + 1
            assert int(id_.split("-")[0]) in owned
        outbox.records.clear()

    for _ in range(60):
        records = []
        for _ in range(rng.randrange(12) if owned else 0):
            partition = rng.choice(sorted(owned))
            id_ = f"{partition}-{offset[partition]}"
            floor, max_latency_ms = rng.choice([0.5, 0.95]), rng.choice([1.0, 25.0, 100.0, 1e4])
            headers = [
                ("ce_id", id_.encode()),
                ("ce_minaccuracy", str(floor).encode()),
                ("ce_maxlatencyms", str(max_latency_ms).encode()),
            ]
            value = GOOD if rng.random() < 0.95 else b"?"
            records.append(
                FakeRecord(value, headers, offset_=offset[partition], partition_=partition)
            )
            offset[partition] += 1
            sent.add(id_)
        records.sort(key=lambda record: record.partition_)
        if records:
            look(serving.admit(records, outbox))
        if rng.random() < 0.7:
            look(serving.step(outbox, Turn(keep_free=rng.random() < 0.8)))
        if rng.random() < 0.04 and len(owned) > 1:
            lost = rng.choice(sorted(owned))
            before = committed.get(lost, 0)
            serving.drop([lost])
            owned.remove(lost)
            dropped |= {i for i in sent if i.startswith(f"{lost}-")}
            committed[lost] = before
    while serving.n_open:
        lanes.wait(min(serving.due_in_s(), WAIT_S))
        look(serving.step(outbox))
    lanes.close()
    assert set(came.values()) == {1}
    assert sent - dropped <= came.keys() <= sent
    for partition in owned:
        assert committed.get(partition, 0) == offset[partition]
