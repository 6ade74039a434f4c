"""A receiver of traces that is away, slow or refuses."""

import logging
import re
import threading
from collections import Counter
from typing import Any

import pytest
from ounce_edge.telemetry.otlp import make_sender
from ounce_edge.telemetry.trace_protocol import TraceProtocol
from ounce_edge.telemetry.trace_sender import MOST_WAITING, TraceSender

from tests.support.edge.ladders import DIGITS, FakeRecord, served
from tests.support.edge.pipelines import GOOD, LIGHT, Clock, pipeline
from tests.support.edge.receivers import RECEIVERS
from tests.support.edge.traces import trace

_LONG_S = 60.0


class Maker:
    """One span of each thing."""

    def spans(self, traced: Any) -> Any:
        return [traced]


def sender_of(export: Any, counts: Counter[str], clock: Any = None) -> TraceSender:
    def count(outcome: str, n: int) -> None:
        counts[outcome] += n

    made = TraceSender(Maker(), export, count, lambda: "why", clock or Clock())  # type: ignore[arg-type]
    made.start()
    return made


def test_a_receiver_that_hangs_holds_up_nobody_and_takes_bounded_memory() -> None:
    hangs, counts = threading.Event(), Counter[str]()
    sender = sender_of(lambda spans: hangs.wait(_LONG_S), counts)
    for n in range(5 * MOST_WAITING):
        sender.send(n, 1)  # type: ignore[arg-type]
    assert len(sender._waiting) <= MOST_WAITING
    assert counts["dropped"] >= 3 * MOST_WAITING
    hangs.set()
    sender.close(_LONG_S)
    assert counts["sent"] + counts["dropped"] == 5 * MOST_WAITING


def test_what_is_lost_is_told_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    counts, clock = Counter[str](), Clock()
    sender = TraceSender(Maker(), lambda spans: False, lambda o, n: None, lambda: "away", clock)
    with caplog.at_level(logging.WARNING):
        for _ in range(50):
            sender._send([(0, 2)])  # type: ignore[list-item]
            clock.now_s += 2.5
    assert [record.getMessage() for record in caplog.records] == [
        "traces of 2 messages are lost: away",
        "traces of 48 messages are lost: away",
        "traces of 48 messages are lost: away",
    ]
    assert counts == {}


def test_an_exporter_that_raises_loses_only_these_traces() -> None:
    counts = Counter[str]()
    failures = iter([True, False])

    def export(spans: Any) -> bool:
        if next(failures):
            raise ValueError("no")
        return True

    sender = sender_of(export, counts)
    sender._send([(0, 1)])  # type: ignore[list-item]
    sender._send([(0, 2)])  # type: ignore[list-item]
    sender.close(_LONG_S)
    assert counts == {"dropped": 1, "sent": 2}


def test_what_waits_is_sent_at_the_end() -> None:
    counts, seen = Counter[str](), list[Any]()
    sender = sender_of(lambda spans: not seen.extend(spans), counts)
    for n in range(250):
        sender.send(n, 1)  # type: ignore[arg-type]
    sender.close(_LONG_S)
    assert seen == [*range(250)]
    assert counts == {"sent": 250}


class Log(logging.Handler):
    """What a worker's log would hold: what reaches the root."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.mark.parametrize("kind", ["away", "refuses"])
@pytest.mark.parametrize("protocol", TraceProtocol)
def test_no_receiver_costs_traces_and_one_line(protocol: TraceProtocol, kind: str) -> None:
    counts, log = Counter[str](), Log()

    def count(outcome: str, n: int) -> None:
        counts[outcome] += n

    logging.getLogger().addHandler(log)
    try:
        with RECEIVERS[protocol](is_refusing=True) as receiver:
            url = "http://127.0.0.1:1" if kind == "away" else receiver.url
            sender = make_sender(url, "w", "g", count, protocol)
            records = [FakeRecord(GOOD, offset_=i) for i in range(3)]
            trace(pipeline(served(DIGITS, "light", **LIGHT)), records, sender, share=1.0)
            sender.close(_LONG_S)
    finally:
        logging.getLogger().removeHandler(log)
    assert counts == {"dropped": 3}
    (line,) = log.lines
    assert re.fullmatch(rf"traces of \d messages are lost: {url}: Failed to export.*", line)
