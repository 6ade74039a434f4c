"""What is traced of what a pipeline answers."""

import logging
from io import StringIO
from typing import Any

import pytest
from ounce_edge.pipeline.reports import Report
from ounce_edge.telemetry.metrics import Metrics
from ounce_edge.telemetry.tracing import Tracing, make_choice
from prometheus_client import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_fd_to_metric_families

from tests.edge.pipeline.test_cascades import two_steps
from tests.support.edge.ladders import DIGITS, FakeRecord, Outbox, served
from tests.support.edge.pipelines import (
    GOOD,
    HEAVY,
    LIGHT,
    Clock,
    pipeline,
    raises,
    standing_clocks,
)
from tests.support.edge.traces import TRACE, Taken, trace, traceparent

DEADLINE = ("ce_maxlatencyms", b"1")
FLOOR = ("ce_minaccuracy", b"1")


def record(offset: int, *headers: tuple[str, bytes]) -> FakeRecord:
    return FakeRecord(GOOD, headers or None, offset_=offset)


def light(clock: Any = None) -> Any:
    return pipeline(served(DIGITS, "light", **{**LIGHT, "accuracy": 0.95}), steady=clock)


def test_nothing_is_kept_where_nobody_traces() -> None:
    answering, outbox = light(), Outbox()
    assert answering.admit([record(1), FakeRecord(b"bad")], outbox).letters == []
    assert all(group.trail is None for group in answering.step(outbox).groups)


def test_a_sender_decides_for_its_messages_and_the_share_for_others() -> None:
    sampled, unsampled = traceparent("01"), traceparent("00")
    records = [record(1), record(2, sampled), record(3, unsampled), record(4, sampled)]
    sender = Taken()
    trace(light(), records, sender)
    assert sender.offsets == [2, 4]
    sender = Taken()
    trace(light(), records, sender, share=1.0)
    assert sender.offsets == [1, 2, 4]
    (group,) = sender.groups
    contexts = [message.context for message in group.messages]
    assert contexts[0] is None
    assert contexts[1] is not None
    assert contexts[1].trace_id == int(TRACE, 16)


def test_what_missed_a_target_is_traced_whatever_was_drawn() -> None:
    records = [record(1), record(2, DEADLINE), record(3, FLOOR, traceparent("00")), record(4)]
    sender = Taken()
    trace(light(), records, sender)
    assert sorted(sender.offsets) == [2, 3]
    missed = {m.offset: m for group in sender.groups for m in group.messages}
    assert (missed[2].deadline_met, missed[2].floor_met) == (False, True)
    assert (missed[3].deadline_met, missed[3].floor_met) == (True, False)
    assert missed[3].context is not None


def test_dead_letters_are_traced_with_their_reason() -> None:
    sender = Taken()
    bad = FakeRecord(b"[", [traceparent("00")], offset_=9)
    trace(light(), [record(1), bad], sender)
    (letter,) = sender.letters
    assert (letter.offset, letter.reason) == (9, "malformed-json")
    assert letter.context is not None
    failing = pipeline(served(DIGITS, "light", raises, **LIGHT))
    sender = Taken()
    trace(failing, [record(5)], sender)
    (letter,) = sender.letters
    assert (letter.offset, letter.reason) == (5, "model-failed")


def test_an_answer_that_the_broker_refused_is_traced() -> None:
    clock = Clock()
    answering, outbox, sender = light(clock), Outbox(), Taken()
    answering.keeps_trails = True
    answering.admit([record(1), record(2)], outbox)
    report = answering.step(outbox)
    report.groups[0].refused.append(1)  # type: ignore[attr-defined]
    Tracing(make_choice(0.0, 10), sender, clocks=standing_clocks(steady=clock)).observe(report)
    (group,) = sender.groups
    assert [(m.offset, m.is_refused) for m in group.messages] == [(2, True)]


