"""Pipelines of fake models, and what they answer."""

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
from ounce_edge.models.first_beliefs import card_belief
from ounce_edge.pipeline.clocks import Clocks
from ounce_edge.pipeline.edition import Edition
from ounce_edge.pipeline.lanes import Lanes
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.pipeline.reports import Report
from ounce_schemas.policy import Policy
from ounce_schemas.prediction import Prediction

from tests.support.edge.ladders import DIGITS, FakeRecord, Outbox, ladder, raw, serve

NOW_S = 1000.02
GOOD = raw(1, 2, 3, 4)
LIGHT = {"accuracy": 0.85, "ms_per_item": 0.01}
HEAVY = {"accuracy": 0.99, "ms_per_item": 2.0}
_TICK_S = 1e-5
"""About what a fake model takes on a quiet machine."""


def second_label(inputs: Any) -> Any:
    """A model's answer: the second label, for every input."""
    return np.tile(np.array([0.1, 0.7, 0.2], np.float32), (len(inputs["input"]), 1))


def raises(inputs: Any) -> Any:
    """A model that fails."""
    raise RuntimeError("out of memory")


def not_finite(inputs: Any) -> Any:
    """A model whose answers are no numbers."""
    return np.full((len(inputs["input"]), 3), np.nan, np.float32)


def edition(
    *models: Any, task: Any = DIGITS, plans: Any = (), watts: Any = None, **policy: Any
) -> Edition:
    """These models, believed to be what their cards say, under a policy."""
    return Edition(
        replace(ladder(task, *models), plans=plans),
        Policy(**{"version": "p1", **policy}).for_task(task.name),
        first_belief=lambda model: card_belief(model.card),
        watts=watts or (lambda model: None),
    )


def pipeline(
    *models: Any,
    task: Any = DIGITS,
    plans: Any = (),
    clock: Any = None,
    steady: Any = None,
    lanes: Lanes | None = None,
    **policy: Any,
) -> Pipeline:
    """A pipeline of these models, on clocks that stand unless others are given."""
    return Pipeline(
        edition(*models, task=task, plans=plans, **policy),
        clocks=standing_clocks(clock, steady),
        lanes=lanes,
    )


def standing_clocks(wall: Any = None, steady: Any = None) -> Clocks:
    """A wall clock that stands and a steady one that neither a busy machine moves nor one that has
    long been up: a call takes a tick, or what a `Clock` says."""
    return Clocks(wall or (lambda: NOW_S), steady or Clock(tick_s=_TICK_S), lambda: 0.0)


def process(served_by: Pipeline, *records: FakeRecord) -> tuple[list[Any], Report]:
    """Admit records and answer all that waits: what was published, and one report of it all."""
    outbox = Outbox()
    report = serve(served_by, records, outbox)
    return outbox.records, report


def prediction(record: tuple[Any, ...]) -> Prediction:
    """The prediction that a published record holds."""
    topic, value, _, _ = record
    assert topic == "ounce.digits.predictions"
    return msgspec.json.decode(value, type=Prediction)


class Clock:
    """A steady clock that only models, tests and looks at it (by a tick) move."""

    def __init__(self, tick_s: float = 0.0) -> None:
        self.now_s = 50.0
        self._tick_s = tick_s

    def __call__(self) -> float:
        self.now_s += self._tick_s
        return self.now_s

    def takes(self, ms: dict[str, float], name: str) -> Any:
        """A model whose items take what `ms` says at the time."""

        def answer(inputs: Any) -> Any:
            self.now_s += len(inputs["input"]) * ms[name] / 1e3
            return second_label(inputs)

        return answer
