"""The parts of an input that contributions are of: columns, blocks of pixels, steps, bytes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.explanation import ExplainedText
from ounce_schemas.task import TaskSpec, TensorSpec

SEGMENTS = 16
"""Of texts, and of numbers without names."""
STEP_SEGMENTS = 8
"""Of a sequence."""
BLOCKS = 4
"""Of an image, down and across."""
_MOST_NUMBERS = 32
"""Numbers without names that are parts of their own."""


@dataclass(frozen=True)
class Part:
    """Some elements of one input tensor."""

    name: str
    tensor: str
    mask: NDArray[np.bool_]
    """Which of an item's elements, as the graph reads them."""


def parts_of(task: TaskSpec) -> list[Part]:
    """The parts of a task's inputs, in order; each element is in one of them."""
    parts = []
    for tensor in task.inputs:
        shape = graph_shape(tensor)
        for name, elements in _named(tensor, shape):
            mask = np.zeros(shape, dtype=bool)
            mask[elements] = True
            parts.append(Part(name, tensor.name, mask))
    return parts


def texts_of(task: TaskSpec) -> dict[str, ExplainedText]:
    """The texts among a task's inputs, by name."""
    found = {}
    for tensor in task.inputs:
        for place in range(tensor.size if tensor.text_bytes is not None else 0):
            name = tensor.columns[place] if tensor.columns else tensor.name
            size_bytes = tensor.text_bytes or 0
            found[name] = ExplainedText(tensor=tensor.name, place=place, size_bytes=size_bytes)
    return found


def places_of(parts: Sequence[Part], tensor: str) -> NDArray[np.intp]:
    """The part that each element of a tensor is in; shape of an item, as the graph reads it."""
    masks = np.stack([part.mask for part in parts if part.tensor == tensor])
    first = next(i for i, part in enumerate(parts) if part.tensor == tensor)
    return np.asarray(first + masks.argmax(axis=0))


def graph_shape(tensor: TensorSpec) -> tuple[int, ...]:
    """Shape of an item as a graph reads it: texts byte by byte."""
    return tensor.shape if tensor.text_bytes is None else (*tensor.shape, tensor.text_bytes)


def _named(
    tensor: TensorSpec, shape: tuple[int, ...]
) -> Iterator[tuple[str, tuple[slice | NDArray[np.intp] | int, ...]]]:
    """Names of parts, and where they are."""
    if tensor.text_bytes is not None:
        for place in np.ndindex(*tensor.shape):
            number = int(np.ravel_multi_index(place, tensor.shape))
            text = tensor.columns[number] if tensor.columns else tensor.name
            for some in _segments(tensor.text_bytes, SEGMENTS):
                yield f"{text} bytes {_range(some)}", (*place, some)
    elif tensor.datatype == "UINT8":
        for rows in _segments(shape[0], BLOCKS):
            for columns in _segments(shape[1], BLOCKS):
                yield f"rows {_range(rows)} columns {_range(columns)}", (rows, columns)
    elif tensor.channels is not None:
        for steps in _segments(shape[0], STEP_SEGMENTS):
            yield f"steps {_range(steps)}", (steps,)
    else:
        numbers = np.arange(tensor.size)
        if tensor.columns is None and tensor.size > _MOST_NUMBERS:
            for some in _segments(tensor.size, SEGMENTS):
                yield f"{tensor.name} {_range(some)}", np.unravel_index(numbers[some], shape)
            return
        for i in numbers.tolist():
            name = tensor.columns[i] if tensor.columns else f"{tensor.name} {i}"
            yield name, np.unravel_index(numbers[i : i + 1], shape)


def _segments(n: int, most: int) -> list[slice]:
    """Neighbours that are as even as they can be."""
    ends = np.linspace(0, n, min(n, most) + 1).round().astype(int).tolist()
    return [slice(a, b) for a, b in pairwise(ends)]


def _range(some: slice) -> str:
    first, last = int(some.start), int(some.stop) - 1
    return str(first) if first == last else f"{first}-{last}"
