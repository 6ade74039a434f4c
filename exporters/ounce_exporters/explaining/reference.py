"""The input that nothing is known of: what replaces a part whose contribution is measured."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.task import TaskSpec, TensorSpec

from ounce_exporters.ladder.recipe import Inputs, TaskData

_ROWS = 10_000
Reference = dict[str, NDArray[Any]]
"""One item by tensor, shape (1, *item shape)."""


def find_reference(data: TaskData) -> Reference:
    """Medians of numbers, the most frequent of texts; of images and sequences the mean of each
    channel; the empty sentence. Of an anomaly task all are those of normal items."""
    split = data.train if len(data.train) else data.validation
    items = split.inputs
    if data.spec.kind == "anomaly":
        normal = np.flatnonzero(split.targets == 0)
        items = {name: array[normal] for name, array in items.items()}
    return {tensor.name: _usual(tensor, items) for tensor in data.spec.inputs}


def as_told(task: TaskSpec, reference: Reference) -> dict[str, tuple[float | str | None, ...]]:
    """The reference as a card holds it: a value of each column or channel."""
    told = {}
    for tensor in task.inputs:
        values = reference[tensor.name][0]
        if _by_channel(tensor):
            values = values.reshape(-1, values.shape[-1])[0]
        told[tensor.name] = tuple(map(_plain, values.ravel()))
    return told


def _usual(tensor: TensorSpec, items: Inputs) -> NDArray[Any]:
    array = items[tensor.name][:_ROWS]
    shape = (1, *tensor.shape)
    if tensor.text_bytes is not None:
        return np.full(shape, "", dtype=object)
    if tensor.datatype == "BYTES":
        columns = array.reshape(len(array), -1).T
        return np.array([_commonest(column) for column in columns], object).reshape(shape)
    if _by_channel(tensor):
        rows = array.reshape(-1, array.shape[-1]).astype(np.float64)
        means = np.nan_to_num(np.nanmean(rows, axis=0))
        means = means.round() if tensor.datatype == "UINT8" else means
        return np.broadcast_to(means, shape).astype(array.dtype)
    columns = array.reshape(len(array), -1)
    known = ~np.isnan(columns).all(axis=0)
    medians = np.zeros(columns.shape[1])
    medians[known] = np.nanmedian(columns[:, known], axis=0)
    return medians.reshape(shape).astype(np.float32)


def _by_channel(tensor: TensorSpec) -> bool:
    return tensor.datatype == "UINT8" or tensor.channels is not None


def _commonest(texts: NDArray[Any]) -> str:
    found, counts = np.unique(texts.astype(str), return_counts=True)
    return str(found[counts.argmax()])


def _plain(value: Any) -> float | str | None:
    return value if isinstance(value, str) else float(f"{float(value):.9g}")