def test_times_follow_one_another() -> None:
    clock = Clock(tick_s=0.001)
    heavy = served(DIGITS, "heavy", clock.takes({"heavy": 5.0}, "heavy"), **HEAVY)
    sender = Taken()
    trace(pipeline(heavy, steady=clock), [record(1)], sender, share=1.0, clock=clock)
    (traced,) = sender.groups
    group, (message,) = traced.group, traced.messages
    (call,) = group.calls
    moments = [
        *message.decoded,
        *group.chosen,
        *call.took,
        group.encoded_at_s,
        group.confirmed_at_s,
    ]
    assert moments == sorted(moments)
    assert len(set(moments)) == len(moments)
    assert call.took[1] - call.took[0] >= 0.005


def test_messages_of_several_polls_know_when_each_was_decoded() -> None:
    clock, sender = Clock(tick_s=0.001), Taken()
    answering = light(clock)
    answering.keeps_trails = True
    outbox = Outbox()
    for offsets in ([1, 2], [3], [4, 5]):
        answering.admit([record(offset) for offset in offsets], outbox)
    tracing = Tracing(make_choice(1.0, 10), sender, clocks=standing_clocks(steady=clock))
    while len(answering.waiting):
        tracing.observe(answering.step(outbox))
    found = {m.offset: m.decoded for group in sender.groups for m in group.messages}
    assert sorted(found) == [1, 2, 3, 4, 5]
    assert found[1] == found[2] < found[3] < found[4] == found[5]


def test_a_flood_of_misses_is_limited_and_counted() -> None:
    sender = Taken()
    trace(light(), [record(i, DEADLINE) for i in range(20)], sender, per_s=3)
    assert sender.counts == {"sent": 3, "limited": 17}


def test_ids_and_keys_from_outside_are_short_and_text() -> None:
    sender = Taken()
    hostile = FakeRecord(
        GOOD, [("ce_id", b'q"\n' * 500), traceparent()], key_=b"\xff\x00" * 500, offset_=1
    )
    trace(light(), [hostile], sender)
    (message,) = sender.groups[0].messages
    assert message.id.startswith('q"\nq"\n')
    assert len(message.id) == len(message.key) == 200


def test_a_fault_of_tracing_ends_tracing_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(Taken):
        def send(self, traced: Any, n: int) -> None:
            raise RuntimeError("no")

    sender = Broken()
    with caplog.at_level(logging.ERROR):
        trace(light(), [record(1), record(2)], sender, share=1.0)
        trace(light(), [record(3)], sender, share=1.0)
    assert caplog.text.count("no more traces are made") == 2  # once for each Tracing
    Tracing(make_choice(1.0, 1), sender).observe(Report("digits"))


def test_steps_of_a_cascade_are_those_that_led_to_the_answer() -> None:
    sender = Taken()
    answering, _, _ = two_steps(min_accuracy=0.94)
    trace(answering, [record(i) for i in range(8)], sender, share=1.0)
    steps = {g.group.model: [(c.model, c.n) for c in g.group.calls] for g in sender.groups}
    assert steps == {"light": [("light", 8)], "heavy": [("light", 8), ("heavy", 2)]}
    assert {group.group.plan for group in sender.groups} == {"light>heavy@0.8"}


def test_a_bucket_names_the_trace_of_its_latest_value_in_openmetrics_alone() -> None:
    metrics = Metrics()
    told: list[tuple[str, float, str]] = []
    trace(light(), [record(1, traceparent())], Taken(), exemplify=lambda *each: told.append(each))
    assert told == [("digits", pytest.approx(20.0), TRACE)]
    metrics._to.end_to_end.observe_one(("digits",), 0.016)
    metrics.exemplify("digits", 16.0, TRACE)
    openmetrics = generate_openmetrics(metrics.registry).decode()
    (line,) = [each for each in openmetrics.splitlines() if " # {" in each]
    assert line.startswith(
        'ounce_end_to_end_latency_seconds_bucket{le="0.02",task="digits"} 1.0 # '
    )
    assert f'# {{trace_id="{TRACE}"}} 0.016 ' in line
    families = {family.name for family in text_fd_to_metric_families(StringIO(openmetrics))}
    assert "ounce_end_to_end_latency_seconds" in families
    assert TRACE not in generate_latest(metrics.registry).decode()
