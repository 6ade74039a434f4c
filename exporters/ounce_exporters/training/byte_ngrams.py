"""Hashing byte n-grams by whole-number arithmetic, the same in NumPy, PyTorch and ONNX.

Upper-case ASCII letters count as lower-case ones; all other bytes of UTF-8 stand for themselves, so
that any script is read. The n-grams of 2 to 5 bytes from each position are numbers of that base,
modulo a prime: `h(n) = (h(n - 1) * FACTOR + byte) mod BUCKETS`, within int32. Zeros pad a text; an
n-gram of zeros alone, or of the hash 0, is none.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper
from ounce_edge.models.runtimes.text_bytes import encode_texts
from ounce_schemas.task import TaskSpec, TensorSpec

from ounce_exporters.recipe import Inputs

SIZES = (2, 3, 4, 5)
BUCKETS = 32_749
"""A prime; one table for each size."""
FACTOR = 60_013
"""BUCKETS * FACTOR + 255 is below 2^31."""
N_FEATURES = BUCKETS * len(SIZES)
LOWER = np.arange(256, dtype=np.int32)
LOWER[ord("A") : ord("Z") + 1] += 32


def text_tensor(task: TaskSpec) -> TensorSpec:
    """The task's input of sentences."""
    return next(tensor for tensor in task.inputs if tensor.text_bytes is not None)


def rest_of(task: TaskSpec) -> TaskSpec:
    """The task with its other inputs alone; it may have none."""
    rest = tuple(tensor for tensor in task.inputs if tensor.text_bytes is None)
    return task.model_copy(update={"inputs": rest})


def encode(task: TaskSpec, inputs: Inputs) -> NDArray[np.uint8]:
    """All texts of each item, one after the other; shape (n_items, n_texts * text_bytes)."""
    tensor = text_tensor(task)
    texts = inputs[tensor.name].reshape(-1, tensor.size)
    return encode_texts(texts, tensor.text_bytes or 0).reshape(len(texts), -1)


def hash_ngrams(encoded: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Features of each position and size, those of one size side by side.

    Args:
        encoded: texts as `encode` gives them; shape (n, n_bytes).

    Returns:
        Array of shape (n, 4 * n_bytes), in [0, N_FEATURES); multiples of BUCKETS are none.
    """
    n_bytes = encoded.shape[1]
    padded = np.pad(LOWER[encoded], ((0, 0), (0, SIZES[-1] - 1)))
    hashes, found = padded[:, :n_bytes], []
    for place, size in enumerate(SIZES):
        following = padded[:, size - 1 : size - 1 + n_bytes]
        hashes = (hashes * np.int32(FACTOR) + following) % np.int32(BUCKETS)
        found.append(hashes + np.int32(place * BUCKETS))
    return np.concatenate(found, axis=1)


def root_lengths(encoded: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Root of each text's bytes, at least 1; shape (n, 1). A long text has more n-grams."""
    sizes = np.count_nonzero(encoded, axis=1)[:, None].astype(np.float32)
    return np.asarray(np.sqrt(np.maximum(sizes, np.float32(1))))


def hashing_nodes(tensor: TensorSpec) -> tuple[list[NodeProto], dict[str, NDArray[Any]]]:
    """Nodes that read a tensor of sentences, and their constants. They write `features`, as
    `hash_ngrams` gives them, and `lengths`, as `root_lengths`. A constant `axis` is 1."""
    n_bytes = tensor.size * (tensor.text_bytes or 0)
    nodes = [
        helper.make_node("Flatten", [tensor.name], ["flat"], axis=1),
        helper.make_node("Cast", ["flat"], ["wide"], to=TensorProto.INT32),
        helper.make_node("Gather", ["lower", "wide"], ["lowered"]),
        helper.make_node("Pad", ["lowered", "pads"], ["padded"]),
    ]
    constants: dict[str, NDArray[Any]] = {
        "lower": LOWER,
        "pads": np.array([0, 0, 0, SIZES[-1] - 1], np.int64),
        "factor": np.array(FACTOR, np.int32),
        "buckets": np.array(BUCKETS, np.int32),
        "axis": np.array([1], np.int64),
        "zero": np.array(0, np.int32),
        "unit": np.array(1, np.int32),
        "least": np.array(1, np.float32),
    }
    hashes = "lowered"
    for place, size in enumerate(SIZES):
        constants |= {
            f"from_{size}": np.array([size - 1], np.int64),
            f"to_{size}": np.array([size - 1 + n_bytes], np.int64),
            f"offset_{size}": np.array(place * BUCKETS, np.int32),
        }
        bounds = [f"from_{size}", f"to_{size}", "axis"]
        nodes += [
            helper.make_node("Slice", ["padded", *bounds], [f"next_{size}"]),
            helper.make_node("Mul", [hashes, "factor"], [f"moved_{size}"]),
            helper.make_node("Add", [f"moved_{size}", f"next_{size}"], [f"number_{size}"]),
            helper.make_node("Mod", [f"number_{size}", "buckets"], [f"hash_{size}"]),
            helper.make_node("Add", [f"hash_{size}", f"offset_{size}"], [f"feature_{size}"]),
        ]
        hashes = f"hash_{size}"
    nodes += [
        helper.make_node("Concat", [f"feature_{s}" for s in SIZES], ["features"], axis=1),
        helper.make_node("Clip", ["lowered", "zero", "unit"], ["is_byte"]),
        helper.make_node("ReduceSum", ["is_byte", "axis"], ["n_bytes"], keepdims=1),
        helper.make_node("Cast", ["n_bytes"], ["n_real"], to=TensorProto.FLOAT),
        helper.make_node("Max", ["n_real", "least"], ["n_least"]),
        helper.make_node("Sqrt", ["n_least"], ["lengths"]),
    ]
    return nodes, constants
