"""Texts of a request as the models have learned them."""

from collections.abc import Sequence

from ounce_schemas.cells import match_text, spellings
from ounce_schemas.task import TaskSpec


class KnownTexts:
    """The texts that a task's models have learned, of every column that lists them."""

    def __init__(self, task: TaskSpec) -> None:
        self._spellings = {
            spec.name: [spellings(cell.texts or ()) for cell in spec.cells]
            for spec in task.inputs
            if spec.datatype == "BYTES" and spec.cells is not None
        }

    def read(self, name: str, row: Sequence[str]) -> Sequence[str]:
        """The texts of one item, each as the known one that is meant.

        Args:
            name: of the input.
            row: its texts, in the order of its columns.
        """
        known = self._spellings.get(name)
        return row if known is None else list(map(match_text, row, known))
