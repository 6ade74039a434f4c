"""Values that are missing where no row that the models have learned missed one."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.task import TaskSpec, TensorSpec


class UnseenMissing:
    """Finds them, in every column that is known to have had no gap.

    Args:
        task: its `cells` say which columns had gaps.
    """

    def __init__(self, task: TaskSpec) -> None:
        whole = ((spec, _whole_columns(spec)) for spec in task.inputs)
        self._whole = [(spec.name, spec.size, columns) for spec, columns in whole if columns]

    def find(self, inputs: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_] | None:
        """Items with such a value, array of shape (n,); None: there is none. There may be no items.

        Args:
            inputs: arrays of shape (n, ...) by name; NaN or the empty text is missing.
        """
        marks = None
        for name, size, columns in self._whole:
            values = inputs[name].reshape(-1, size)[:, columns]
            is_missing = values == "" if values.dtype == object else np.isnan(values)
            found = is_missing.any(axis=1)
            if found.any():
                marks = found if marks is None else marks | found
        return marks


def _whole_columns(spec: TensorSpec) -> list[int]:
    if not spec.allow_missing:
        return []
    return [i for i, cell in enumerate(spec.cells or ()) if cell.gaps is False]
