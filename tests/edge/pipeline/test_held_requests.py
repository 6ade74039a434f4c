"""Requests between their coming and their answer: order, room, clocks, lost partitions."""

import tracemalloc

from tests.support.edge.ladders import DIGITS, FakeRecord, Outbox, serve, served
from tests.support.edge.pipelines import (
    GOOD,
    HEAVY,
    Clock,
    pipeline,
    prediction,
    process,
)


def test_what_is_answered_leaves_little_behind_however_long_its_names_are() -> None:
    serving, n = pipeline(served(DIGITS, "a")), 100
    outbox = Outbox()
    serve(serving, [FakeRecord(GOOD, [("ce_id", b"first")])], outbox)  # what is made once
    tracemalloc.start()
    for i in range(n):
        names = [("ce_id", b"%04000d" % i), ("ce_source", b"%d" % i + b"s" * 900_000)]
        serve(serving, [FakeRecord(GOOD, names, key_=b"%d" % i + b"k" * 90_000)], outbox)
        outbox.records.clear()
        del names
    held_bytes = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held_bytes < 5000 * n


def test_headers_and_keys_count_as_held() -> None:
    serving = pipeline(served(DIGITS, "a"))
    source = b"s" * 900_000
    record = FakeRecord(GOOD, [("ce_source", source), ("n" * 10, None)], key_=b"k" * 1000)
    serving.admit([record, FakeRecord(None, offset_=8)], Outbox())
    assert serving.n_bytes == len(GOOD) + len("ce_source") + len(source) + 10 + 1000 + len(
        b"device-1"
    )


def test_a_clock_that_jumps_loses_nothing() -> None:
    times = iter([1000.02, 1000.02, 4600.0, 4600.0, 4600.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0])
    serving = pipeline(served(DIGITS, "a"), clock=lambda: next(times, 10.0))
    for _ in range(4):
        [sent], report = process(serving, FakeRecord(GOOD))
        assert prediction(sent).parameters.latency_ms >= 0.0
        assert (report.waited_ms >= 0.0).all()


def test_urgent_requests_are_answered_before_those_that_wait() -> None:
    clock = Clock()
    heavy = served(DIGITS, "heavy", clock.takes({"heavy": 2.0}, "heavy"), **HEAVY)
    serving, outbox = pipeline(heavy, steady=clock), Outbox()
    patient = [("ce_maxlatencyms", b"10000")]
    serving.admit([FakeRecord(GOOD, patient, offset_=i) for i in range(40)], outbox)
    first = serving.step(outbox)
    assert heavy.loaded.batch_sizes == [2]  # a slice of 4 ms
    assert first.next_offsets == {}  # the poll is not answered in full
    urgent = [("ce_maxlatencyms", b"60"), ("ce_id", b"urgent")]
    serving.admit([FakeRecord(GOOD, urgent, offset_=40)], outbox)
    serving.step(outbox)
    assert "urgent" in {prediction(r).id for r in outbox.records[2:]}
    while len(serving.waiting):
        last = serving.step(outbox)
    assert last.next_offsets == {3: 41}
    assert len(outbox.records) == 41


def test_late_requests_do_not_wait_for_ever_behind_timely_ones() -> None:
    clock = Clock()
    heavy = served(DIGITS, "heavy", clock.takes({"heavy": 2.0}, "heavy"), **HEAVY)
    serving, outbox = pipeline(heavy, steady=clock), Outbox()
    late, overdue = ([("ce_id", name), ("ce_maxlatencyms", b"1")] for name in (b"late", b"overdue"))
    serving.admit([FakeRecord(GOOD, late), FakeRecord(GOOD, overdue, timestamp_ms=998_000)], outbox)
    for i in range(40):
        serving.admit([FakeRecord(GOOD, offset_=10 * i + k) for k in range(10)], outbox)
        serving.step(outbox)
    assert {prediction(r).id for r in outbox.records} >= {"overdue"}
    assert "late" not in {prediction(r).id for r in outbox.records}
    while len(serving.waiting):
        serving.step(outbox)
    assert "late" in {prediction(r).id for r in outbox.records}


def test_requests_of_lost_partitions_are_dropped_and_not_committed() -> None:
    serving, outbox = pipeline(served(DIGITS, "heavy", **HEAVY)), Outbox()
    records = [FakeRecord(GOOD, partition_=i % 2, offset_=i // 2) for i in range(10)]
    serving.admit(records, outbox)
    assert serving.drop([1]) == 5
    while len(serving.waiting):
        serving.step(outbox)
    assert {prediction(r).id.split("-")[-2] for r in outbox.records} == {"0"}
