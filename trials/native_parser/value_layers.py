"""Adds the layers that shapes are computed with: their values are followed, too."""

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from trials.native_parser import shapes
from trials.native_parser.graph import BOOL, INT32, INT64, Graph, Layer, Values
from trials.native_parser.objects import Function, Shape, Weights, shape_of

_WHOLE = {INT32: np.int32, INT64: np.int64, BOOL: np.bool_}
_MOST_VALUES = 4096
"""Of a constant whose values are followed: those of weights are not."""
_CONSTANT = 19
"""Of LayerType. The parser asks for no other."""
_COMPARISONS = (11, 12, 13)
_OPERATIONS: tuple[Callable[[Any, Any], Any], ...] = (
    np.add, np.multiply, np.maximum, np.minimum, np.subtract, np.floor_divide, np.power,
    np.floor_divide, np.logical_and, np.logical_or, np.logical_xor, np.equal, np.greater, np.less,
)  # fmt: skip
"""By ElementWiseOperation."""


class ValueLayers:
    """Adds them.

    Args:
        graph: to it.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def functions(self) -> dict[str, Function]:
        """Functions of a network in C++, by name."""
        return {
            "addElementWise": ("p:ppi", self._add_element_wise),
            "addSelect": ("p:ppp", self._add_select),
            "addConstant": ("p:DW", self._add_constant),
            "addShape": ("p:p", self._add_shape),
            "addShuffle": ("p:p", self._add_shuffle),
            "addConcatenation": ("p:pi", self._add_concatenation),
            "addGather": ("p:ppi", lambda this, x, at, axis: self._gather(x, at, axis, 0)),
            "addGatherV2": ("p:ppi", lambda this, x, at, mode: self._gather(x, at, 0, mode)),
            "addSlice": ("p:pDDD", self._add_slice),
        }

    def _add_element_wise(self, this: int, a: int, b: int, operation: int) -> int:
        first, second = self._graph.at(a), self._graph.at(b)
        if first.kind() != second.kind():
            self._graph.warnings.append(
                f"types {first.kind()} and {second.kind()} element by element"
            )

        def values(layer: Layer) -> Values:
            x, y = layer.of(0).values(), layer.of(1).values()
            if x is None or y is None:
                return None
            return np.asarray(_OPERATIONS[operation](x, y), np.int64)

        return self._graph.layer(
            [first, second],
            lambda layer: BOOL if operation in _COMPARISONS else layer.of().kind(),
            lambda layer: shapes.broadcast(layer.of(0).shape(), layer.of(1).shape()),
            values,
        )

    def _add_select(self, this: int, condition: int, a: int, b: int) -> int:
        def values(layer: Layer) -> Values:
            found = [layer.of(place).values() for place in range(3)]
            known = [one for one in found if one is not None]
            return np.where(known[0], known[1], known[2]) if len(known) == 3 else None

        return self._graph.layer(
            [self._graph.at(one) for one in (condition, a, b)],
            lambda layer: layer.of(1).kind(),
            lambda layer: shapes.broadcast(*(layer.of(place).shape() for place in range(3))),
            values,
        )

    def _add_constant(self, this: int, dims: Any, weights: Weights) -> int:
        shape, kind, found = shape_of(dims), weights.type, None
        if np.prod(shape) != weights.count:
            self._graph.warnings.append(f"{weights.count} numbers as {shape}")
        if kind in _WHOLE and weights.count <= _MOST_VALUES:
            width = np.dtype(_WHOLE[kind]).itemsize
            memory = ctypes.string_at(weights.values, weights.count * width)
            found = np.frombuffer(memory, _WHOLE[kind]).astype(np.int64).reshape(shape)
        return self._graph.layer(
            [], lambda layer: kind, lambda layer: shape, lambda layer: found, type=_CONSTANT
        )

    def _add_shape(self, this: int, x: int) -> int:
        return self._graph.layer(
            [self._graph.at(x)],
            lambda layer: INT64,
            lambda layer: (len(layer.of().shape()),),
            lambda layer: np.array(layer.of().shape(), np.int64),
        )

    def _add_shuffle(self, this: int, x: int) -> int:
        def shape(layer: Layer) -> Shape:
            found, settings = layer.of().shape(), layer.settings
            if "FirstTranspose" in settings:
                found = tuple(found[i] for i in settings["FirstTranspose"][: len(found)])
            wanted = settings.get("ReshapeDimensions")
            if layer.has(1):
                known = layer.of(1).values()
                n = layer.of(1).shape()[0]
                wanted = (-1,) * n if known is None else tuple(known)
            if wanted is not None:
                copies = settings.get("ZeroIsPlaceholder", True)
                found = shapes.reshaped(found, wanted, zero_copies=copies)
            if "SecondTranspose" in settings:
                found = tuple(found[i] for i in settings["SecondTranspose"][: len(found)])
            return found

        def values(layer: Layer) -> Values:
            found = layer.of().values()
            is_moved = any(name.endswith("Transpose") for name in layer.settings)
            return None if found is None or is_moved else found.reshape(shape(layer))

        return self._graph.layer(
            [self._graph.at(x)], lambda layer: layer.of().kind(), shape, values, "shuffle"
        )

    def _add_concatenation(self, this: int, inputs: int, n: int) -> int:
        addresses = (ctypes.c_void_p * n).from_address(inputs)

        def values(layer: Layer) -> Values:
            found = [layer.of(place).values() for place in range(n)]
            known = [one for one in found if one is not None]
            return np.concatenate(known) if len(known) == n else None

        return self._graph.layer(
            [self._graph.at(int(one or 0)) for one in addresses],
            lambda layer: layer.of().kind(),
            lambda layer: shapes.joined(
                [layer.of(place).shape() for place in range(n)], layer.settings["Axis"]
            ),
            values,
            "concatenation",
            Axis=0,
        )

    def _gather(self, x: int, indices: int, axis: int, mode: int) -> int:
        def values(layer: Layer) -> Values:
            found, at = layer.of(0).values(), layer.of(1).values()
            return None if found is None or at is None or found.ndim != 1 else found[at]

        return self._graph.layer(
            [self._graph.at(x), self._graph.at(indices)],
            lambda layer: layer.of().kind(),
            lambda layer: shapes.gathered(layer.of(0).shape(), layer.of(1).shape(), layer.settings),
            values,
            "gather",
            GatherAxis=axis,
            Mode=mode,
        )

    def _add_slice(self, this: int, x: int, start: Any, size: Any, stride: Any) -> int:
        def part(layer: Layer, place: int, name: str) -> Sequence[int] | None:
            if not layer.has(place):
                return layer.settings[name]
            found = layer.of(place).values()
            return None if found is None else found.tolist()

        def shape(layer: Layer) -> Shape:
            found = list(layer.of().shape())
            axes = part(layer, 5, "Axes") or range(len(found))
            sizes = part(layer, 2, "Size") or (-1,) * len(found)
            for axis, wanted in zip(axes, sizes, strict=False):
                found[axis] = max(wanted, -1)
            return tuple(found)

        def values(layer: Layer) -> Values:
            found = layer.of().values()
            if found is None or found.ndim != 1 or len(layer.inputs) > 1:
                return None
            first, n, step = (layer.settings[name][0] for name in ("Start", "Size", "Stride"))
            return found[first : first + n * step : step]

        return self._graph.layer(
            [self._graph.at(x)],
            lambda layer: layer.of().kind(),
            shape,
            values,
            "slice",
            Start=shape_of(start),
            Size=shape_of(size),
            Stride=shape_of(stride),
            Axes=(),
        )
