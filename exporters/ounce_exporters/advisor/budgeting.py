"""The work of a race, counted before it begins: the same on every machine, however busy it is."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from ounce_schemas.advice import Budget
from ounce_schemas.errors import DataError
from ounce_schemas.wording import counted

from ounce_exporters.advisor.looking import structure_of
from ounce_exporters.ladder.recipe import Recipe, TaskData
from ounce_exporters.tasks.work import fit_work_s
from ounce_exporters.training.crossfit import NEVER_HELD_OUT, select, taught_by

_SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
"""Of the rows that may teach: the points of a curve."""
_LEAST_POINT = 25
"""Rows of the first point; of fewer it is left out."""
_FOLDS = (4, 2, 1)
_SAMPLES = (1.0, 0.5, 0.25, 0.125, 1 / 16, 1 / 32, 1 / 64)
_LEAST_ROWS = 200
"""A sample of fewer rows says little of the whole."""
_LEAST_JUDGED = 1000
"""Rows of a table's sample before kinds of models go: a quarter of them judges. Of images, texts
and sequences networks stay, and the sample is smaller."""
_LEAST_ARMS = 2
_MOST_REPEATS = 4
_ENOUGH_JUDGED = 5_000
"""Answers of each model to held-out rows: more would narrow no choice that matters."""


@dataclass(frozen=True)
class RacePlan:
    """What will be fitted."""

    recipes: Sequence[Recipe]
    budget: Budget
    shares: Sequence[float]
    """Of the rows that may teach: the points of a curve, ascending."""


def plan_race(
    data: TaskData,
    recipes: Sequence[Recipe],
    budget_s: float,
    doubtful: Collection[str] = (),
) -> RacePlan:
    """As many folds and rows as the budget allows; where even few are too many, fewer arms. Arms
    that are hardly worth racing go before a fold does. What is left judges the last point again.

    Args:
        data: the task and its splits.
        recipes: the arms.
        budget_s: nominal seconds of one core.
        doubtful: names of arms that are hardly worth racing.

    Raises:
        DataError: the budget is too small for a race of two arms.
    """
    most_folds = 1 if data.folds is None else int(data.folds.max()) + 1
    cost = {recipe.name: fit_work_s(recipe.name, len(data.train), data) for recipe in recipes}
    samples = [s for s in _SAMPLES if s == 1.0 or s * len(data.train) >= _LEAST_ROWS]
    few_rows = [s for s in samples if s < 1 and s * len(data.train) < _LEAST_JUDGED]
    if structure_of(data.spec)[0] == "table":
        samples = [s for s in samples if s not in few_rows]
    folds = [n for n in _FOLDS if n <= most_folds]
    hopeful = [recipe for recipe in recipes if recipe.name not in doubtful]
    whole = [recipes, hopeful] if len(hopeful) >= _LEAST_ARMS else [recipes]
    tries = [(arms, sample, n) for sample in samples for n in folds for arms in whole]
    few = _narrowing(hopeful if len(whole) > 1 else recipes, cost)
    tries += [(arms, sample, n) for arms in few for sample in samples for n in folds]
    tries += [(few[-1], sample, 1) for sample in few_rows]
    for arms, sample, n_folds in tries:
        plan = _plan(data, arms, sample, n_folds)
        if plan.planned_s <= budget_s:
            left_out = tuple(r.name for r in recipes if r not in arms)
            update = {"given_s": budget_s, "left_out": left_out, "of_folds": most_folds}
            told = plan.model_copy(update=update)
            n = len(told.rungs)
            return RacePlan(arms, _with_repeats(data, arms, told), _SHARES[-n:])
    raise DataError(
        f"--budget {budget_s:g}: too small for a race of two models on these "
        f"{counted(len(data.train), 'row')}; about {plan.planned_s:.1f} nominal seconds are needed"
    )


def _plan(data: TaskData, arms: Sequence[Recipe], sample: float, n_folds: int) -> Budget:
    """The work of a race."""
    n_rows = int(sample * len(data.train))
    taught = n_rows - int(n_rows * _held_out(data))
    shares = _SHARES if taught * _SHARES[0] >= _LEAST_POINT else _SHARES[1:]
    work_s = sum(_work_s(r, data, (taught, n_rows), shares, n_folds) for r in arms)
    return Budget(
        given_s=1.0,
        planned_s=round(work_s, 3),
        n_rows=n_rows,
        of_rows=len(data.train),
        rungs=tuple(max(2, int(s * taught)) for s in shares),
        n_folds=n_folds,
    )


def _with_repeats(data: TaskData, arms: Sequence[Recipe], planned: Budget) -> Budget:
    """What the race leaves lets all rows judge the last point, again and again in other folds."""
    n = len(data.train)
    if not _repeatable(data) or planned.n_rows < n:
        return planned
    assert data.folds is not None
    n_folds = int(data.folds.max()) + 1
    taught = planned.rungs[-1]
    fold_s = sum(fit_work_s(r.name, min(taught, r.most_rows or taught), data) for r in arms)
    for n_repeats in range(min(_MOST_REPEATS, _ENOUGH_JUDGED // n), 0, -1):
        more_s = (n_repeats * n_folds - planned.n_folds) * fold_s
        planned_s = round(planned.planned_s + more_s, 3)
        if planned_s <= planned.given_s:
            return planned.model_copy(update={"n_repeats": n_repeats, "planned_s": planned_s})
    return planned


def _repeatable(data: TaskData) -> bool:
    """Whether other folds can judge all rows: of classes and quantities that folds judge."""
    supervised = data.spec.kind in ("classification", "regression")
    return supervised and data.folds is not None and NEVER_HELD_OUT not in data.folds


def _held_out(data: TaskData) -> float:
    """Share of the rows that a fold keeps from its models. Some rows are in no fold."""
    if data.folds is None:
        return 0.0
    n_folds = int(data.folds.max()) + 1
    return float((data.folds != NEVER_HELD_OUT).mean()) / n_folds


def take_sample(data: TaskData, n_rows: int, seed: int) -> TaskData:
    """The same data with so many rows to learn from, each class and fold in about its share."""
    n = len(data.train)
    if n_rows >= n:
        return data
    chosen = np.zeros(n, np.bool_)
    chosen[np.random.default_rng(seed).permutation(n)[:n_rows]] = True
    if data.folds is None:
        return taught_by(data, chosen)
    held = chosen[data.folds != NEVER_HELD_OUT]
    return replace(
        taught_by(data, chosen),
        folds=data.folds[chosen],
        validation=select(data.validation, held),
        clusters=None if data.clusters is None else data.clusters[held],
        groups=None if data.groups is None else replace(data.groups, names=data.groups.names[held]),
    )


def _narrowing(recipes: Sequence[Recipe], cost: dict[str, float]) -> list[list[Recipe]]:
    """All arms, then without the dearest, and so on."""
    by_cost = sorted(recipes, key=lambda r: cost[r.name])
    kept = [
        {r.name for r in by_cost[:n]}
        for n in range(len(recipes), min(_LEAST_ARMS, len(recipes)) - 1, -1)
    ]
    return [[r for r in recipes if r.name in names] for names in kept]


def _work_s(
    recipe: Recipe, data: TaskData, rows: tuple[int, int], shares: Sequence[float], n_folds: int
) -> float:
    """Of one arm: rows that a fold's models learn from at most, and those of the last fit."""
    taught, n_rows = (min(n, recipe.most_rows or n) for n in rows)
    points = (min(int(share * rows[0]), taught) for share in shares)
    of_points = sum(fit_work_s(recipe.name, n, data) for n in points)
    return n_folds * of_points + fit_work_s(recipe.name, n_rows, data)
