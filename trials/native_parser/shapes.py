"""Shapes of what layers answer. -1 is an open dimension."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from trials.native_parser.objects import Shape

_TRANSPOSE, _VECTOR = 1, 2
"""Of MatrixOperation."""
_ELEMENTS, _ND = 1, 2
"""Of GatherMode."""


def broadcast(*shapes: Shape) -> Shape:
    """Of what is done element by element."""
    found = []
    for sizes in zip(*shapes, strict=True):
        wide = {size for size in sizes if size != 1}
        found.append(max(wide, default=1))
    return tuple(found)


def reshaped(shape: Shape, wanted: Sequence[int], *, zero_copies: bool) -> Shape:
    """After a reshape; one open dimension is what is left, where all others are known."""
    found = [shape[i] if size == 0 and zero_copies else int(size) for i, size in enumerate(wanted)]
    rest = math.prod(size for size in found if size >= 0)
    if found.count(-1) == 1 and -1 not in shape and rest:
        found[found.index(-1)] = math.prod(shape) // rest
    return tuple(found)


def reduced(shape: Shape, axes: int, *, keep: bool) -> Shape:
    """After a reduction of axes, which are bits."""
    kept = ((1 if axes >> i & 1 else size) for i, size in enumerate(shape))
    return tuple(size for i, size in enumerate(kept) if keep or not axes >> i & 1)


def matrix_product(a: Shape, of_a: int, b: Shape, of_b: int) -> Shape:
    """Of two matrices, or vectors."""
    n_a, n_b = (1 if of == _VECTOR else 2 for of in (of_a, of_b))
    batch = broadcast(a[:-n_a], b[:-n_b])
    rows = () if n_a == 1 else (a[-1] if of_a == _TRANSPOSE else a[-2],)
    columns = () if n_b == 1 else (b[-2] if of_b == _TRANSPOSE else b[-1],)
    return (*batch, *rows, *columns)


def windowed(shape: Shape, channels: int, window: Shape, settings: Mapping[str, Any]) -> Shape:
    """Of a convolution or pooling."""
    n = len(window)
    plain = settings.get("PaddingNd", (0,) * n)
    before, after = settings.get("PrePadding", plain), settings.get("PostPadding", plain)
    strides = settings.get("StrideNd", (1,) * n)
    dilations = settings.get("DilationNd", (1,) * n)
    sizes = (
        -1 if size < 0 else (size + p + q - (d * (w - 1) + 1)) // s + 1
        for size, w, p, q, s, d in zip(
            shape[2:], window, before, after, strides, dilations, strict=True
        )
    )
    return (shape[0], channels, *sizes)


def gathered(data: Shape, indices: Shape, settings: Mapping[str, Any]) -> Shape:
    """Of a gather."""
    mode, shared = settings["Mode"], settings.get("NbElementWiseDims", 0)
    if mode == _ELEMENTS:
        return indices
    if mode == _ND:
        return (*indices[:-1], *data[shared + indices[-1] :])
    axis = settings["GatherAxis"] % len(data)
    return (*data[:axis], *indices[shared:], *data[axis + 1 :])


def joined(shapes: Sequence[Shape], axis: int) -> Shape:
    """One behind the other."""
    sizes = [shape[axis] for shape in shapes]
    total = -1 if -1 in sizes else sum(sizes)
    return (*shapes[0][:axis], total, *shapes[0][axis + 1 :])
