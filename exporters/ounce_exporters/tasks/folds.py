"""Folds for cross-fitting: rows that validated alone teach the model that is shipped, too."""

from dataclasses import replace

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold

from ounce_exporters.crossfit import NEVER_HELD_OUT
from ounce_exporters.recipe import Split, TaskData

N_FOLDS = 4
MOST_ROWS = 20_000
"""With more rows the validation split alone is large enough to judge by, and is one fold: every
further fold would cost a fit as long as the last."""
ENOUGH_ROWS = 200_000
"""With more rows in training alone, those that validate would teach a model nothing."""


def with_folds(data: TaskData, seed: int, most_rows: int | None = None) -> TaskData:
    """The same task, whose models learn from the training and the validation rows.

    Args:
        data: split by chance, without folds.
        seed: fixes which row goes into which fold.
        most_rows: with more rows the validation split is the only fold; default: `MOST_ROWS`.
    """
    train, validation = data.train, data.validation
    if len(train) > ENOUGH_ROWS:
        return data
    n_train, n = len(train), len(train) + len(validation)
    everything = Split(
        {
            name: np.concatenate([train.inputs[name], validation.inputs[name]])
            for name in train.inputs
        },
        np.concatenate([train.targets, validation.targets]),
    )
    if n > (MOST_ROWS if most_rows is None else most_rows):
        folds = np.where(np.arange(n) < n_train, NEVER_HELD_OUT, 0)
        return replace(data, train=everything, folds=folds)
    kind = StratifiedKFold if data.spec.classifies else KFold
    folds = np.empty(n, np.int64)
    splitter = kind(N_FOLDS, shuffle=True, random_state=seed)
    for number, (_, held_out) in enumerate(splitter.split(everything.targets, everything.targets)):
        folds[held_out] = number
    return replace(data, train=everything, validation=everything, folds=folds)
