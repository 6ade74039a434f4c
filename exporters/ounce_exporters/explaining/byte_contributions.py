"""Contributions of the bytes of sentences, through what a graph looks up by them.

A graph looks up a row for each byte, or one for each n-gram of each size. An n-gram belongs to the
byte that it begins with.
"""

from collections.abc import Sequence

import numpy as np
import onnx
from ounce_schemas.errors import ExportError
from ounce_schemas.task import TaskSpec

from ounce_exporters.explaining.parts import graph_shape
from ounce_exporters.explaining.tape import Tape, evaluate
from ounce_exporters.training.byte_ngrams import SIZES

_LETTERS = (ord("a"), ord("z"))


def of_bytes(tape: Tape, leaf: str, multiplier: str, n_bytes: int) -> str:
    """Contributions of all bytes through one tensor, shape (n, n_bytes).

    Args:
        tape: takes the nodes.
        leaf: what is looked up: of each byte, or of the n-grams of each size, size by size; shape
            (n, rows) or (n, rows, columns).
        multiplier: of the same shape.
        n_bytes: of all sentences of an item.

    Raises:
        ExportError: the tensor has another shape.
    """
    shape = tape.usual[leaf].shape[1:]
    if not shape or len(shape) > 2 or shape[0] not in (n_bytes, n_bytes * len(SIZES)):
        raise ExportError(f"tensor {leaf} has no row for each byte or n-gram")
    each = tape.add("Mul", multiplier, tape.change(leaf))
    if len(shape) == 2:
        each = tape.add("ReduceSum", each, np.array([2], np.int64), keepdims=0)
    if shape[0] == n_bytes:
        return each
    by_size = tape.reshape(each, (len(SIZES), n_bytes))
    return tape.add("ReduceSum", by_size, np.array([1], np.int64), keepdims=0)


def check_bytes(
    graph: onnx.ModelProto, task: TaskSpec, leaves: Sequence[str], n_bytes: int
) -> None:
    """Whether a byte changes nothing but its own row, or those of n-grams that hold it.

    Raises:
        ExportError: it does.
    """
    rng = np.random.default_rng(0)
    (tensor,) = task.inputs
    texts = rng.integers(*_LETTERS, (2, n_bytes), dtype=np.uint8)
    changed = n_bytes // 2
    texts[1] = texts[0]
    texts[1, changed] = _LETTERS[1]
    found = evaluate(graph, {tensor.name: texts.reshape(2, *graph_shape(tensor))})
    for leaf in leaves:
        before, after = found[leaf]
        moved = np.flatnonzero((before != after).reshape(len(before), -1).any(axis=1)) % n_bytes
        if ((moved > changed) | (moved <= changed - max(SIZES))).any():
            raise ExportError(f"tensor {leaf} does not hold bytes or n-grams in their order")
