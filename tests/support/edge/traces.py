"""Traced messages for tests: a pipeline whose reports keep trails."""

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

from ounce_edge.pipeline.clocks import Clocks
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.pipeline.turn import Turn
from ounce_edge.telemetry.trace_choice import TraceChoice
from ounce_edge.telemetry.trace_facts import LetterFacts, Traced, TracedGroup
from ounce_edge.telemetry.tracing import Tracing

from tests.support.edge.ladders import FakeRecord, Outbox
from tests.support.edge.pipelines import NOW_S, Clock

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def traceparent(flags: str = "01", trace: str = TRACE) -> tuple[str, bytes]:
    """The header of a message that is part of a trace."""
    return "traceparent", f"00-{trace}-{PARENT}-{flags}".encode()


class Taken:
    """A sender that keeps what it is given."""

    def __init__(self) -> None:
        self.traced: list[Traced] = []
        self.counts = Counter[str]()

    def send(self, traced: Traced, n: int) -> None:
        self.traced.append(traced)
        self.counts["sent"] += n

    def count(self, outcome: str, n: int) -> None:
        self.counts[outcome] += n

    def close(self) -> None:
        pass

    @property
    def groups(self) -> list[TracedGroup]:
        return [each for each in self.traced if isinstance(each, TracedGroup)]

    @property
    def letters(self) -> list[LetterFacts]:
        return [each for each in self.traced if isinstance(each, LetterFacts)]

    @property
    def offsets(self) -> list[int]:
        """Of the messages that were answered and are traced."""
        return [message.offset for group in self.groups for message in group.messages]


def trace(
    pipeline: Pipeline,
    records: Sequence[FakeRecord],
    sender: Any,
    *,
    share: float = 0.0,
    per_s: float = 1000.0,
    clock: Any = None,
    exemplify: Any = None,
) -> None:
    """Answer records, and have what came of them traced."""
    pipeline.keeps_trails = True
    steady = clock or Clock()
    choice = TraceChoice(share, per_s, lambda: 0.0, random.Random(1))
    clocks = Clocks(lambda: NOW_S, steady)
    tracing = Tracing(choice, sender, exemplify or (lambda *_: None), clocks)
    outbox = Outbox()
    tracing.observe(pipeline.admit(records, outbox))
    while len(pipeline.waiting):
        tracing.observe(pipeline.step(outbox, Turn(slice_ms=1000.0)))
