"""Choosing cascades, and judging the choice on items that had no part in it.

A *budget* is a cost per item at one batch size. The choice for a budget is the most accurate
cascade, of any models with any thresholds, that costs no more. Where items are few, confidences
have a say in what is accurate (`Evidence.merit`).

The choice is made six times. On all validation items it gives the plan. On each four fifths of them
it gives the cascade by which the remaining fifth is judged. So a plan's accuracy is that of making
this choice. Nothing is gained by having picked, among thousands of cascades, one that was lucky on
these items. On simulated ladders, whose true accuracies are known, plans seem 0.2 points better
than they are with 450 items, and 0.02 points with 10,000. Where only thresholds are cross-fitted it
is 1.4 and 0.2 points.

Of the choices for many budgets those that look best are kept, and a router takes the cheapest that
is good enough: luck again. A greater budget can't make the best choice worse. So where cascades
seem more accurate than dearer ones, they are credited with the mean (isotonic regression).
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import isotonic_regression

from ounce_exporters.cascades.cost import BATCH_SIZES, expected_ms
from ounce_exporters.cascades.counting import count
from ounce_exporters.cascades.evidence import Evidence, lower_bound
from ounce_exporters.ladder.recipe import Progress

FOLDS = 5
STEPS = (2, 3)
BUDGET_STEP = 0.9
"""Each budget is this share of the one above it."""
GOING_ON = (
    *(0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.125, 0.15),
    *(round(0.05 * i, 2) for i in range(4, 20)),
)
"""Quantiles of a model's confidence that may be thresholds: the share that goes on."""
LEAST_ANSWERS = 20
LEAST_ANSWERED_SHARE = 0.01
"""A step that takes fewer answers than these is not worth its place, and promises nothing."""
_NOISE = 1e-6
"""Of a sum of the worth of answers."""
_DECIMALS = 7
"""Finer differences of a confidence near 1 are lost in float32."""


@dataclass(frozen=True, eq=False)
class Choice:
    """Models in the order in which they run, and a threshold for each but the last."""

    sequence: tuple[Evidence, ...]
    thresholds: tuple[float, ...]

    @property
    def name(self) -> str:
        """Its models and thresholds, for example `mlp>residual-cnn@0.94`."""
        models = ">".join(model.model for model in self.sequence)
        return f"{models}@{','.join(f'{t:.{_DECIMALS}g}' for t in self.thresholds)}"


@dataclass(frozen=True, eq=False)
class Cascade:
    """What was chosen for a budget, and how the choice did."""

    final: Choice
    """Made on all items."""
    of_folds: tuple[Choice, ...]
    """Made for the same budget without the items of fold 0, 1, ..."""
    right: float
    """Acceptable answers to the `n` items, each by the choice that was made without its fold; or
    their worth by the task's measure. It is less where dearer cascades gave less."""
    n: int
    costs: tuple[float, ...]
    """Of `final`, expected milliseconds per item for each of `BATCH_SIZES`."""
    luck: float = 0.0
    """By how much the measure was better before dearer cascades were looked at."""

    @property
    def accuracy(self) -> float:
        """Cross-fitted measure, such as the share of acceptable answers."""
        return self.right / self.n

    @property
    def low(self) -> float:
        """Lower bound of it, as `Evidence.low`."""
        return lower_bound(self.accuracy, self.final.sequence[-1].judged, self.n)


@dataclass(frozen=True)
class Search:
    """Cascades that were chosen for some budget, and how many thresholds were compared."""

    cascades: list[Cascade]
    considered: tuple[int, ...]
    """Per accepting step: thresholds, combined with those of earlier steps, over all models."""


def find_cascades(
    models: Sequence[Evidence],
    folds: NDArray[np.int64],
    progress: Progress,
    most_alarms: int | None = None,
) -> Search:
    """The most accurate cascade for every budget, over all sequences of two or three models.

    Where several budgets lead to the same cascade, the greatest one judges it.

    Args:
        models: what a cascade can be made of, with confidences.
        folds: fold of each item, from 0 to `FOLDS` - 1, array of shape (n_items,).
        progress: told the share done.
        most_alarms: false alarms that a cascade may have; None: as many as it has.
    """
    grids = {model.model: threshold_grid(model) for model in models}
    options = []
    combinations: dict[tuple[str, ...], int] = {}
    found = sequences(models)
    for done, sequence in enumerate(found):
        progress(done / len(found))
        of_steps = [grids[model.model] for model in sequence[:-1]]
        options.append(_Options(sequence, of_steps, folds, most_alarms))
        for k in range(1, len(sequence)):
            names = tuple(model.model for model in sequence[:k])
            combinations[names] = math.prod(len(grid) for grid in of_steps[:k])
    considered = [0] * (max(STEPS) - 1)
    for names, n in combinations.items():
        considered[len(names) - 1] += n
    chosen = _choose(options, _budgets(models), folds, most_alarms) if options else []
    return Search(chosen, tuple(considered))


def sequences(models: Sequence[Evidence]) -> list[tuple[Evidence, ...]]:
    """Sequences worth a look: each model dearer than the one before, and no less accurate.

    Dearer in calls of 1 or in calls of 32: which of two small models is the lighter one may depend
    on that.
    """
    found: list[tuple[Evidence, ...]] = []
    costs = {
        model.model: [float(expected_ms([model.latency], [1.0], b)) for b in BATCH_SIZES]
        for model in models
    }
    for length in STEPS:
        for sequence in itertools.permutations(models, length):
            pairs = list(itertools.pairwise(sequence))
            rises = any(
                all(costs[a.model][b] < costs[c.model][b] for a, c in pairs)
                for b in range(len(BATCH_SIZES))
            )
            if rises and all(a.accuracy <= c.accuracy for a, c in pairs):
                found.append(sequence)
    return found


