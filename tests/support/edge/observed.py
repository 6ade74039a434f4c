"""Answering records with observers that count."""

import itertools
from typing import Any

from ounce_edge.pipeline.clocks import Clocks
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.pipeline.turn import Turn

from tests.support.edge.ladders import DIGITS, FakeRecord, Outbox, served
from tests.support.edge.pipelines import LIGHT, edition


def pipeline_of(clocks: Clocks) -> Pipeline:
    """A pipeline of one light model."""
    return Pipeline(edition(served(DIGITS, "light", **LIGHT)), clocks=clocks)


def answer(pipeline: Pipeline, records: list[FakeRecord], *observers: Any) -> None:
    """Answer records, and show observers what became of them."""
    outbox = Outbox()
    reports = [pipeline.admit(records, outbox)]
    while len(pipeline.waiting):
        reports.append(pipeline.step(outbox, Turn(slice_ms=1000.0)))
    for report, observer in itertools.product(reports, observers):
        observer.observe(report)
