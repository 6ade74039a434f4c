"""Figures by group: whether a model does as well for some rows as for others."""

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from ounce_edge.recommender.beliefs.measures import wilson
from ounce_schemas.card import AccuracyEstimate, GroupFigures, GroupTable
from ounce_schemas.task import TaskSpec
from pandas.api.types import is_numeric_dtype

from ounce_exporters.evaluation.figures import accepted
from ounce_exporters.ladder.recipe import TaskData

LEAST_ITEMS = 30
"""A group of fewer would show chance: its interval is wider than most differences."""
OTHERS, MISSING = "(all smaller groups)", "(missing)"
_MOST_NUMBERS = 10
"""Distinct numbers that are groups of their own; of more, quarters of the rows are."""
_QUARTERS = 4


def group_names(column: pd.Series) -> NDArray[np.object_]:
    """The group of each row: its text, its number, or the quarter that its number is in."""
    numeric = pd.to_numeric(column.replace("", np.nan), errors="coerce")
    if numeric.notna().sum() == (column != "").sum() and numeric.nunique() > _MOST_NUMBERS:
        column = numeric  # a text file holds numbers as texts
    if not is_numeric_dtype(column):
        texts = column.map(lambda text: text or MISSING)
        return texts.to_numpy(object)
    numbers = column.to_numpy(np.float64)
    known = numbers[np.isfinite(numbers)]
    names = np.full(len(numbers), MISSING, dtype=object)
    if len(np.unique(known)) <= _MOST_NUMBERS:
        for value in np.unique(known):
            names[numbers == value] = f"{value:g}"
        return names
    edges = np.unique(np.quantile(known, np.linspace(0, 1, _QUARTERS + 1)))
    for k, (low, high) in enumerate(pairwise(edges)):
        inside = (numbers > low) if k else (numbers >= low)
        names[inside & (numbers <= high)] = f"{low:g} to {high:g}"
    return names


def group_figures(
    task: TaskSpec, answers: NDArray[np.float32], data: TaskData
) -> GroupTable | None:
    """Figures by group; None where the data has no groups.

    Args:
        task: says which answers are acceptable.
        answers: calibrated, to the validation items; array of shape (n_items, output size).
        data: with the group of each validation item.
    """
    if data.groups is None:
        return None
    names, counts = np.unique(data.groups.names.astype(str), return_counts=True)
    large = [str(name) for name, n in zip(names, counts, strict=True) if n >= LEAST_ITEMS]
    merged = np.where(np.isin(data.groups.names.astype(str), large), data.groups.names, OTHERS)
    good = accepted(task, answers, data.validation.targets)
    rest = [OTHERS] if (merged == OTHERS).any() else []
    return GroupTable(
        column=data.groups.column,
        least_items=LEAST_ITEMS,
        groups=tuple(
            _figures(task, name, merged == name, good, answers, data.validation.targets)
            for name in [*large, *rest]
        ),
    )


def _figures(
    task: TaskSpec,
    name: str,
    here: NDArray[np.bool_],
    good: NDArray[np.bool_],
    answers: NDArray[np.float32],
    targets: NDArray[Any],
) -> GroupFigures:
    recall = false_alarms = None
    if len(task.labels) == 2:
        second = answers.argmax(axis=1) == 1
        recall = _share(second[here & (targets == 1)])
        false_alarms = _share(second[here & (targets == 0)])
    accuracy = _share(good[here])
    assert accuracy is not None  # a group has an item
    return GroupFigures(name=name, accuracy=accuracy, recall=recall, false_alarms=false_alarms)


def _share(hits: NDArray[np.bool_]) -> AccuracyEstimate | None:
    n = len(hits)
    if not n:
        return None
    value = int(hits.sum()) / n
    low, high = wilson(value, n)
    return AccuracyEstimate(value=value, low=low, high=high, n=n)
