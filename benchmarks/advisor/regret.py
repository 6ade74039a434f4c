"""What advice loses against the best choice that could have been made, on public tables.

The best choice is known afterwards: of all models that raced and keep the time on every split, the
one that is most accurate on the mean over splits, on rows that neither race nor model has seen. One
split alone would choose the luckiest model of few rows.

Example: python -m benchmarks.advisor --data tables --short
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_exporters.advisor.advising import Advised, Asked, advise
from ounce_exporters.advisor.candidates import decide_among
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
    """One split of one table under one limit."""

    table: str
    limit: tuple[float, int]
    """Of `LIMITS`."""
    plan: tuple[str, ...]
    accuracy: float
    """Of the plan on test rows."""
    tested: Mapping[str, float]
    """Accuracy of each model on them."""
    within: frozenset[str]
    """Models that keep the limit when they are timed anew."""
    kept: bool
    """Whether the plan does."""
    race_s: float
    early: float
    """Points that the kind which is best on a quarter of the rows lacks on all of them."""


def cases(
    path: Path, budget_s: float, limits: Sequence[tuple[float, int]], seed: int
) -> list[Case]:
    """Advise on one split of one table, under each limit."""
    data = load_table(path, seed)
    sizes = sorted({batch for _, batch in limits})
    asked = Asked(
        limits=_limits(limits[0]),
        budget_s=budget_s,
        seed=seed,
        balanced=False,
        options={},
        notices=(),
    )
    advised = advise(data, asked, lambda what, done: None)
    timed = measure(advised.exported, data, sizes)
    anew = measure(advised.exported, data, sizes)
    answered = _test(data, advised)
    found = []
    for limit in limits:
        decision = decide_among(
            advised.rows, advised.raced, advised.exported, timed, _limits(limit), 0.0
        )
        assert decision.plan is not None  # something raced
        most_ms = limit[0] * limit[1] / 1e3
        took_ms = {t.model: t.p50_ms for t in anew if t.batch_size == limit[1]}
        found.append(
            Case(
                path.stem,
                limit,
                decision.plan.models,
                _accuracy(decision.plan, answered),
                {name: float(right.mean()) for name, (right, _) in answered.items()},
                frozenset(name for name, ms in took_ms.items() if ms <= most_ms),
                sum(took_ms[name] for name in decision.plan.models) <= most_ms,
                advised.advice.measured.race_s,
                early_regret(advised.advice),
            )
        )
    return found


def load_table(path: Path, seed: int) -> TaskData:
    """A table as `ounce train` reads and splits it."""
    return load(path, "target", "table", TableOptions(), seed, lambda line: None)


def regret(of_splits: Sequence[Case]) -> float:
    """Points that the advice loses on the mean over splits of one table under one limit."""
    best = _best(of_splits)
    return 100 * (best - float(np.mean([case.accuracy for case in of_splits])))


def regret_of_always(name: str, of_splits: Sequence[Case]) -> float | None:
    """The same of always one kind of model, whatever it takes; None where it never raced."""
    found = [case.tested[name] for case in of_splits if name in case.tested]
    return 100 * (_best(of_splits) - float(np.mean(found))) if found else None


def _best(of_splits: Sequence[Case]) -> float:
    """Mean accuracy of the best model that keeps the limit on every split."""
    names = frozenset.intersection(*(case.within & set(case.tested) for case in of_splits))
    if not names:  # nothing is that quick: the nearest choice is the quickest
        names = frozenset.intersection(*(frozenset(case.tested) for case in of_splits))
    return max(float(np.mean([case.tested[name] for case in of_splits])) for name in names)


def early_regret(advice: Advice) -> float:
    """Points lost, on held-out rows, by the model that was best on a quarter of the rows."""
    whole = [arm for arm in advice.arms if arm.accuracy is not None and len(arm.curve) >= 4]
    if not whole:
        return 0.0
    early = max(whole, key=lambda arm: arm.curve[-3].validation)
    best = max(arm.curve[-1].validation for arm in whole)
    return 100 * (best - early.curve[-1].validation)


def _limits(limit: tuple[float, int]) -> Limits:
    row_us, batch = limit
    return Limits(max_latency_ms=row_us * batch / 1e3, batch=batch)


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
