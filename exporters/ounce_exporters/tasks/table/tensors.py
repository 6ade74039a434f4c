"""The input tensors of a task, made of the columns of its table."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.task import TensorSpec

from ounce_exporters.tasks.table.columns import InputColumn
from ounce_exporters.tasks.table.sentences import TEXT_INPUT, bytes_to_read, cut

NUMERIC_INPUT = "input"
CATEGORICAL_INPUT = "categories"


class Tensors(NamedTuple):
    """What models read."""

    specs: tuple[TensorSpec, ...]
    arrays: dict[str, NDArray[Any]]
    """Of all rows, by name."""


def make_tensors(inputs: Sequence[InputColumn]) -> Tensors:
    """Numbers, categories and sentences side by side, each kind in a tensor of its own."""
    tensors = {
        NUMERIC_INPUT: [column for column in inputs if column.is_number],
        CATEGORICAL_INPUT: [column for column in inputs if column.cell.read == "text"],
        TEXT_INPUT: [column for column in inputs if column.cell.read == "sentence"],
    }
    n_bytes = bytes_to_read([column.values for column in tensors[TEXT_INPUT]])
    tensors[TEXT_INPUT] = [
        replace(column, values=cut(column.values, n_bytes)) for column in tensors[TEXT_INPUT]
    ]
    present = {tensor: columns for tensor, columns in tensors.items() if columns}
    return Tensors(
        tuple(_tensor(tensor, columns, n_bytes) for tensor, columns in present.items()),
        {
            tensor: np.stack([column.values for column in columns], axis=1)
            for tensor, columns in present.items()
        },
    )


def _tensor(name: str, columns: Sequence[InputColumn], n_bytes: int) -> TensorSpec:
    return TensorSpec(
        name=name,
        datatype="FP32" if name == NUMERIC_INPUT else "BYTES",
        shape=(len(columns),),
        columns=tuple(column.name for column in columns),
        cells=tuple(column.cell for column in columns),
        allow_missing=True,
        text_bytes=n_bytes if name == TEXT_INPUT else None,
    )
