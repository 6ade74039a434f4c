"""Texts of a request as the models have learned them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.cells import match_text, spellings
from ounce_schemas.task import TaskSpec


class KnownTexts:
    """The texts that a task's models have learned, of every column that lists them."""

    def __init__(self, task: TaskSpec) -> None:
        self._spellings = {
            spec.name: [spellings(cell.texts or ()) for cell in spec.cells]
            for spec in task.inputs
            if spec.datatype == "BYTES" and spec.cells is not None and spec.text_bytes is None
        }

    def read(self, name: str, row: Sequence[str]) -> Sequence[str]:
        """The texts of one item, each as the known one that is meant.

        Args:
            name: of the input.
            row: its texts, in the order of its columns.
        """
        known = self._spellings.get(name)
        return row if known is None else list(map(match_text, row, known))

    def unknown(self, inputs: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_] | None:
        """Items with a text that no model has learned, array of shape (n,); None: there is none.

        Args:
            inputs: as `read` gave them, by name; first axis the items.
        """
        marks = None
        for name, columns in self._spellings.items():
            texts = inputs[name].reshape(-1, len(columns))
            found = [any(t and k and t not in k for t, k in zip(row, columns, strict=True))
                     for row in texts.tolist()]  # fmt: skip
            if any(found):
                marks = np.array(found) if marks is None else marks | np.array(found)
        return marks
