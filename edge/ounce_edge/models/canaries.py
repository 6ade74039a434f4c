"""Whether a model answers its card's canaries as it did when it was made."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.card import Canaries
from ounce_schemas.errors import ArtifactError
from ounce_schemas.task import TaskSpec, TensorSpec
from ounce_schemas.wording import counted

from ounce_edge.models.runtimes.base import LoadedModel

PROBABILITY_LIMIT = 0.01
"""Another processor rounds otherwise; another model differs by more."""
VALUE_LIMIT = 0.05
"""Share of the task's tolerance by which a value may differ."""


def check_canaries(model: LoadedModel, task: TaskSpec, canaries: Canaries) -> None:
    """Run the canaries.

    Raises:
        ArtifactError: they are not of the task, or the model answers one of them otherwise.
        Exception: the model fails.
    """
    wanted: NDArray[np.float64] = np.array(canaries.answers, np.float64, ndmin=2)
    if wanted.shape[1] != task.output.size or canaries.inputs.keys() != {
        t.name for t in task.inputs
    }:
        raise ArtifactError("its canaries are not of the task")
    n = len(wanted)
    found = model.run({t.name: _array(t, n, canaries.inputs[t.name]) for t in task.inputs})
    differs = ~(np.abs(found - wanted) <= answer_limit(task)).all(axis=1)
    if differs.any():
        first = int(np.flatnonzero(differs)[0])
        raise ArtifactError(
            f"answers {differs.sum()} of {n} canaries otherwise than when it was made: "
            f"{np.round(found[first], 4).tolist()} where its card has "
            f"{np.round(wanted[first], 4).tolist()}"
        )


def answer_limit(task: TaskSpec) -> float:
    """By how much a probability or value may differ elsewhere."""
    if task.kind == "regression":
        return VALUE_LIMIT * (task.tolerance or 0.0)
    return PROBABILITY_LIMIT


def _array(spec: TensorSpec, n: int, values: Sequence[float | str | None]) -> NDArray[Any]:
    if len(values) != n * spec.size:
        raise ArtifactError(f"its canaries have {counted(len(values), 'value')} of {spec.name!r}")
    try:
        if spec.datatype == "BYTES":
            array = np.array(["" if value is None else str(value) for value in values], object)
        else:
            array = np.array([np.nan if v is None else float(v) for v in values], np.float32)
            array = array.astype(np.uint8) if spec.datatype == "UINT8" else array
    except ValueError as e:
        raise ArtifactError(f"its canaries have other values than {spec.name!r} takes") from e
    return array.reshape(n, *spec.shape)
