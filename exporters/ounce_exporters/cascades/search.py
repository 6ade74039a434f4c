"""Choosing thresholds, and judging the choice on items that had no part in it.

A *target* is a sequence of models and the accuracy that it may lose against its last model. The
choice for a target is the cheapest thresholds whose accuracy is high enough. It is made six times:
on all validation items, which gives the plan, and on each four fifths of them, which gives the
thresholds under which the remaining fifth is judged. So a plan's accuracy is that of making this
choice, with nothing gained by having chosen well among noise.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ounce_exporters.cascades.cost import BATCH_SIZES, expected_ms
from ounce_exporters.cascades.counting import Counts, count
from ounce_exporters.cascades.evidence import Evidence
from ounce_exporters.recipe import Progress

FOLDS = 5
STEPS = (2, 3)
LOSSES = (*(round(0.001 * i, 3) for i in range(-10, 11)), 0.015, 0.02, 0.03, 0.04, 0.06, 0.08)
"""Accuracy that a cascade may lose against its last model. Below 0 it must gain: a light model can
be right where it is confident and the heavy one is not."""
GOING_ON = (0.02, *(round(0.05 * i, 2) for i in range(1, 20)))
"""Quantiles of a model's confidence that may be thresholds: the share that goes on."""
LEAST_ANSWERS = 20
LEAST_ANSWERED_SHARE = 0.01
"""A step that takes fewer answers than these is not worth its place, and promises nothing."""
_DECIMALS = 7
"""Finer differences of a confidence near 1 are lost in float32."""


@dataclass(frozen=True, eq=False)
class Cascade:
    """A sequence of models with thresholds, and how it did."""

    sequence: tuple[Evidence, ...]
    thresholds: tuple[float, ...]
    """Chosen on all items; one for every step but the last."""
    fold_thresholds: tuple[tuple[float, ...], ...]
    """Chosen for the same target without the items of fold 0, 1, ..."""
    right: int
    """Acceptable answers to the `n` items, each under the thresholds of its own fold."""
    n: int
    reach: tuple[float, ...]
    """Per step, the share of items that come to it."""
    costs: tuple[float, ...]
    """Expected milliseconds per item, for each of `BATCH_SIZES`."""

    @property
    def accuracy(self) -> float:
        """Cross-fitted share of acceptable answers."""
        return self.right / self.n

    @property
    def name(self) -> str:
        """Its models and thresholds, for example `mlp>residual-cnn@0.94`."""
        models = ">".join(model.model for model in self.sequence)
        return f"{models}@{','.join(f'{t:.{_DECIMALS}g}' for t in self.thresholds)}"


@dataclass(frozen=True)
class Search:
    """Cascades that were chosen for some target, and how many thresholds were compared."""

    cascades: list[Cascade]
    considered: tuple[int, ...]
    """Per accepting step: thresholds, combined with those of earlier steps, over all models."""


def find_cascades(
    models: Sequence[Evidence], folds: NDArray[np.int64], progress: Progress
) -> Search:
    """The best thresholds for every target over every sequence of two or three models.

    Args:
        models: what a cascade can be made of, with confidences.
        folds: fold of each item, from 0 to `FOLDS` - 1, array of shape (n_items,).
        progress: told the share done.
    """
    grids = {model.model: threshold_grid(model) for model in models}
    cascades: list[Cascade] = []
    combinations: dict[tuple[str, ...], int] = {}
    found = sequences(models)
    for done, sequence in enumerate(found):
        progress(done / len(found))
        of_steps = [grids[model.model] for model in sequence[:-1]]
        cascades.extend(choose_thresholds(sequence, of_steps, folds))
        for k in range(1, len(sequence)):
            names = tuple(model.model for model in sequence[:k])
            combinations[names] = math.prod(len(grid) for grid in of_steps[:k])
    considered = [0] * (max(STEPS) - 1)
    for names, n in combinations.items():
        considered[len(names) - 1] += n
    return Search(cascades, tuple(considered))


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


def choose_thresholds(
    sequence: tuple[Evidence, ...], grids: Sequence[NDArray[np.float64]], folds: NDArray[np.int64]
) -> list[Cascade]:
    """The cascades of one sequence, one for each distinct choice over all targets.

    Where several targets lead to the same thresholds, the strictest one judges them.
    """
    whole, parts = count(sequence, grids, folds, FOLDS)
    answered = whole.answered[:-1]
    enough = max(LEAST_ANSWERS, LEAST_ANSWERED_SHARE * whole.n)
    usable = np.asarray((answered >= enough).all(axis=0))
    everything = _Options(sequence, whole, usable)
    others = [_Options(sequence, whole - part, usable) for part in parts]

    def thresholds(option: int) -> tuple[float, ...]:
        indices = np.unravel_index(option, usable.shape)
        return tuple(float(grid[i]) for grid, i in zip(grids, indices, strict=True))

    found: dict[int, Cascade] = {}
    for loss, b in itertools.product(LOSSES, reversed(range(len(BATCH_SIZES)))):
        chosen = everything.choose(loss, b)
        if chosen is None or chosen in found:
            continue
        without = [options.choose(loss, b) for options in others]
        of_folds = [option for option in without if option is not None]
        if len(of_folds) < FOLDS:
            continue  # out of reach for some: nothing to judge it by
        found[chosen] = Cascade(
            sequence=sequence,
            thresholds=thresholds(chosen),
            fold_thresholds=tuple(thresholds(option) for option in of_folds),
            right=sum(
                int(part.right.sum(axis=0).flat[option])
                for part, option in zip(parts, of_folds, strict=True)
            ),
            n=whole.n,
            reach=tuple(float(step.flat[chosen]) for step in everything.reach),
            costs=tuple(float(cost.flat[chosen]) for cost in everything.costs),
        )
    return list(found.values())


class _Options:
    """Every combination of thresholds of a sequence, with accuracy and cost on some items."""

    def __init__(
        self, sequence: Sequence[Evidence], counts: Counts, usable: NDArray[np.bool_]
    ) -> None:
        latencies = [model.latency for model in sequence]
        right = counts.right.sum(axis=0)
        self.reach = list(counts.reached / counts.n)
        self.costs = [expected_ms(latencies, self.reach, b) for b in BATCH_SIZES]
        self._gain = (right - counts.last_right) / counts.n
        # Cheapest first; of equals, the more accurate.
        self._orders = [
            order[usable.ravel()[order]]
            for order in (np.lexsort((-right.ravel(), cost.ravel())) for cost in self.costs)
        ]

    def choose(self, loss: float, b: int) -> int | None:
        """Flat index of the cheapest at `BATCH_SIZES[b]` that loses at most `loss`, if any does."""
        order = self._orders[b]
        good = self._gain.ravel()[order] >= -loss - 1e-12
        return int(order[good.argmax()]) if good.any() else None
