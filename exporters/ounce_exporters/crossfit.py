"""Training a model so that it learns from every row that it may, and is judged by none of them.

Where rows are few, those that are kept back to calibrate and judge a model are missed by it. So the
rows are divided into folds. Each fold is answered by a model that learned from all other rows.
Together these answers calibrate and judge the recipe. The model that is shipped then learns from
all rows (cross-fitting: M. Stone, "Cross-Validatory Choice and Assessment of Statistical
Predictions", JRSS B 36, 1974). It has seen more rows than the models that were judged, so what is
promised of it errs on the safe side.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ounce_exporters.recipe import FittedModel, Progress, Recipe, Split, TaskData
from ounce_exporters.sampling import sample_rows

NEVER_HELD_OUT = -1
"""Fold of a row that every model learns from."""


@dataclass(frozen=True)
class Trained:
    """A model, and answers by which it may be judged."""

    model: FittedModel
    validation_outputs: NDArray[np.float32]
    """For each validation item, the uncalibrated answer of a model that has not learned from it;
    array of shape (n_items, output size)."""
    n_sampled: int | None = None
    """Rows that the model has learned from, where these were not all."""
    judge: FittedModel | None = None
    """With folds: the model that has not learned from the first of them."""


def train(recipe: Recipe, data: TaskData, seed: int, progress: Progress) -> Trained:
    """Fit the model of a recipe, and as many others as the data has folds.

    Args:
        recipe: makes the model.
        data: with folds, or with a validation split that is apart.
        seed: of everything that is random.
        progress: told the share of all fits that is done.
    """
    if data.folds is None:
        learned = sample(data, recipe.most_rows, seed)
        model = recipe.fit(learned, seed, progress)
        return Trained(model, model.predict(data.validation.inputs), _fewer(learned, data))
    held_out = data.folds[data.folds != NEVER_HELD_OUT]
    numbers = np.unique(held_out).tolist()
    n_fits = len(numbers) + 1
    outputs: NDArray[np.float32] | None = None
    first: FittedModel | None = None
    for done, fold in enumerate(numbers):
        part = sample(taught_by(data, data.folds != fold), recipe.most_rows, seed)
        judge = recipe.fit(part, seed, _share_of(progress, done, n_fits))
        here = held_out == fold
        answers = judge.predict(select(data.validation, here).inputs)
        if outputs is None:
            first = judge
            outputs = np.empty((len(held_out), answers.shape[1]), np.float32)
        outputs[here] = answers
    assert outputs is not None  # there is a fold
    learned = sample(data, recipe.most_rows, seed)
    model = recipe.fit(learned, seed, _share_of(progress, n_fits - 1, n_fits))
    return Trained(model, outputs, _fewer(learned, data), first)


def sample(data: TaskData, most_rows: int | None, seed: int) -> TaskData:
    """The same data with at most so many rows to learn from, each class in its share."""
    if most_rows is None or len(data.train) <= most_rows:
        return data
    chosen = np.zeros(len(data.train), np.bool_)
    chosen[sample_rows(data.train.targets, most_rows, seed)] = True
    folds = None if data.folds is None else data.folds[chosen]
    return replace(taught_by(data, chosen), folds=folds)


def taught_by(data: TaskData, chosen: NDArray[np.bool_]) -> TaskData:
    """The same data without folds, with some of its rows to learn from; shape (n_train,)."""
    units = None if data.units is None else data.units[chosen]
    return replace(data, train=select(data.train, chosen), folds=None, units=units)


def _fewer(learned: TaskData, data: TaskData) -> int | None:
    n = len(learned.train)
    return n if n < len(data.train) else None


def select(split: Split, chosen: NDArray[np.bool_]) -> Split:
    """Some items of a split; `chosen` has shape (n_items,)."""
    inputs = {name: array[chosen] for name, array in split.inputs.items()}
    return Split(inputs, split.targets[chosen])


def _share_of(progress: Progress, done: int, n_fits: int) -> Progress:
    return lambda share: progress((done + share) / n_fits)
