"""Pipelines with lanes, whose heavy calls last until a test lets them end."""

import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
from ounce_edge.pipeline.lanes import Lanes
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.pipeline.reports import Report
from ounce_schemas.prediction import Prediction

from tests.support.edge import pipelines
from tests.support.edge.ladders import DIGITS, FakeRecord, Outbox, served
from tests.support.edge.pipelines import GOOD, LIGHT, second_label

HEAVY = {"accuracy": 0.99, "ms_per_item": 4.0}
WAIT_S = 60.0


def takes(card: dict[str, float]) -> Callable[[Any], Any]:
    """A model that takes as long as its card says."""

    def answer(inputs: Any) -> Any:
        time.sleep(card["ms_per_item"] / 1e3 * len(inputs["input"]))
        return second_label(inputs)

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
        return second_label(inputs)

    def open(self) -> None:
        self._go.set()


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
