"""Racing kinds of models on growing parts of the rows, all judged by the same held-out rows."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.advice import CurvePoint

from ounce_exporters.advisor.budgeting import RacePlan
from ounce_exporters.evaluation.judgement import score_by
from ounce_exporters.ladder.recipe import FittedModel, Recipe, Split, TaskData
from ounce_exporters.tasks.folds import divide
from ounce_exporters.tasks.work import fit_work_s
from ounce_exporters.training.crossfit import select

_TRAIN_ROWS = 2_000
"""Learned rows that are asked again, at most."""

Tell = Callable[[str, float], None]
"""Told what is fitted, and the share of the planned work that is done."""
Stops = Callable[[Sequence["Runner"]], dict[str, str]]
"""From those that run: why some of them stop, by name."""

logger = logging.getLogger(__name__)


@dataclass
class Runner:
    """An arm while it runs."""

    recipe: Recipe
    curve: list[CurvePoint] = field(default_factory=list)
    outputs: NDArray[np.float32] | None = None
    """Answers to the held-out rows at the last point that is whole."""
    again: list[NDArray[np.float32]] = field(default_factory=list)
    """Answers to the same rows by models that learned in other folds."""
    stopped: str | None = None


@dataclass(frozen=True)
class Raced:
    """What a race found."""

    runners: Sequence[Runner]
    held_out: Split
    """Rows that judge, in the order of the answers."""
    places: NDArray[np.int64]
    """Which validation items these are; array of shape (n_held_out,)."""
    interrupted: bool
    n_repeats: int = 0
    """Divisions into folds by which all rows have judged the last point."""


def race(data: TaskData, plan: RacePlan, seed: int, stops: Stops, tell: Tell) -> Raced:
    """Fit every arm on each share of the rows. Ctrl-C ends the race: what counts is the last point
    that every arm has had its turn at, or of the first point what there is.

    Args:
        data: the rows of the plan.
        plan: arms and folds.
        seed: of everything that is random.
        stops: asked after each point which arms need not go on.
        tell: told of progress.

    Raises:
        KeyboardInterrupt: no point of any arm was whole yet.
    """
    pairs, places = _pairs(data, plan.budget.n_folds, seed)
    runners = [Runner(recipe) for recipe in plan.recipes]
    interrupted, n_repeats = False, 0
    done_s, planned_s = 0.0, plan.budget.planned_s
    try:
        for share in plan.shares:
            before = [(runner, list(runner.curve), runner.outputs) for runner in runners]
            for runner in runners:
                done = min(done_s / planned_s, 1.0)
                tell(f"{runner.recipe.name} on {share:.3g} of the rows", done)
                n_rows = int(share * plan.budget.rungs[-1])
                n_rows = min(n_rows, runner.recipe.most_rows or n_rows)
                done_s += len(pairs) * fit_work_s(runner.recipe.name, n_rows, data)
                if runner.stopped is None:
                    _run(runner, data, pairs, share, seed)
            running = [r for r in runners if r.stopped is None]
            if share < 1:
                for name, why in stops(running).items():
                    next(r for r in running if r.recipe.name == name).stopped = why
        before = []  # every arm has had its turn at the last point
        for number in range(plan.budget.n_repeats):
            n_planned = plan.budget.n_repeats
            done = min(done_s / planned_s, 1.0)
            tell(f"all rows judge the last point, {number + 1} of {n_planned}", done)
            judged = _repeat(runners, data, places, number, seed)
            if judged is not None:
                places, n_repeats = judged, n_repeats + 1
            done_s += (planned_s - done_s) / (n_planned - number)
    except KeyboardInterrupt:
        if all(runner.outputs is None for runner in runners):
            raise
        interrupted = True
        tell("Ctrl-C; what it has is exported and measured. Once more ends it without advice", 1.0)
        if any(curve for _, curve, _ in before):  # else models of unequal rows were compared
            for runner, curve, outputs in before:
                runner.curve, runner.outputs = curve, outputs
    return Raced(runners, _take(data.validation, places), places, interrupted, n_repeats)


def _run(
    runner: Runner, data: TaskData, pairs: Sequence[tuple[Split, Split]], share: float, seed: int
) -> None:
    """A point of one arm: all folds, or none of them counts."""
    outputs, remembered, known, n_rows = [], [], [], []
    try:
        for taught, judged in pairs:
            part = _first(taught, share, runner.recipe.most_rows)
            model = _fit(runner.recipe, data, part, seed)
            again = _first(part, 1.0, _TRAIN_ROWS)
            outputs.append(model.predict(judged.inputs))
            remembered.append(model.predict(again.inputs))
            known.append(again.targets)
            n_rows.append(len(part))
    except Exception as e:  # libraries raise many types; the other arms go on
        logger.debug("race failed model=%s", runner.recipe.name, exc_info=True)
        if share == 1:
            _fail(runner, e)
        return
    truth = np.concatenate([judged.targets for _, judged in pairs])
    answers = np.concatenate(outputs)
    score = score_by(runner.recipe, data, answers, truth)
    point = CurvePoint(
        n_rows=int(np.mean(n_rows)),
        train=round(score(np.concatenate(remembered), np.concatenate(known)), 6),
        validation=round(score(answers, truth), 6),
    )
    runner.curve.append(point)
    runner.outputs = answers


def _repeat(
    runners: Sequence[Runner], data: TaskData, places: NDArray[np.int64], number: int, seed: int
) -> NDArray[np.int64] | None:
    """All rows judge the last point, by models of one division into folds: of all arms, or none.

    Args:
        runners: the arms; those that have stopped are left out.
        data: with folds, which are the first division.
        places: of the rows that have judged.
        number: of the division, from 0.
        seed: of everything that is random.

    Returns:
        Places of the rows that have judged now; None: there is no such division.
    """
    assert data.folds is not None
    folds = data.folds
    if number:
        other = divide(data, data.train.targets, data.units, seed + number)
        if other is None:
            return None
        folds = other
    pairs, order = _pairs(replace(data, folds=folds), int(folds.max()) + 1, seed + number)
    found = []
    for runner in runners:
        if runner.stopped is not None or runner.outputs is None:
            continue
        n_known = 0 if number else len(runner.outputs)
        outputs = [] if number else [runner.outputs]
        try:
            for taught, judged in pairs:
                if n_known > 0:
                    n_known -= len(judged)
                    continue
                part = _first(taught, 1.0, runner.recipe.most_rows)
                outputs.append(_fit(runner.recipe, data, part, seed).predict(judged.inputs))
        except Exception as e:  # as above
            _fail(runner, e)
            continue
        found.append((runner, np.concatenate(outputs)))
    for runner, answers in found:
        if number:
            by_row = np.empty_like(answers)
            by_row[order] = answers
            runner.again.append(by_row[places])
        else:
            runner.outputs = answers
    return places if number else order


def _fit(recipe: Recipe, data: TaskData, rows: Split, seed: int) -> FittedModel:
    return recipe.fit(replace(data, train=rows, folds=None), seed, lambda done: None)


def _fail(runner: Runner, e: Exception) -> None:
    reason = " ".join(str(e).split())[:200]
    runner.stopped = f"failed: {type(e).__name__}: {reason}"
    runner.outputs = None


def _pairs(
    data: TaskData, n_folds: int, seed: int
) -> tuple[list[tuple[Split, Split]], NDArray[np.int64]]:
    """Rows to learn from, shuffled once, and rows that judge, of each fold."""
    rng = np.random.default_rng(seed)
    if data.folds is None:
        shuffled = _take(data.train, rng.permutation(len(data.train)))
        return [(shuffled, data.validation)], np.arange(len(data.validation))
    of_validation = data.folds[data.folds >= 0]
    pairs, places = [], []
    for fold in range(n_folds):
        outside = rng.permutation(np.flatnonzero(data.folds != fold))
        places.append(np.flatnonzero(of_validation == fold))
        pairs.append((_take(data.train, outside), _take(data.validation, places[-1])))
    return pairs, np.concatenate(places)


def _first(rows: Split, share: float, most_rows: int | None) -> Split:
    """The first rows; of each class at least two, so that no model misses one."""
    n = max(2, int(share * len(rows)))
    n = n if most_rows is None else min(n, most_rows)
    chosen = np.zeros(len(rows), np.bool_)
    chosen[:n] = True
    if rows.targets.dtype == np.int64:
        for label in np.unique(rows.targets):
            chosen[np.flatnonzero(rows.targets == label)[:2]] = True
    return select(rows, chosen)


def _take(rows: Split, places: NDArray[np.int64]) -> Split:
    inputs = {name: array[places] for name, array in rows.inputs.items()}
    return Split(inputs, rows.targets[places])
