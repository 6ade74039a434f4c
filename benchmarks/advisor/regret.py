"""What advice loses against the best choice that could have been made, on public tables.

The best choice is known afterwards: of all models that raced and keep the time, the one that is
most accurate on rows that neither race nor model has seen.

Example: python -m benchmarks.advisor --data tables --short
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_exporters.advisor.advising import Advised, Asked, advise
from ounce_exporters.advisor.exporting import measure
from ounce_exporters.evaluation import accepted
from ounce_exporters.recipe import TaskData
from ounce_exporters.tasks.table.options import TableOptions
from ounce_exporters.tasks.table.task import load
from ounce_schemas.advice import Advice, Limits, Plan

LIMITS = ((5.0, 128), (20.0, 128), (100.0, 128), (50.0, 1))
"""Microseconds of a row, and rows of a call."""
OPPONENTS = ("gradient-boosting", "random-forest")


@dataclass(frozen=True)
class Case:
    """One table under one limit."""

    table: str
    row_us: float
    batch: int
    regret: float
    """Test accuracy below that of the best model within the limit, in points."""
    always: dict[str, float]
    """The same of always one kind of model, whatever it takes."""
    kept: bool
    """Whether the plan is within the limit when it is timed anew."""
    race_s: float
    early: float
    """Points that the kind which is best on a quarter of the rows lacks on all of them."""


def cases(path: Path, budget_s: float, limits: Sequence[tuple[float, int]]) -> Iterator[Case]:
    """Advise on one table under each limit."""
    data = load(path, "target", "table", TableOptions(), 0, lambda line: None)
    for row_us, batch in limits:
        asked = Asked(
            limits=Limits(max_latency_ms=row_us * batch / 1e3, batch=batch),
            budget_s=budget_s,
            seed=0,
            balanced=False,
            options={},
            notices=(),
        )
        yield _case(path.stem, data, advise(data, asked, lambda what, done: None), row_us, batch)


def early_regret(advice: Advice) -> float:
    """Points lost, on held-out rows, by the model that was best on a quarter of the rows."""
    whole = [arm for arm in advice.arms if arm.accuracy is not None and len(arm.curve) >= 4]
    if not whole:
        return 0.0
    early = max(whole, key=lambda arm: arm.curve[-3].validation)
    best = max(arm.curve[-1].validation for arm in whole)
    return 100 * (best - early.curve[-1].validation)


def _case(table: str, data: TaskData, advised: Advised, row_us: float, batch: int) -> Case:
    limit_ms = row_us * batch / 1e3
    anew = {
        t.model: t.p50_ms
        for t in measure(advised.exported, data, (batch,))
        if t.batch_size == batch
    }
    answered = _test(data, advised)
    tested = {name: float(right.mean()) for name, (right, _) in answered.items()}
    plan = advised.advice.decision.plan
    assert plan is not None  # something raced
    within = [share for name, share in tested.items() if anew[name] <= limit_ms]
    best = max(within, default=max(tested.values()))
    chosen = _accuracy(plan, answered)
    return Case(
        table,
        row_us,
        batch,
        100 * (best - chosen),
        {name: 100 * (best - tested[name]) for name in OPPONENTS if name in tested},
        sum(anew[name] for name in plan.models) <= limit_ms,
        advised.advice.measured.race_s,
        early_regret(advised.advice),
    )


Answered = dict[str, tuple[NDArray[np.bool_], NDArray[np.float64]]]
"""Of each model: which test rows it gets right, and how confident it is; shape (n_rows,)."""


def _accuracy(plan: Plan, answered: Answered) -> float:
    """Of a cascade: the least confident rows go to the second model, in the planned share."""
    right, confidence = answered[plan.models[0]]
    if plan.handed_over is not None:
        on = confidence < np.quantile(confidence, plan.handed_over)
        right = np.where(on, answered[plan.models[1]][0], right)
    return float(right.mean())


def _test(data: TaskData, advised: Advised) -> Answered:
    runtime = OnnxCpuRuntime(threads=1)
    found = {}
    for finalist in advised.exported:
        model = runtime.load(Path("model.onnx"), finalist.content)
        answers = model.run(data.test.inputs)
        right = accepted(data.spec, answers, data.test.targets)
        found[finalist.recipe.name] = (right, answers.max(axis=1).astype(np.float64))
    return found
