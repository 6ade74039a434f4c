"""What advice loses against the best choice that could have been made, on public tables.

The best choice is known afterwards: of all models that raced and keep the time on most splits, the
one that is most accurate on the mean over splits, on rows that neither race nor model has seen. Few
splits of few rows would choose the luckiest model: the fewer the rows, the more splits.

Example: python -m benchmarks.advisor --data tables --short
"""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_exporters.advisor.advising import Advised, Asked, advise
from ounce_exporters.advisor.candidates import decide_among
from ounce_exporters.advisor.exporting import measure
from ounce_exporters.evaluation.figures import accepted
from ounce_exporters.ladder.recipe import TaskData
from ounce_exporters.tasks.table.options import TableOptions
from ounce_exporters.tasks.table.task import load
from ounce_schemas.advice import Advice, Limits, Plan

from benchmarks.advisor.case import Case, Limit

LIMITS: tuple[Limit, ...] = ((5.0, 128), (20.0, 128), (100.0, 128), (50.0, 1))
OPPONENTS = ("gradient-boosting", "random-forest")
_ROWS_OF_ALL_SPLITS = 4_000
_LEAST_SPLITS, _MOST_SPLITS = 2, 8


def advice_cases(path: Path, budget_s: float, limits: Sequence[Limit], seed: int) -> list[Case]:
    """Advise on one split of one table, and choose under each limit."""
    data = load_table(path, seed)
    sizes = {1, *(batch for _, batch in limits)}
    asked = Asked(
        limits=limits_of(max(limits, key=lambda limit: limit[1])),
        budget_s=budget_s,
        seed=seed,
        balanced=False,
        options={},
        notices=(),
    )
    advised = advise(data, asked, lambda what, done: None)
    timed = list(advised.advice.measured.models)
    missing = sorted(sizes - {t.batch_size for t in timed})
    timed += measure(advised.exported, data, missing) if missing else []
    anew = measure(advised.exported, data, sorted(sizes))
    answered = _test(data, advised)
    us = {(t.model, t.batch_size): 1e3 * t.p50_ms for t in anew}
    early = early_regret(advised.advice)
    found = []
    for limit in limits:
        most_us, batch = limit[0] * limit[1], limit[1]
        decision = decide_among(
            advised.rows, advised.raced, advised.exported, timed, limits_of(limit), 0.0
        )
        assert decision.plan is not None  # something raced
        models = decision.plan.models
        plan_us = sum(us[name, batch] for name in models)
        found.append(
            Case(
                table=path.stem,
                seed=seed,
                limit=limit,
                plan=models,
                accuracy=_accuracy(decision.plan, answered),
                tested={name: float(right.mean()) for name, (right, _) in answered.items()},
                within=frozenset(name for name in answered if us[name, batch] <= most_us),
                kept=plan_us <= most_us,
                row_us=plan_us / batch,
                alone_us=sum(us[name, 1] for name in models),
                race_s=advised.advice.measured.race_s,
                early=early,
            )
        )
    return found


def splits_of(path: Path) -> int:
    """As many splits of a table as its rows leave room for."""
    n_rows = int(pq.ParquetFile(path).metadata.num_rows)
    return min(max(_ROWS_OF_ALL_SPLITS // n_rows, _LEAST_SPLITS), _MOST_SPLITS)


def tables_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Click option for the folder of the tables."""
    return click.option(
        "--data",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        required=True,
        help="Folder of tables, .parquet, each with a column `target`.",
    )(command)


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
    """Mean accuracy of the best model that keeps the limit on most splits."""
    raced = frozenset.intersection(*(frozenset(case.tested) for case in of_splits))
    kept = Counter(name for case in of_splits for name in case.within)
    names = {name for name in raced if kept[name] > len(of_splits) / 2}
    # Where nothing is that quick, the nearest choice is the quickest.
    return max(float(np.mean([case.tested[name] for case in of_splits])) for name in names or raced)


def early_regret(advice: Advice) -> float:
    """Points lost, on held-out rows, by the model that was best on a quarter of the rows."""
    whole = [
        (arm.curve[-3].validation, arm.accuracy.value)
        for arm in advice.arms
        if arm.accuracy is not None and len(arm.curve) >= 4
    ]
    if not whole:
        return 0.0
    _, early = max(whole, key=lambda found: found[0])
    return 100 * (max(value for _, value in whole) - early)


def limits_of(limit: Limit) -> Limits:
    """As `ounce advise` takes them."""
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
