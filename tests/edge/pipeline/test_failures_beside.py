"""What fails, is lost or is held beside: every record leads to one published record."""

import random
import threading
from typing import Any

import msgspec
import numpy as np
import pytest
from ounce_edge.pipeline.lanes import Lanes
from ounce_edge.pipeline.reports import Report
from ounce_edge.pipeline.turn import Turn
from ounce_schemas.errors import Reason
from ounce_schemas.event import EventKind
from ounce_schemas.prediction import Prediction

from tests.support.edge import pipelines
from tests.support.edge.calls_beside import (
    HEAVY,
    WAIT_S,
    Gate,
    answers,
    finish,
    heavy,
    pipeline,
)
from tests.support.edge.ladders import DIGITS, FakeRecord, Outbox, served
from tests.support.edge.pipelines import GOOD, second_label


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
        result = second_label(inputs)
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
