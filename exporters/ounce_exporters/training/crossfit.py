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

from ounce_exporters.ladder.recipe import FittedModel, Progress, Recipe, Split, TaskData
from ounce_exporters.training.sampling import sample_rows

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
    learned = sample(data, recipe.most_rows, seed)
    if data.folds is None:
        model = recipe.fit(learned, seed, progress)
        return Trained(model, model.predict(data.validation.inputs), _fewer(learned, data))
    share = 1 / (len(np.unique(data.folds[data.folds != NEVER_HELD_OUT])) + 1)
    outputs, first = out_of_fold(recipe, data, seed, lambda done: progress((1 - share) * done))
    model = recipe.fit(learned, seed, lambda done: progress(1 - share + share * done))
    return Trained(model, outputs, _fewer(learned, data), first)


def out_of_fold(
    recipe: Recipe, data: TaskData, seed: int, progress: Progress
) -> tuple[NDArray[np.float32], FittedModel]:
    """Answer each validation row by a model that has not learned from its fold.

    Args:
        recipe: makes the models.
        data: with folds.
        seed: of everything that is random.
        progress: told the share of these fits that is done.

    Returns:
        Uncalibrated answers, shape (n_validation, output size); and the first fold's model.
    """
    assert data.folds is not None
    held_out = data.folds[data.folds != NEVER_HELD_OUT]
    numbers = np.unique(held_out).tolist()
    outputs: NDArray[np.float32] | None = None
    first: FittedModel | None = None
    for done, fold in enumerate(numbers):
        part = sample(taught_by(data, data.folds != fold), recipe.most_rows, seed)
        judge = recipe.fit(part, seed, _share_of(progress, done, len(numbers)))
        here = held_out == fold
        answers = judge.predict(select(data.validation, here).inputs)
        if outputs is None:
            first = judge
            outputs = np.empty((len(held_out), answers.shape[1]), np.float32)
        outputs[here] = answers
    assert outputs is not None  # there is a fold
    assert first is not None
    return outputs, first


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


def select(split: Split, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Split:
    """Some items of a split; `chosen` says whether, shape (n_items,), or gives their places."""
    inputs = {name: array[chosen] for name, array in split.inputs.items()}
    soft = None if split.soft is None else split.soft[chosen]
    return Split(inputs, split.targets[chosen], soft)


def _share_of(progress: Progress, done: int, n_fits: int) -> Progress:
    return lambda share: progress((done + share) / n_fits)
