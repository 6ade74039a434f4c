"""Searching for the models of a ladder: those that nothing else beats in both error and cost.

Optuna proposes a family of models and its options. Each proposal is fitted on a part of the rows
and judged by others. The search never sees the rows that the chosen models are judged by later.
What rows say of the best of many, chosen by them, promises too much.
"""

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.errors import ExportError
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

from ounce_exporters.evaluation.figures import estimate_accuracy
from ounce_exporters.export.costs import count_cost
from ounce_exporters.ladder.recipe import FittedModel, Progress, Recipe, Split, TaskData
from ounce_exporters.training.crossfit import NEVER_HELD_OUT, select

_FOLDS = 3
_FEW_ROWS = 2_000
"""With more rows one of the folds judges a proposal."""

_MOST_ROWS = 20_000
"""A search looks at so many at most, evenly spread."""

Fit = Callable[[TaskData, int, Progress], FittedModel]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Range:
    """Values of an option; whole where its default is."""

    default: float
    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class Family:
    """Models of one kind, which differ by options."""

    name: str
    family: Literal["classical", "neural"]
    algorithm: str
    make: Callable[..., Fit]
    """Called with options by name; those left out have their defaults."""
    space: Mapping[str, Range]
    by_default: bool = True

    def recipe(
        self, number: int | None = None, options: Mapping[str, float] | None = None
    ) -> Recipe:
        """The family's own model; or, with options, the one of a trial."""
        if number is None or options is None:
            return Recipe(
                self.name, self.family, self.algorithm, self.make(), by_default=self.by_default
            )
        said = ", ".join(f"{name.replace('_', ' ')} {v:.3g}" for name, v in options.items())
        algorithm = f"{self.algorithm} ({said})" if said else self.algorithm
        return Recipe(f"{self.name}-{number}", self.family, algorithm, self.make(**options))


@dataclass(frozen=True)
class Trial:
    """A proposal that was judged."""

    recipe: Recipe
    error: float
    """One less the task's measure, such as accuracy, of held-out rows."""
    cost_ns: float
    """As `count_cost` counts it."""


@dataclass(frozen=True)
class Tuned:
    """What a search found."""

    recipes: Sequence[Recipe]
    """Those that no other trial beats in both, the cheapest first."""
    n_trials: int
    ended_by: str | None
    """What ended the search before all trials were made; None: nothing did."""


Tell = Callable[[float, Trial | None], None]
"""Told the share of the search that is done, and of a trial that has ended."""


def hold_one_fold(data: TaskData) -> TaskData:
    """The same rows; those of the first fold judge, and teach only the model that is shipped."""
    if data.folds is None or data.folds.max() == 0:
        return data
    first = data.folds == 0
    held = data.folds[data.folds != NEVER_HELD_OUT] == 0
    groups = data.groups and replace(data.groups, names=data.groups.names[held])
    return replace(
        data,
        folds=np.where(first, 0, NEVER_HELD_OUT),
        validation=select(data.validation, held),
        clusters=None if data.clusters is None else data.clusters[held],
        groups=groups,
    )


def search(
    data: TaskData,
    families: Sequence[Family],
    n_trials: int,
    seed: int,
    tell: Tell,
    too_late: Callable[[], str | None] = lambda: None,
) -> Tuned:
    """Try options of families. Ctrl-C ends the search and keeps what it found.

    Args:
        data: as of `hold_one_fold`.
        families: to choose from; each is tried with its own options first.
        n_trials: proposals in all.
        seed: a seed proposes the same again.
        tell: told of progress.
        too_late: asked once a trial has succeeded; says why no other is to begin, or nothing.

    Raises:
        ExportError: no trial succeeded, or a class has rows of one unit alone.
        KeyboardInterrupt: none had ended yet.
    """
    import optuna  # takes a second; only this needs it

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        directions=["minimize", "minimize"], sampler=optuna.samplers.TPESampler(seed=seed)
    )
    by_name = {family.name: family for family in families}
    for family in families:
        defaults = {f"{family.name}.{name}": r.default for name, r in family.space.items()}
        study.enqueue_trial({"family": family.name, **defaults})
    trials: dict[int, Trial] = {}
    last_error = "none was asked for"

    def progress(done: float) -> None:
        tell(done, None)

    rows, splits = _judging(data, seed)
    ended_by: str | None = None
    for number in range(n_trials):
        if trials and (ended_by := too_late()) is not None:
            break
        proposed = study.ask()
        family = by_name[proposed.suggest_categorical("family", list(by_name))]
        recipe = family.recipe(number, _suggest(proposed, family))
        try:
            part_of = _part_of(progress, number, n_trials)
            trial = _judge(recipe, replace(data, train=rows), splits, seed, part_of)
        except KeyboardInterrupt:
            if not trials:
                raise
            ended_by = f"Ctrl-C during {recipe.name}"
            break
        except Exception as e:  # libraries raise many types; other trials go on
            logger.debug("trial failed model=%s", recipe.name, exc_info=True)
            reason = " ".join(str(e).split())[:300]
            last_error = f"{recipe.name}: {type(e).__name__}: {reason}"
            study.tell(proposed, state=optuna.trial.TrialState.FAIL)
        else:
            trials[number] = trial
            study.tell(proposed, (trial.error, trial.cost_ns))
            tell((number + 1) / n_trials, trial)
    if not trials:
        raise ExportError(f"no trial succeeded; the last one: {last_error}")
    return Tuned([t.recipe for t in front(list(trials.values()))], len(trials), ended_by)


