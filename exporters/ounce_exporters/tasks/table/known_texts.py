"""The texts that a task's models learn, and every text read as a worker reads it."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.cells import match_text, spellings
from ounce_schemas.task import TensorSpec

from ounce_exporters.ladder.recipe import Split, TaskData

LEAST_ROWS_PER_TEXT = 2
"""A text of fewer training rows is as unknown to the models as one that never came."""


def with_known_texts(data: TaskData) -> TaskData:
    """The task with the texts of its training rows, and all rows' texts by their known spelling."""
    inputs = tuple(_with_texts(tensor, data.train) for tensor in data.spec.inputs)
    spec = data.spec.model_copy(update={"inputs": inputs})
    train, validation, test = (
        Split(
            {t.name: _as_served(t, part.inputs[t.name]) for t in inputs},
            part.targets,
        )
        for part in (data.train, data.validation, data.test)
    )
    return replace(data, spec=spec, train=train, validation=validation, test=test)


def _with_texts(tensor: TensorSpec, train: Split) -> TensorSpec:
    if not _has_categories(tensor):
        return tensor
    cells = []
    for cell, column in zip(tensor.cells or (), train.inputs[tensor.name].T, strict=True):
        counts = Counter(column)
        known = sorted(t for t, n in counts.items() if t and n >= LEAST_ROWS_PER_TEXT)
        cells.append(cell.model_copy(update={"texts": tuple(known)}))
    return tensor.model_copy(update={"cells": tuple(cells)})


def _has_categories(tensor: TensorSpec) -> bool:
    return tensor.datatype == "BYTES" and tensor.cells is not None and tensor.text_bytes is None


def _as_served(tensor: TensorSpec, array: NDArray[Any]) -> NDArray[Any]:
    if not _has_categories(tensor):
        return array
    result = np.empty_like(array)
    for i, cell in enumerate(tensor.cells or ()):
        known = spellings(cell.texts or ())
        by_text = {text: match_text(text, known) for text in set(array[:, i])}
        result[:, i] = [by_text[text] for text in array[:, i]]
    return result