def threshold_grid(model: Evidence) -> NDArray[np.float64]:
    """Thresholds to try, ascending: quantiles of the confidence, rounded so that they can be read.

    The doubt, 1 - threshold, keeps two digits: 0.94, 0.9987. Labels play no part in it.
    """
    assert model.confidence is not None
    doubts = 1 - np.quantile(model.confidence, GOING_ON)
    rounded = [round(1 - float(f"{doubt:.2g}"), _DECIMALS) for doubt in doubts]
    return np.unique(rounded)


def stratified_folds(targets: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Fold of each item; every class is spread evenly over the folds."""
    shuffled = np.random.default_rng(seed).permutation(len(targets))
    by_class = shuffled[np.argsort(targets[shuffled], kind="stable")]
    folds = np.empty(len(targets), np.int64)
    folds[by_class] = np.arange(len(targets)) % FOLDS
    return folds


class _Options:
    """Every usable combination of thresholds of one sequence, as a flat axis."""

    def __init__(
        self,
        sequence: tuple[Evidence, ...],
        grids: Sequence[NDArray[np.float64]],
        folds: NDArray[np.int64],
        most_alarms: int | None,
    ) -> None:
        counts = count(sequence, grids, folds, FOLDS)
        answered = counts.answered.sum(axis=1)[:-1]
        enough = max(LEAST_ANSWERS, LEAST_ANSWERED_SHARE * len(folds))
        usable = (answered >= enough).all(axis=0)
        alarms = counts.alarms.sum(axis=0)
        if most_alarms is not None:
            usable &= alarms.sum(axis=0) <= most_alarms
        self.sequence = sequence
        self.right = counts.right.sum(axis=0)[:, usable]
        """Worth of the answers per fold, array of shape (FOLDS, n_options)."""
        self.alarms = alarms[:, usable]
        """False alarms, likewise."""
        self.merit = counts.merit.sum(axis=0)[:, usable]
        """What choices go by, likewise."""
        reach = counts.reached.sum(axis=1)[:, usable] / len(folds)
        latencies = [model.latency for model in sequence]
        # No label plays a part in a cost, so it may be that of all items in every fold.
        self.costs = np.stack([expected_ms(latencies, list(reach), b) for b in BATCH_SIZES])
        self._thresholds = [
            grid[indices] for grid, indices in zip(grids, np.nonzero(usable), strict=True)
        ]

    def choice(self, option: int) -> Choice:
        """One of them."""
        return Choice(self.sequence, tuple(float(t[option]) for t in self._thresholds))


def _budgets(models: Sequence[Evidence]) -> list[tuple[int, float]]:
    """Index into `BATCH_SIZES` and milliseconds per item, descending for each batch size.

    From the heaviest model's cost to the lightest's.
    """
    found = []
    for b, batch_size in reversed(list(enumerate(BATCH_SIZES))):
        costs = [float(expected_ms([model.latency], [1.0], batch_size)) for model in models]
        steps = math.ceil(math.log(min(costs) / max(costs), BUDGET_STEP))
        found += [(b, max(costs) * BUDGET_STEP**step) for step in range(steps + 1)]
    return found


def _choose(
    options: Sequence[_Options],
    budgets: Sequence[tuple[int, float]],
    folds: NDArray[np.int64],
    most_alarms: int | None,
) -> list[Cascade]:
    right = np.concatenate([of_sequence.right for of_sequence in options], axis=1)
    costs = np.concatenate([of_sequence.costs for of_sequence in options], axis=1)
    starts = np.cumsum([0, *(of_sequence.right.shape[1] for of_sequence in options)])
    merit = np.concatenate([of_sequence.merit for of_sequence in options], axis=1)
    alarms = np.concatenate([of_sequence.alarms for of_sequence in options], axis=1)
    everything = merit.sum(axis=0)

    def choice(option: int) -> Choice:
        which = int(np.searchsorted(starts, option, side="right")) - 1
        return options[which].choice(option - int(starts[which]))

    found: dict[int, Cascade] = {}
    orders = [np.argsort(cost, kind="stable") for cost in costs]
    for b, budget in budgets:
        # Cheapest first, so that of equally accurate ones the cheapest is found.
        within = orders[b][costs[b][orders[b]] <= budget]
        if not len(within):
            continue
        chosen, *parts = (
            int(within[(everything - left_out)[within].argmax()]) for left_out in (0, *merit)
        )
        raised = sum(int(alarms[fold, part]) for fold, part in enumerate(parts))
        if chosen not in found and (most_alarms is None or raised <= most_alarms):
            found[chosen] = Cascade(
                final=choice(chosen),
                of_folds=tuple(choice(part) for part in parts),
                right=math.fsum(right[fold, part] for fold, part in enumerate(parts)),
                n=len(folds),
                costs=tuple(float(cost[chosen]) for cost in costs),
            )
    return _credit(found.values())


def _credit(cascades: Iterable[Cascade]) -> list[Cascade]:
    """Credit those that seem better than dearer ones with the mean of them all."""
    lightest_first = sorted(cascades, key=lambda c: c.costs[::-1])
    smooth = isotonic_regression([c.right for c in lightest_first]) if lightest_first else ()
    return [
        replace(c, right=r, luck=(c.right - r) / c.n) if r < c.right - _NOISE else c
        for c, r in zip(lightest_first, smooth, strict=True)
    ]
