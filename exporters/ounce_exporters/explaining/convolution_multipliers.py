"""Multipliers through convolutions: another convolution, by the turned weights."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from onnx import NodeProto
from ounce_schemas.errors import ExportError

from ounce_exporters.explaining.tape import Array, Tape
from ounce_exporters.export.names import attributes_of


def convolution(tape: Tape, node: NodeProto, m: str) -> Iterator[tuple[str, str]]:
    """The rule of `Conv`, as `multipliers` says.

    Positions of the input that are alike modulo the stride meet the same weights. So one
    convolution of stride 1 finds them all, each kind in channels of its own. They are put beside
    each other afterwards.

    Raises:
        ExportError: it is dilated, has groups, or weights that depend on the item.
    """
    options = attributes_of(node)
    name, weights = node.input[0], tape.fixed.get(node.input[1])
    is_plain = options.get("group", 1) == 1 and set(options.get("dilations", [1])) == {1}
    if weights is None or not is_plain or options.get("auto_pad", b"NOTSET") != b"NOTSET":
        raise ExportError("a convolution of an unusual form")
    sizes = weights.shape[2:]
    strides = options.get("strides", [1] * len(sizes))
    pads = options.get("pads", [0] * 2 * len(sizes))[: len(sizes)]
    yield name, _turned(tape, m, (name, node.output[0]), weights, (strides, pads))


def pooling(tape: Tape, node: NodeProto, m: str) -> Iterator[tuple[str, str]]:
    """The rule of `AveragePool` of windows side by side.

    Raises:
        ExportError: windows overlap, or reach over the edge.
    """
    options = attributes_of(node)
    sizes, strides = options["kernel_shape"], options.get("strides", [1])
    if sizes != strides or any(options.get("pads", [])) or options.get("ceil_mode"):
        raise ExportError("an average of windows that overlap")
    shape = tape.usual[node.input[0]].shape[1:]
    small = tape.usual[node.output[0]].shape[1:]
    apart = [small[0], *(n for side in small[1:] for n in (side, 1))]
    wide = [1, 1, *(n for size in sizes for n in (1, size))]
    share = np.full(wide, 1.0 / np.prod(sizes), np.float32)
    spread = tape.add("Mul", tape.reshape(m, apart), share)
    covered = [small[0], *(n * size for n, size in zip(small[1:], sizes, strict=True))]
    left = [a - b for a, b in zip(shape, covered, strict=True)]
    spread = tape.reshape(spread, covered)
    if any(left):
        pads = np.array([0] * (len(shape) + 1) + [0, *left], np.int64)
        spread = tape.add("Pad", spread, pads)
    yield node.input[0], spread


def _turned(
    tape: Tape, m: str, names: tuple[str, str], weights: Array, steps: tuple[Any, Any]
) -> str:
    """The input at stride * q + r meets the output at q + d by the weight at r + pad - stride * d:
    of each kind r a convolution of stride 1 over d, all of the same size."""
    strides, pads = steps
    given, made = (tape.usual[name].shape[2:] for name in names)
    n_out, n_in, *sizes = weights.shape
    sides = list(zip(given, made, strides, pads, sizes, strict=True))
    first = [min(-(-(pad - size + 1) // s), 0) for _, _, s, pad, size in sides]
    width = [(s - 1 + pad) // s - d + 1 for (_, _, s, pad, _), d in zip(sides, first, strict=True)]
    kernel: Any = np.zeros((n_in, int(np.prod(strides)), n_out, *width), np.float32)
    for kind, rest in enumerate(product(*map(range, strides))):
        for place in product(*map(range, width)):
            at = [
                r + pad - s * (d + j)
                for r, (_, _, s, pad, _), d, j in zip(rest, sides, first, place, strict=True)
            ]
            if all(0 <= k < size for k, size in zip(at, sizes, strict=True)):
                kernel[:, kind, :, *place] = weights[:, :, *at].T
    kernel = kernel.reshape(-1, n_out, *width)
    before = [-d for d in first]
    after = [
        max(-(-n // s) - o + k - 1 - b, 0)
        for (n, o, s, _, _), k, b in zip(sides, width, before, strict=True)
    ]
    count = [o + b + a - k + 1 for o, b, a, k in zip(made, before, after, width, strict=True)]
    found = tape.add("Conv", m, kernel, pads=[*before, *after])
    if kernel.shape[0] > n_in:
        found = _beside(tape, found, [n_in, *strides, *count])
    whole = [q * s for q, s in zip(count, strides, strict=True)]
    if whole == list(given):
        return found
    axes = np.arange(2, 2 + len(given), dtype=np.int64)
    return tape.add("Slice", found, np.zeros_like(axes), np.array(given, np.int64), axes)


def _beside(tape: Tape, found: str, shape: list[int]) -> str:
    """Put the kinds of positions beside each other, of one dimension after the other: ONNX Runtime
    moves one dimension many times faster than several.

    Args:
        tape: takes the nodes.
        found: of all kinds, shape (n, n_channels * n_kinds, *counts).
        shape: channels, then the stride of each dimension, then the count of each.
    """
    rank = len(shape) // 2
    channels, strides, counts = shape[0], shape[1 : 1 + rank], shape[1 + rank :]
    for place in reversed(range(rank)):
        if strides[place] == 1:
            continue
        before = int(np.prod(strides[:place]))
        behind = int(np.prod(counts[place + 1 :]))
        lead = int(np.prod(counts[:place]))
        n, stride = counts[place], strides[place]
        found = tape.reshape(found, (channels * before, stride, lead * n, behind))
        found = tape.add("Transpose", found, perm=[0, 1, 3, 2, 4])
        counts[place] = n * stride
    return tape.reshape(found, (channels, *counts))
