"""One request of a task that a person can send: a real item of its test split."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.task import TaskSpec, TensorSpec
from ounce_schemas.topics import requests_topic

from ounce_exporters.ladder.recipe import Split

EXAMPLE_FILE = "example-request.json"
"""Beside `task.json`: the JSON body in one line."""
_MOST_SHOWN = 12
"""Numbers of a tensor or bytes of a body that are shown; the file holds all."""
_MAX_LATENCY_MS, _MIN_ACCURACY = 100, 0.9


@dataclass(frozen=True)
class ExampleRequest:
    """The same item in both body formats."""

    topic: str
    body: str
    """Open Inference Protocol V2, one line."""
    shortened: str
    """`body` for people: long lists are cut."""
    columns: tuple[str, ...]
    """A line for each tensor that has named columns."""
    raw: bytes | None
    """The tensor's bytes; None where the task has other inputs than one of numbers."""
    raw_holds: str = ""
    """What the raw bytes are."""
    row: str | None = None
    """Flat JSON by column names; None where the task has none, many, or parts of dates."""

    @property
    def lines(self) -> list[str]:
        """What a person must know to send it."""
        found = [f"JSON  {self.shortened}", *self.columns]
        if self.row is not None:
            found.insert(0, f"row   {self.row}")
        if self.raw is not None:
            start = self.raw[:_MOST_SHOWN].hex(" ", 4)
            more = " ..." if len(self.raw) > _MOST_SHOWN else ""
            found.append(f"raw   {len(self.raw):,} bytes, {self.raw_holds}: {start}{more}")
        return found


def example_request(task: TaskSpec, items: Split) -> ExampleRequest:
    """The first of some items as a request.

    Args:
        task: the task.
        items: at least one.
    """
    arrays = {tensor.name: items.inputs[tensor.name][0] for tensor in task.inputs}
    whole = _request(task, {name: _plain(array) for name, array in arrays.items()})
    short = _request(task, {name: _cut(_plain(array)) for name, array in arrays.items()})
    first = task.inputs[0]
    raw = arrays[first.name].tobytes() if task.accepts_raw else None
    holds = f"{first.size:,} little-endian float32"
    if task.image is not None:
        holds = "{} rows of {} pixels of {}; or a PNG or JPEG file".format(*task.image.shape)
    return ExampleRequest(
        topic=requests_topic(task.name),
        body=json.dumps(whole, ensure_ascii=False),
        shortened=json.dumps(short, ensure_ascii=False).replace('"..."', "..."),
        columns=tuple(_columns(tensor) for tensor in task.inputs if tensor.columns),
        raw=raw,
        raw_holds=holds,
        row=_row(task, {name: _plain(array) for name, array in arrays.items()}),
    )


def _request(task: TaskSpec, data: dict[str, list[Any]]) -> dict[str, Any]:
    return {
        "id": "example-1",
        "inputs": [
            {
                "name": tensor.name,
                "shape": [1, *tensor.shape],
                "datatype": tensor.datatype,
                "data": data[tensor.name],
            }
            for tensor in task.inputs
        ],
        "parameters": {"max_latency_ms": _MAX_LATENCY_MS, "min_accuracy": _MIN_ACCURACY},
    }


def _row(task: TaskSpec, data: dict[str, list[Any]]) -> str | None:
    """The item as it stands in the table; what is missing is left out."""
    if any(tensor.cells is None for tensor in task.inputs):
        return None
    pairs = [
        (cell, value)
        for tensor in task.inputs
        for cell, value in zip(tensor.cells or (), data[tensor.name], strict=True)
    ]
    if len(pairs) > _MOST_SHOWN or any(cell.read not in ("number", "text") for cell, _ in pairs):
        return None
    row = {
        cell.column: value if isinstance(value, str) else value + (cell.offset or 0.0)
        for cell, value in pairs
        if value not in (None, "")
    }
    return json.dumps(row, ensure_ascii=False)


def _plain(array: NDArray[Any]) -> list[Any]:
    """Flat, as JSON holds it: float32 with the fewest digits that give it again, NaN as null."""
    flat = array.ravel()
    if flat.dtype == object:
        return [str(text) for text in flat]
    if flat.dtype == np.uint8:
        return [int(number) for number in flat]
    return [None if np.isnan(number) else float(str(number)) for number in flat]


def _cut(data: list[Any]) -> list[Any]:
    return data if len(data) <= _MOST_SHOWN else [*data[:_MOST_SHOWN], "..."]


def _columns(tensor: TensorSpec) -> str:
    missing = "null" if tensor.datatype == "FP32" else 'the empty text ""'
    note = f"; {missing} where missing" if tensor.allow_missing else ""
    return f"      {tensor.name}: {', '.join(tensor.columns or ())}{note}"
