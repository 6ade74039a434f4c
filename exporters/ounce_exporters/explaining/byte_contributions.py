"""Contributions of the bytes of sentences, through what a graph looks up by them.

A graph looks up a row for each byte, or one for each n-gram of each size. An n-gram belongs to the
byte that it begins with.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.errors import ExportError

from ounce_exporters.explaining.tape import Tape
from ounce_exporters.training.byte_ngrams import SIZES

Values = Callable[[NDArray[np.uint8]], dict[str, NDArray[Any]]]
_LETTER = ord("z")


def of_bytes(tape: Tape, leaf: str, multiplier: str, n_bytes: int) -> str:
    """Contributions of all bytes through one tensor, shape (n, n_bytes).

    Args:
        tape: takes the nodes.
        leaf: the bytes themselves, of any shape, or what is looked up: of each byte, or of the
            n-grams of each size, size by size; shape (n, rows) or (n, rows, columns).
        multiplier: of the same shape.
        n_bytes: of all sentences of an item.

    Raises:
        ExportError: the tensor has another shape.
    """
    shape = tape.usual[leaf].shape[1:]
    if math.prod(shape) == n_bytes:
        return tape.reshape(tape.add("Mul", multiplier, tape.change(leaf)), (n_bytes,))
    if not shape or len(shape) > 2 or shape[0] not in (n_bytes, n_bytes * len(SIZES)):
        raise ExportError(f"tensor {leaf} has no row for each byte or n-gram")
    each = tape.add("Mul", multiplier, tape.change(leaf))
    if len(shape) == 2:
        each = tape.add("ReduceSum", each, np.array([2], np.int64), keepdims=0)
    if shape[0] == n_bytes:
        return each
    by_size = tape.reshape(each, (len(SIZES), n_bytes))
    return tape.add("ReduceSum", by_size, np.array([1], np.int64), keepdims=0)


def check_bytes(values: Values, texts: NDArray[np.uint8], leaf: str) -> None:
    """Whether a byte changes nothing but its own row, or those of n-grams that hold it.

    Args:
        values: gives all tensors for some texts.
        texts: some that the model has learned from, as bytes, shape (n, ...).
        leaf: to check.

    Raises:
        ExportError: it does.
    """
    flat = texts.reshape(len(texts), -1)
    n_bytes = flat.shape[1]
    places = np.count_nonzero(flat, axis=1) // 2
    changed = flat.copy()
    changed[np.arange(len(flat)), places] = _LETTER
    before, after = (values(each.reshape(texts.shape))[leaf] for each in (flat, changed))
    rows = n_bytes if before[0].size == n_bytes else before.shape[1]
    differs = (before != after).reshape(len(before), rows, -1).any(axis=2)
    text, row = np.nonzero(differs)
    ahead = row % n_bytes - places[text]
    if ((ahead > 0) | (ahead <= -max(SIZES))).any():
        raise ExportError(f"tensor {leaf} does not hold bytes or n-grams in their order")
