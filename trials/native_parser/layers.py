"""Adds layers to a graph, as the parser asks for them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from trials.native_parser import shapes
from trials.native_parser.graph import BOOL, FLOAT, INT8, INT32, Graph, Layer, Values
from trials.native_parser.objects import Function, Shape, Weights, instance, shape_of, table

_UNARY_BOOL = (23, 24)
"""Of UnaryOperation: whether a number is infinite, or none."""
_PRODUCT = 1
"""Of ReduceOperation."""
_CONCATENATE = 1
"""Of LoopOutput, and what is above it: a dimension for the rounds."""
_LOOP = "addRecurrence addTripLimit addIterator addLoopOutput"


class Layers:
    """Adds them.

    Args:
        graph: to it.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def functions(self) -> dict[str, Function]:
        """Functions of a network in C++, by name."""
        like = self._like
        return {
            "addActivation": ("p:pi", lambda this, x, kind: like(x)),
            "addSoftMax": ("p:p", lambda this, x: like(x)),
            "addIdentity": ("p:p", lambda this, x: like(x, same=True)),
            "addCast": ("p:pi", lambda this, x, kind: like(x, kind=kind, same=True)),
            "addUnary": ("p:pi", self._add_unary),
            "addQuantize": ("p:pp", lambda this, x, scale: like(x, scale, kind=INT8)),
            "addQuantizeV2": ("p:ppi", lambda this, x, scale, kind: like(x, scale, kind=kind)),
            "addDequantize": ("p:pp", lambda this, x, scale: like(x, scale, kind=FLOAT)),
            "addDequantizeV2": ("p:ppi", lambda this, x, scale, kind: like(x, scale, kind=kind)),
            "addNormalization": ("p:pppu", lambda this, x, scale, bias, axes: like(x, scale, bias)),
            "addNormalizationV2": (
                "p:pppu",
                lambda this, x, scale, bias, axes: like(x, scale, bias),
            ),
            "addReduce": ("p:piub", self._add_reduce),
            "addTopK": ("p:piiu", lambda this, x, op, k, axes: self._top(x, k, axes, INT32)),
            "addTopKV2": (
                "p:piiui",
                lambda this, x, op, k, axes, kind: self._top(x, k, axes, kind),
            ),
            "addMatrixMultiply": ("p:pipi", self._add_matrix_multiply),
            "addConvolutionNd": ("p:plDWW", self._add_convolution),
            "addPoolingNd": ("p:piD", self._add_pooling),
            "addSqueeze": ("p:pp", lambda this, x, axes: self._squeeze(x, axes)),
            "addUnsqueeze": ("p:pp", lambda this, x, axes: self._unsqueeze(x, axes)),
            "addLoop": ("p:", lambda this: self._loop()),
        }

    def _like(self, *tensors: int, kind: int | None = None, same: bool = False) -> int:
        """A layer whose answer has the shape of its first input."""
        return self._graph.layer(
            [self._graph.at(one) for one in tensors],
            (lambda layer: layer.of().kind()) if kind is None else (lambda layer: kind),
            lambda layer: layer.of().shape(),
            (lambda layer: layer.of().values()) if same else (lambda layer: None),
        )

    def _add_unary(self, this: int, x: int, operation: int) -> int:
        return self._like(x, kind=BOOL if operation in _UNARY_BOOL else None)

    def _add_reduce(self, this: int, x: int, operation: int, axes: int, keep: bool) -> int:
        def values(layer: Layer) -> Values:
            found = layer.of().values()
            return None if found is None or operation != _PRODUCT else np.prod(found, keepdims=keep)

        return self._graph.layer(
            [self._graph.at(x)],
            lambda layer: layer.of().kind(),
            lambda layer: shapes.reduced(layer.of().shape(), axes, keep=keep),
            values,
        )

    def _top(self, x: int, k: int, axes: int, kind: int) -> int:
        def shape(layer: Layer) -> Shape:
            sizes = layer.of().shape()
            return tuple(k if axes >> i & 1 else size for i, size in enumerate(sizes))

        made = self._graph.layer(
            [self._graph.at(x)], lambda layer: layer.of().kind(), shape, n_outputs=2
        )
        self._graph.layers[made].outputs[1].kind = lambda: kind
        return made

    def _add_matrix_multiply(self, this: int, a: int, of_a: int, b: int, of_b: int) -> int:
        return self._graph.layer(
            [self._graph.at(a), self._graph.at(b)],
            lambda layer: layer.of().kind(),
            lambda layer: shapes.matrix_product(
                layer.of(0).shape(), of_a, layer.of(1).shape(), of_b
            ),
        )

    def _add_convolution(
        self, this: int, x: int, channels: int, window: Any, kernel: Weights, bias: Weights
    ) -> int:
        sizes = shape_of(window)
        return self._graph.layer(
            [self._graph.at(x)],
            lambda layer: layer.of().kind(),
            lambda layer: shapes.windowed(layer.of().shape(), channels, sizes, layer.settings),
            properties="convolution",
        )

    def _add_pooling(self, this: int, x: int, kind: int, window: Any) -> int:
        sizes = shape_of(window)
        return self._graph.layer(
            [self._graph.at(x)],
            lambda layer: layer.of().kind(),
            lambda layer: shapes.windowed(
                layer.of().shape(), layer.of().shape()[1], sizes, layer.settings
            ),
            properties="pooling",
        )

    def _squeeze(self, x: int, axes: int) -> int:
        def shape(layer: Layer) -> Shape:
            sizes, gone = layer.of().shape(), layer.of(1).values()
            places = set() if gone is None else {int(i) % len(sizes) for i in gone.flat}
            return tuple(size for i, size in enumerate(sizes) if i not in places)

        return self._moved(x, axes, shape)

    def _unsqueeze(self, x: int, axes: int) -> int:
        def shape(layer: Layer) -> Shape:
            found, new = list(layer.of().shape()), layer.of(1).values()
            places = [] if new is None else new.flatten().tolist()
            n = len(found) + len(places)
            for place in sorted(place % n for place in places):
                found.insert(place, 1)
            return tuple(found)

        return self._moved(x, axes, shape)

    def _moved(self, x: int, axes: int, shape: Callable[[Layer], Shape]) -> int:
        def values(layer: Layer) -> Values:
            found = layer.of().values()
            return None if found is None else found.reshape(shape(layer))

        return self._graph.layer(
            [self._graph.at(x), self._graph.at(axes)],
            lambda layer: layer.of().kind(),
            shape,
            values,
        )

    def _loop(self) -> int:
        functions: dict[str, Function] = {
            "addRecurrence": ("p:p", lambda this, x: self._like(x)),
            "addTripLimit": ("p:pi", lambda this, x, kind: self._like(x)),
            "addIterator": ("p:pib", self._add_iterator),
            "addLoopOutput": ("p:pii", self._add_loop_output),
        }
        return instance(self._graph.plain, instance(table(_LOOP, functions)))

    def _add_iterator(self, this: int, x: int, axis: int, reverse: bool) -> int:
        return self._graph.layer(
            [self._graph.at(x)],
            lambda layer: layer.of().kind(),
            lambda layer: shapes.reduced(layer.of().shape(), 1 << axis, keep=False),
        )

    def _add_loop_output(self, this: int, x: int, kind: int, axis: int) -> int:
        def shape(layer: Layer) -> Shape:
            sizes = layer.of().shape()
            if kind < _CONCATENATE:
                return sizes
            rounds = layer.of(1).values() if layer.has(1) else None
            n = -1 if rounds is None else int(rounds.flat[0])
            return (*sizes[:axis], n, *sizes[axis:])

        return self._graph.layer([self._graph.at(x)], lambda layer: layer.of().kind(), shape)
