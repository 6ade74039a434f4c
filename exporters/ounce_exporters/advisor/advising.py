"""From data to advice: look, race, export, measure, decide."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from ounce_edge.models.process_memory import give_back_free_memory
from ounce_edge.models.processor import processor_name
from ounce_schemas.advice import (
    Advice,
    Arm,
    Band,
    Decision,
    Limits,
    Measured,
    Reason,
)
from ounce_schemas.card import AccuracyEstimate
from ounce_schemas.device import DeviceCard
from ounce_schemas.errors import DataError, ExportError
from pydantic import JsonValue

from ounce_exporters.advisor.budgeting import plan_race, take_sample
from ounce_exporters.advisor.candidates import (
    INTERPRETABLE,
    decide_among,
    judged_accuracy,
    plan_answers,
)
from ounce_exporters.advisor.exporting import (
    Exported,
    export,
    loaded_bytes,
    measure,
    measure_for,
)
from ounce_exporters.advisor.family_prior import doubtful, lags
from ounce_exporters.advisor.forecasting import FACTORS, forecast
from ounce_exporters.advisor.looking import look
from ounce_exporters.advisor.race import Raced, Runner, Tell, race
from ounce_exporters.advisor.reasons import reasons
from ounce_exporters.advisor.sizes import most_bytes
from ounce_exporters.advisor.stopping import stop_rule
from ounce_exporters.advisor.timed_reasons import timed_reasons
from ounce_exporters.evaluation.groups import group_figures
from ounce_exporters.ladder.recipe import TaskData
from ounce_exporters.tasks.table.recipes import LIGHT, families
from ounce_exporters.tasks.table.workload import bound_work
from ounce_exporters.tasks.work import fit_work_s


@dataclass(frozen=True)
class Asked:
    """What advice is asked for."""

    limits: Limits
    budget_s: float
    seed: int
    balanced: bool
    options: dict[str, JsonValue]
    """Of `ounce train`, for the advice to repeat."""
    notices: Sequence[str]
    device: DeviceCard | None = None
    """Of the machine that plans are judged for; None: this one."""


@dataclass(frozen=True)
class Advised:
    """Advice, and what its page shows of the answers behind it."""

    advice: Advice
    rows: TaskData
    """Of the race: all, or a sample."""
    raced: Raced
    exported: Sequence[Exported]


def advise(data: TaskData, asked: Asked, tell: Tell) -> Advised:
    """Advise on a task.

    Args:
        data: the task and its splits.
        asked: limits, budget, seed.
        tell: told of progress.

    Raises:
        DataError: the budget is too small.
        ExportError: no model finished.
        KeyboardInterrupt: Ctrl-C before there was anything to advise.
    """
    begun_s = time.monotonic()
    seen = look(data, asked.notices)
    tight = asked.limits.max_latency_ms is not None or asked.limits.max_size_mb is not None
    arms = [
        replace(family.recipe(), balanced=asked.balanced)
        for family in families(data, balanced=asked.balanced)
        if family.by_default or (tight and family.name in LIGHT)
    ]
    behind = frozenset[str]()
    if data.spec.kind == "classification":
        # Readable models cost little and answer what a glass box costs.
        behind = doubtful(lags(seen)).difference(INTERPRETABLE)
    plan = plan_race(data, bound_work(arms, data), asked.budget_s, behind)
    rows = take_sample(data, plan.budget.n_rows, asked.seed)
    n_judged = count_judging(rows, plan.budget.n_folds)
    stops = stop_rule(asked.limits, INTERPRETABLE, plan.budget.rungs[-1], n_judged)
    raced = race(rows, plan, asked.seed, stops, tell)
    exported, failures = _export(raced, rows, asked.seed, tell, len(data.train))
    timed = measure(exported, rows, sorted({1, asked.limits.batch}))
    device = None if asked.device is None else measure_for(asked.device, exported, timed)
    measured = Measured(
        machine=processor_name(),
        models=tuple(timed),
        memory_bytes=loaded_bytes(exported),
        device=device,
        race_s=0.0,
    )
    unlabelled = data.spec.kind == "anomaly" and seen.constant == 1
    judged = data.spec.measure.is_plain and not unlabelled
    floor = seen.constant if judged else 0.0
    decision = decide_among(rows, raced, exported, measured.serving, asked.limits, floor)
    arms_run = tuple(
        _arm(rows, runner, raced, exported, failures, n_judged) for runner in raced.runners
    )
    advice = Advice(
        task=data.spec.name,
        measure=data.spec.measure,
        seed=asked.seed,
        options=asked.options,
        data_sha256=data.sha256,
        limits=asked.limits,
        look=seen,
        budget=plan.budget.model_copy(update={"n_repeats": raced.n_repeats}),
        interrupted=raced.interrupted,
        arms=arms_run,
        decision=decision,
        reasons=reasons(
            data.spec, seen, arms_run, decision, _by_group(rows, raced, exported, decision)
        ),
        measured=measured.model_copy(
            update={
                "race_s": time.monotonic() - begun_s,
                "reasons": _timed(rows, decision, measured, asked.limits),
            }
        ),
    )
    return Advised(advice, rows, raced, exported)


def count_judging(data: TaskData, n_folds: int) -> int:
    """Rows that judge all the race long: those of the first folds, where there are any."""
    if data.folds is None:
        return len(data.validation)
    return int(np.isin(data.folds, range(n_folds)).sum())


def _timed(
    data: TaskData, decision: Decision, measured: Measured, limits: Limits
) -> tuple[Reason, ...]:
    plan = decision.plan
    if plan is None:
        return ()
    n_fits = 1 if data.folds is None else int(data.folds.max()) + 2
    training_s = n_fits * sum(fit_work_s(m, len(data.train), data) for m in plan.models)
    return timed_reasons(decision, measured, limits, training_s)


def _by_group(
    data: TaskData, raced: Raced, exported: Sequence[Exported], decision: Decision
) -> dict[str, AccuracyEstimate] | None:
    """Accuracy of the plan, by COLUMN=VALUE."""
    if data.groups is None or decision.plan is None:
        return None
    names = data.groups.names[raced.places]
    judged = replace(data, validation=raced.held_out, groups=replace(data.groups, names=names))
    table = group_figures(data.spec, plan_answers(decision.plan, exported), judged)
    if table is None:
        return None
    return {f"{table.column}={group.name}": group.accuracy for group in table.groups}


def _export(
    raced: Raced, data: TaskData, seed: int, tell: Tell, n_rows: int
) -> tuple[list[Exported], dict[str, str]]:
    """The graphs of those that finished, and why others have none. There are `n_rows` to learn
    from once a plan is built."""
    exported, failures = [], {}
    for runner in raced.runners:
        if runner.outputs is None or runner.stopped is not None:
            continue
        tell(f"{runner.recipe.name} is exported and measured", 1.0)
        give_back_free_memory()  # of the race, and of the last graph's copies
        try:
            mine = export(
                runner.recipe, data, raced.held_out, runner.outputs, seed, again=runner.again
            )
            most = runner.recipe.most_rows or n_rows
            known, rows = (min(n, most) for n in (len(data.train), n_rows))
            size_bytes = most_bytes(runner.recipe.name, mine.content, known, rows)
            exported.append(replace(mine, size_bytes=size_bytes))
        except ExportError as e:
            failures[runner.recipe.name] = f"can't be exported: {e}"
    if not exported:
        why = "; ".join(f"{r.recipe.name}: {r.stopped}" for r in raced.runners if r.stopped)
        raise ExportError(f"no model finished the race: {why}")
    return exported, failures


def _arm(
    data: TaskData,
    runner: Runner,
    raced: Raced,
    exported: Sequence[Exported],
    failures: dict[str, str],
    n_judged: int,
) -> Arm:
    name = runner.recipe.name
    mine = next((e for e in exported if e.recipe.name == name), None)
    return Arm(
        model=name,
        family=runner.recipe.family,
        interpretable=name in INTERPRETABLE,
        curve=tuple(runner.curve),
        forecast=_forecasts(runner, n_judged),
        accuracy=None if mine is None else judged_accuracy(data, raced, mine),
        counted_ns=None if mine is None else round(mine.counted_ns, 3),
        size_bytes=None if mine is None else mine.size_bytes,
        stopped=failures.get(name, runner.stopped),
    )


def _forecasts(runner: Runner, n_judged: int) -> tuple[Band, ...]:
    if not runner.curve:
        return ()
    last = runner.curve[-1].n_rows
    bands = (forecast(runner.curve, int(factor * last), n_judged) for factor in FACTORS)
    return tuple(band for band in bands if band is not None)


def check_rows(data: TaskData) -> None:
    """Refuse what no advice can be of.

    Raises:
        DataError: the target is constant.
    """
    if not data.spec.labels and float(np.ptp(data.train.targets)) == 0.0:
        raise DataError("the target is constant: there is nothing to predict")
