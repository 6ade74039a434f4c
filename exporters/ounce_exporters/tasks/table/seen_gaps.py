"""Which columns have gaps in the rows that a task's models learn."""

from dataclasses import replace

import numpy as np
from ounce_schemas.task import TensorSpec

from ounce_exporters.ladder.recipe import Split, TaskData


def with_seen_gaps(data: TaskData) -> TaskData:
    """The task whose cells say whether a training row has a gap there: a worker marks answers to
    rows with other gaps."""
    inputs = tuple(_with_gaps(tensor, data.train) for tensor in data.spec.inputs)
    return replace(data, spec=data.spec.model_copy(update={"inputs": inputs}))


def _with_gaps(tensor: TensorSpec, train: Split) -> TensorSpec:
    if tensor.cells is None:
        return tensor
    values = train.inputs[tensor.name]
    are_gaps = np.asarray(values == "" if tensor.datatype == "BYTES" else np.isnan(values))
    cells = tuple(
        cell.model_copy(update={"gaps": bool(column.any())})
        for cell, column in zip(tensor.cells, are_gaps.T, strict=True)
    )
    return tensor.model_copy(update={"cells": cells})
