"""Spans as a receiver of OTLP gets them."""

import random
from typing import Any

import pytest
from ounce_edge.telemetry.otlp import endpoint_of, grpc_endpoint_of, make_sender
from ounce_edge.telemetry.spans import SpanMaker
from ounce_edge.telemetry.trace_protocol import TraceProtocol

from tests.support.edge.ladders import DIGITS, FakeRecord, served
from tests.support.edge.pipelines import GOOD, HEAVY, NOW_S, Clock, pipeline
from tests.support.edge.receivers import RECEIVERS
from tests.support.edge.traces import PARENT, TRACE, Taken, trace, traceparent

REQUESTS, ANSWERS = "ounce.digits.requests", "ounce.digits.predictions"
STEPS = ["decode", "wait", "choose", "run heavy", f"send {ANSWERS}"]


def records() -> list[FakeRecord]:
    state = ("tracestate", b"vendor=1")
    return [
        FakeRecord(GOOD, [traceparent(), state, ("ce_id", b"r-1"), ("ce_source", b"/d")], b"k", 4),
        FakeRecord(GOOD, None, None, 5),
        FakeRecord(b"[", [traceparent()], b"k", 6),
    ]


def attributes(span: Any) -> dict[str, Any]:
    found = {}
    for each in span.attributes:
        kind = each.value.WhichOneof("value")
        found[each.key] = getattr(each.value, kind)
    return found


@pytest.mark.parametrize("protocol", TraceProtocol)
def test_a_receiver_gets_every_step_in_the_devices_own_trace(protocol: TraceProtocol) -> None:
    clock = Clock(tick_s=0.001)
    heavy = served(DIGITS, "heavy", clock.takes({"heavy": 5.0}, "heavy"), **HEAVY)
    counted: list[tuple[str, int]] = []
    with RECEIVERS[protocol]() as receiver:
        sender = make_sender(receiver.url, "w-1", "g", lambda *each: counted.append(each), protocol)
        trace(pipeline(heavy, steady=clock), records(), sender, share=1.0, clock=clock)
        sender.close(60)
        receiver.wait_for(14)
    assert set(receiver.paths) == {
        "/v1/traces" if protocol is TraceProtocol.HTTP else "TraceService/Export"
    }
    assert {outcome for outcome, _ in counted} == {"sent"}
    assert sum(n for _, n in counted) == 3
    (resource,) = {str(r.resource) for q in receiver.requests for r in q.resource_spans}
    assert '"ounce-worker"' in resource
    assert '"w-1"' in resource
    own = [s for s in receiver.spans if s.trace_id.hex() == TRACE]
    process, letter = (s for s in own if s.name == f"process {REQUESTS}")
    if attributes(process).get("error.type"):
        process, letter = letter, process
    assert process.parent_span_id.hex() == PARENT
    assert process.trace_state == "vendor=1"
    steps = [s for s in own if s.parent_span_id == process.span_id]
    assert [s.name for s in steps] == STEPS
    moments = [t for s in steps for t in (s.start_time_unix_nano, s.end_time_unix_nano)]
    assert moments == sorted(moments)
    assert process.start_time_unix_nano == moments[0]
    assert process.end_time_unix_nano == moments[-1]
    assert abs(moments[-1] / 1e9 - NOW_S) < 1.0  # the wall clock of the pipeline
    told = attributes(process)
    assert told["messaging.system"] == "kafka"
    assert told["messaging.operation.type"] == "process"
    assert told["messaging.destination.name"] == REQUESTS
    assert told["messaging.destination.partition.id"] == "3"
    assert told["messaging.kafka.offset"] == 4
    assert told["messaging.consumer.group.name"] == "g"
    assert told["messaging.message.id"] == "r-1"
    assert (told["ounce.plan"], told["ounce.reason"]) == ("heavy", "lightest-feasible")
    assert told["ounce.deadline_met"] is True
    refused = attributes(letter)
    assert refused["error.type"] == "malformed-json"
    assert letter.status.code == letter.status.STATUS_CODE_ERROR


def test_a_batch_and_its_messages_are_linked() -> None:
    taken = Taken()
    trace(pipeline(served(DIGITS, "heavy", **HEAVY)), records()[:2], taken, share=1.0)
    spans = [*SpanMaker("1", "w", "g", random.Random(0)).spans(taken.groups[0])]
    batch = next(s for s in spans if s.name == f"batch {REQUESTS}")
    processes = [s.context.span_id for s in spans if s.name == f"process {REQUESTS}"]
    assert [link.context.span_id for link in batch.links] == processes
    assert len(processes) == 2
    assert batch.attributes is not None
    assert batch.attributes["messaging.batch.message_count"] == 2
    runs = [s for s in spans if s.name in ("choose", "run heavy")]
    assert {link.context.span_id for s in runs for link in s.links} == {batch.context.span_id}
    keys = [s.attributes.get("messaging.kafka.message.key") for s in spans if s.attributes]
    assert [key for key in keys if key is not None] == ["k"]  # of two messages
    assert len({s.context.span_id for s in spans}) == len(spans)
    assert len({s.context.trace_id for s in spans}) == 3  # the device's, a new one, the batch's


def test_an_address_without_a_path_gets_the_usual_one() -> None:
    assert endpoint_of("http://c:4318") == "http://c:4318/v1/traces"
    assert endpoint_of("http://c:4318/") == "http://c:4318/v1/traces"
    assert endpoint_of("https://c/otlp/v1/traces") == "https://c/otlp/v1/traces"


def test_a_receiver_over_grpc_has_a_port() -> None:
    assert grpc_endpoint_of("http://h") == "http://h:4317"
    assert grpc_endpoint_of("https://h:7/") == "https://h:7"
    assert grpc_endpoint_of("http://[::1]") == "http://[::1]:4317"