def front(trials: Sequence[Trial]) -> list[Trial]:
    """Trials that none beats in error without costing more, the cheapest first."""
    chosen: list[Trial] = []
    for trial in sorted(trials, key=lambda t: (t.cost_ns, t.error)):
        if not chosen or trial.error < chosen[-1].error:
            chosen.append(trial)
    return chosen


def _suggest(proposed: Any, family: Family) -> dict[str, float]:
    options: dict[str, float] = {}
    for name, r in family.space.items():
        key = f"{family.name}.{name}"
        if isinstance(r.default, int):
            options[name] = proposed.suggest_int(key, int(r.low), int(r.high), log=r.log)
        else:
            options[name] = proposed.suggest_float(key, r.low, r.high, log=r.log)
    return options


def _judging(data: TaskData, seed: int) -> tuple[Split, list[NDArray[np.int64]]]:
    """Rows of the search, and those of them that judge a proposal in turn: the others teach it."""
    usable = np.ones(len(data.train), np.bool_) if data.folds is None else data.folds != 0
    usable = np.flatnonzero(usable)
    usable = usable[:: max(1, -(-len(usable) // _MOST_ROWS))]
    chosen = np.isin(np.arange(len(data.train)), usable)
    rows, units = select(data.train, chosen), None if data.units is None else data.units[chosen]
    targets, classifies = rows.targets, data.spec.classifies
    folds: Any
    if units is not None:
        by_unit = StratifiedGroupKFold if classifies else GroupKFold
        n_folds = min(_FOLDS, len(np.unique(units)))
        folds = by_unit(n_folds, shuffle=True, random_state=seed)
    else:
        # Neighbouring rows tell of each other where the splits are not by chance.
        by_chance = data.folds is not None
        kind = StratifiedKFold if classifies else KFold
        folds = kind(_FOLDS, shuffle=by_chance, random_state=seed if by_chance else None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class of fewer units than folds
        splits = list(folds.split(targets, targets, units))
    if classifies and units is not None:  # what judges must not hold all rows of a class
        n_classes = len(np.unique(targets))
        splits = [s for s in splits if len(np.unique(targets[s[0]])) == n_classes]
    if not splits:
        raise ExportError("--tune with --unit needs rows of each class in two units to train")
    return rows, [held for _, held in splits[: _FOLDS if len(targets) <= _FEW_ROWS else 1]]


def _judge(
    recipe: Recipe,
    data: TaskData,
    splits: Sequence[NDArray[np.int64]],
    seed: int,
    progress: Progress,
) -> Trial:
    """Fit a proposal without the rows of each of a few folds, and count what it gets wrong."""
    outputs: list[NDArray[np.float32]] = []
    truth: list[NDArray[Any]] = []
    for done, held in enumerate(splits):
        chosen = np.isin(np.arange(len(data.train)), held)
        part = replace(data, train=select(data.train, ~chosen), folds=None, units=None)
        model = recipe.fit(part, seed, _part_of(progress, done, len(splits)))
        judged = select(data.train, chosen)
        outputs.append(model.predict(judged.inputs))
        truth.append(judged.targets)
    found = estimate_accuracy(data.spec, np.concatenate(outputs), np.concatenate(truth))
    return Trial(recipe, 1.0 - found.value, count_cost(model.to_onnx()))


def _part_of(progress: Progress, done: int, parts: int) -> Progress:
    return lambda share: progress((done + share) / parts)
