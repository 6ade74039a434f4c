"""Hashing byte n-grams by whole-number arithmetic, the same in NumPy, PyTorch and ONNX.

Upper-case ASCII letters count as lower-case ones; all other bytes of UTF-8 stand for themselves, so
that any script is read. The n-grams of 2 to 5 bytes from each position are numbers of that base,
modulo a prime: `h(n) = (h(n - 1) * FACTOR + byte) mod BUCKETS`, within int32. In n-grams of
`DIGITS_ALIKE` bytes all digits are one, so that an unseen number is known for a number. Zeros pad a
text; an n-gram of zeros alone, or of the hash 0, is none.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper
from ounce_edge.models.runtimes.text_bytes import encode_texts
from ounce_schemas.task import TaskSpec, TensorSpec

from ounce_exporters.ladder.recipe import Inputs

SIZES = (2, 3, 4, 5)
BUCKETS = 32_749
"""A prime; one table for each size."""
FACTOR = 60_013
"""BUCKETS * FACTOR + 255 is below 2^31."""
N_FEATURES = BUCKETS * len(SIZES)
LOWER = np.arange(256, dtype=np.int32)
LOWER[ord("A") : ord("Z") + 1] += 32
ALIKE = LOWER.copy()
ALIKE[ord("0") : ord("9") + 1] = ord("0")
DIGITS_ALIKE = (2, 5)
CHAINS = ((LOWER, (3, 4)), (ALIKE, DIGITS_ALIKE))
"""What stands for each byte, and the sizes of the n-grams that are hashed from it."""


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
    n_bytes, found = encoded.shape[1], {}
    for table, sizes in CHAINS:
        padded = np.pad(table[encoded], ((0, 0), (0, SIZES[-1] - 1)))
        hashes = padded[:, :n_bytes]
        for place, size in enumerate(SIZES[: SIZES.index(sizes[-1]) + 1]):
            following = padded[:, size - 1 : size - 1 + n_bytes]
            hashes = (hashes * np.int32(FACTOR) + following) % np.int32(BUCKETS)
            if size in sizes:
                found[size] = hashes + np.int32(place * BUCKETS)
    return np.concatenate([found[size] for size in SIZES], axis=1)


def root_lengths(encoded: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Root of each text's bytes, at least 1; shape (n, 1). A long text has more n-grams."""
    sizes = np.count_nonzero(encoded, axis=1)[:, None].astype(np.float32)
    return np.asarray(np.sqrt(np.maximum(sizes, np.float32(1))))


def hashing_nodes(tensor: TensorSpec) -> tuple[list[NodeProto], dict[str, NDArray[Any]]]:
    """Nodes that read a tensor of sentences, and their constants. They write `features`, as
    `hash_ngrams` gives them, and `lengths`, as `root_lengths`. A constant `axis` is 1."""
    n_bytes = tensor.size * (tensor.text_bytes or 0)
    nodes = [
        # Floats first: TensorRT does nothing else with bytes.
        helper.make_node("Cast", [tensor.name], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["numbers"], ["flat"], axis=1),
        helper.make_node("Cast", ["flat"], ["wide"], to=TensorProto.INT32),
    ]
    constants: dict[str, NDArray[Any]] = {
        "pads": np.array([0, 0, 0, SIZES[-1] - 1], np.int64),
        "factor": np.array(FACTOR, np.int32),
        "buckets": np.array(BUCKETS, np.int32),
        "axis": np.array([1], np.int64),
        "zero": np.array(0, np.float32),
        "unit": np.array(1, np.float32),
        "least": np.array(1, np.float32),
    }
    for place, size in enumerate(SIZES):
        constants |= {
            f"from_{size}": np.array([size - 1], np.int64),
            f"to_{size}": np.array([size - 1 + n_bytes], np.int64),
            f"offset_{size}": np.array(place * BUCKETS, np.int32),
        }
    for chain, (table, sizes) in enumerate(CHAINS):
        constants[f"{chain}/bytes"] = table
        nodes += _chain(f"{chain}/", sizes)
    nodes += [
        helper.make_node("Concat", [f"feature_{s}" for s in SIZES], ["features"], axis=1),
        helper.make_node("Clip", ["flat", "zero", "unit"], ["is_byte"]),
        helper.make_node("ReduceSum", ["is_byte", "axis"], ["n_real"], keepdims=1),
        helper.make_node("Max", ["n_real", "least"], ["n_least"]),
        helper.make_node("Sqrt", ["n_least"], ["lengths"]),
    ]
    return nodes, constants


def _chain(prefix: str, sizes: Sequence[int]) -> list[NodeProto]:
    """Nodes that hash the n-grams of some sizes, each from the one before it."""
    nodes = [
        helper.make_node("Gather", [f"{prefix}bytes", "wide"], [f"{prefix}mapped"]),
        helper.make_node("Pad", [f"{prefix}mapped", "pads"], [f"{prefix}padded"]),
    ]
    hashes = f"{prefix}mapped"
    for size in SIZES[: SIZES.index(sizes[-1]) + 1]:
        following, moved, number, found = (
            f"{prefix}{part}_{size}" for part in ("next", "moved", "number", "hash")
        )
        bounds = [f"from_{size}", f"to_{size}", "axis"]
        nodes += [
            helper.make_node("Slice", [f"{prefix}padded", *bounds], [following]),
            helper.make_node("Mul", [hashes, "factor"], [moved]),
            helper.make_node("Add", [moved, following], [number]),
            helper.make_node("Mod", [number, "buckets"], [found]),
        ]
        if size in sizes:
            nodes.append(helper.make_node("Add", [found, f"offset_{size}"], [f"feature_{size}"]))
        hashes = found
    return nodes
