"""Folds for cross-fitting: rows that validated alone teach the model that is shipped, too."""

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

from ounce_exporters.ladder.recipe import Split, TaskData
from ounce_exporters.training.crossfit import NEVER_HELD_OUT

N_FOLDS = 4
MOST_ROWS = 20_000
"""With more rows the validation split is the only fold: it is large enough to judge by. Every
further fold would cost a fit as long as the last."""
ENOUGH_ROWS = 200_000
"""With more rows in training alone, those that validate would teach a model nothing."""


def with_folds(data: TaskData, seed: int, most_rows: int | None = None) -> TaskData:
    """The same task, whose models learn from the training and the validation rows.

    Where rows are of units, no fold holds rows of a unit that another one holds. Where a class is
    of so few units that a fold would hold all its rows, the validation split is the only fold.

    Args:
        data: split by chance or by unit, without folds.
        seed: fixes which row or unit goes into which fold.
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
    units = None
    if data.units is not None and data.clusters is not None:
        units = np.concatenate([data.units, data.clusters])
    most = MOST_ROWS if most_rows is None else most_rows
    folds = None if n > most else divide(data, everything.targets, units, seed)
    if folds is None:
        folds = np.where(np.arange(n) < n_train, NEVER_HELD_OUT, 0)
        return replace(data, train=everything, units=units, folds=folds)
    return replace(
        data, train=everything, validation=everything, units=units, clusters=units, folds=folds
    )


def divide(
    data: TaskData, targets: NDArray[Any], units: NDArray[np.int64] | None, seed: int
) -> NDArray[np.int64] | None:
    """Fold of each row; None where the rows outside a fold would lack a class.

    Args:
        data: its task is what matters.
        targets: of the rows, shape (n_rows,).
        units: whose each row is; all rows of one are in one fold. None: rows are apart.
        seed: fixes which row or unit goes into which fold.
    """
    classifies = data.spec.classifies
    kind: Any
    if units is None:
        n_folds, kind = N_FOLDS, StratifiedKFold if classifies else KFold
    else:
        n_folds = min(N_FOLDS, len(np.unique(units)))
        kind = StratifiedGroupKFold if classifies else GroupKFold
    folds = np.empty(len(targets), np.int64)
    splitter = kind(n_folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class of fewer units than folds
        parts = list(splitter.split(targets, targets, units))
    for number, (others, held_out) in enumerate(parts):
        if classifies and len(np.unique(targets[others])) < len(data.spec.labels):
            return None
        folds[held_out] = number
    return folds
