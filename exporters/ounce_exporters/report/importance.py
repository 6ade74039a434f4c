"""Permutation importance: what a task's measure loses where one input is shuffled.

Source: L. Breiman, "Random Forests", Machine Learning 45, 2001.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_edge.models.runtimes.base import LoadedModel
from ounce_schemas.card import Importance
from ounce_schemas.task import TaskSpec

from ounce_exporters.evaluation.figures import estimate_accuracy
from ounce_exporters.ladder.recipe import Split

_ROWS = 500
_REPEATS = 3
MOST_INPUTS = 100
"""Of more, each takes a call of all rows for each repeat."""


def find_importances(task: TaskSpec, model: LoadedModel, items: Split) -> tuple[Importance, ...]:
    """Shuffle each named input of a task in turn.

    Args:
        task: says how answers are measured.
        model: as it is served.
        items: that it has not learned from; the first 500 are used.

    Returns:
        One for each column; none where columns have no names or are more than 100.
    """
    named = [(t, i, name) for t in task.inputs for i, name in enumerate(t.columns or ())]
    if not 0 < len(named) <= MOST_INPUTS:
        return ()
    inputs = {name: array[:_ROWS] for name, array in items.inputs.items()}
    targets = items.targets[:_ROWS]
    rng = np.random.default_rng(0)

    def accuracy(given: dict[str, NDArray[Any]]) -> float:
        return estimate_accuracy(task, model.run(given), targets).value

    whole = accuracy(inputs)
    found = []
    for tensor, index, name in named:
        losses = []
        for _ in range(_REPEATS):
            shuffled = inputs[tensor.name].copy()
            flat = shuffled.reshape(len(shuffled), -1)
            flat[:, index] = flat[rng.permutation(len(flat)), index]
            losses.append(whole - accuracy({**inputs, tensor.name: shuffled}))
        found.append(
            Importance(input=name, lost=float(np.mean(losses)), spread=float(np.std(losses)))
        )
    return tuple(found)
