"""The stand-in for a network of TensorRT, called as C++ calls it. The parser itself is in no
package."""

import ctypes
from typing import Any

import numpy as np
import pytest

from trials.native_parser import shapes
from trials.native_parser.graph import LAYER, TENSOR
from trials.native_parser.network import NETWORK, Network
from trials.native_parser.objects import Dims, Weights, place_of

FLOAT, INT64, PRODUCT = 0, 8, 1


def inner(of: int, field: int = 1) -> int:
    """What implements a C++ object: an address behind its table."""
    return (ctypes.c_void_p * 3).from_address(of)[field] or 0


def call(of: int, names: str, name: str, answer: Any, *arguments: Any, field: int = 1) -> Any:
    """Call a virtual function, behind two places of a destructor."""
    this = inner(of, field)
    functions = (ctypes.c_void_p * 200).from_address(inner(this, 0))
    types = [type(one) for one in arguments]
    function = ctypes.CFUNCTYPE(answer, ctypes.c_void_p, *types)(
        functions[2 + place_of(name, names)] or 0
    )
    return function(this, *arguments)


def dims(*sizes: int) -> Any:
    return ctypes.pointer(Dims(len(sizes), (ctypes.c_int64 * 8)(*sizes)))


class Caller:
    """Whoever fills a network."""

    def __init__(self) -> None:
        self.network = Network(0)

    def add(self, name: str, *arguments: Any) -> int:
        return int(call(self.network.address, NETWORK, name, ctypes.c_void_p, *arguments) or 0)

    def input(self, *sizes: int) -> int:
        return self.add("addInput", ctypes.c_char_p(b"x"), ctypes.c_int32(FLOAT), dims(*sizes))

    def constant(self, *values: int) -> int:
        memory = np.array(values, np.int64)
        weights = Weights(INT64, memory.ctypes.data, len(values))
        return self.output(self.add("addConstant", dims(len(values)), weights))

    def output(self, layer: int) -> int:
        return int(call(layer, LAYER, "getOutput", ctypes.c_void_p, ctypes.c_int32(0)))

    def shape(self, tensor: int) -> tuple[int, ...]:
        found = call(tensor, TENSOR, "getDimensions", Dims)
        return tuple(found.sizes[: found.n])


@pytest.fixture
def caller() -> Caller:
    return Caller()


def pointer(address: int) -> ctypes.c_void_p:
    return ctypes.c_void_p(address)


def test_what_is_put_in_is_told(caller: Caller) -> None:
    x = caller.input(-1, 64)
    assert caller.shape(x) == (-1, 64)
    assert call(x, TENSOR, "getType", ctypes.c_int32) == FLOAT
    assert call(x, TENSOR, "getName", ctypes.c_char_p) == b"x"
    assert call(x, TENSOR, "isNetworkInput", ctypes.c_bool)


def test_a_reshape_is_read_from_the_values_of_a_tensor(caller: Caller) -> None:
    layer = caller.add("addShuffle", pointer(caller.input(4, 6)))
    wanted = caller.constant(2, -1)
    call(layer, LAYER, "setInput", None, ctypes.c_int32(1), pointer(wanted))
    assert caller.shape(caller.output(layer)) == (2, 12)


def test_what_is_set_later_counts(caller: Caller) -> None:
    layer = caller.add("addShuffle", pointer(caller.input(4, 6)))
    answer = caller.output(layer)
    assert caller.shape(answer) == (4, 6)
    names = "setFirstTranspose getFirstTranspose setReshapeDimensions getReshapeDimensions"
    call(layer, names, "setReshapeDimensions", None, dims(3, 8), field=2)
    assert caller.shape(answer) == (3, 8)
    found = call(layer, names, "getReshapeDimensions", Dims, field=2)
    assert tuple(found.sizes[: found.n]) == (3, 8)


def test_values_of_shapes_are_followed(caller: Caller) -> None:
    of_shape = caller.output(caller.add("addShape", pointer(caller.input(4, 6))))
    product = caller.output(
        caller.add(
            "addReduce",
            pointer(of_shape),
            ctypes.c_int32(PRODUCT),
            ctypes.c_uint32(1),
            ctypes.c_bool(True),
        )
    )
    layer = caller.add("addShuffle", pointer(caller.input(2, 12)))
    call(layer, LAYER, "setInput", None, ctypes.c_int32(1), pointer(product))
    assert caller.shape(caller.output(layer)) == (24,)


def test_what_it_does_not_do_is_told(caller: Caller) -> None:
    assert caller.add("addEinsum") == 0
    assert caller.network.graph.warnings == ["addEinsum, which this stand-in does not do"]


@pytest.mark.parametrize(("a", "b"), [((2, 3), (2, 1)), ((1, 1), (5, 4)), ((2, 1, 4), (1, 3, 1))])
def test_shapes_widen_as_those_of_arrays(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    assert shapes.broadcast(a, b) == np.broadcast_shapes(a, b)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_what_is_gathered_has_the_shape_of_what_numpy_takes(axis: int) -> None:
    data, indices = np.zeros((3, 4, 5)), np.zeros((2, 2), np.int64)
    wanted = np.take(data, indices, axis).shape
    settings = {"Mode": 0, "GatherAxis": axis}
    assert shapes.gathered(data.shape, indices.shape, settings) == wanted


def test_an_open_dimension_stays_open() -> None:
    assert shapes.reshaped((-1, 6), (0, 2, 3), zero_copies=True) == (-1, 2, 3)
    assert shapes.reshaped((-1, 6), (-1, 3), zero_copies=False) == (-1, 3)
    assert shapes.joined([(-1, 3), (-1, 4)], 1) == (-1, 7)
    assert shapes.joined([(-1, 3), (2, 3)], 0) == (-1, 3)
    settings = {"PaddingNd": (1, 1), "StrideNd": (2, 2)}
    assert shapes.windowed((-1, 3, 8, -1), 16, (3, 3), settings) == (-1, 16, 4, -1)
    assert shapes.matrix_product((-1, 64), 0, (10, 64), 1) == (-1, 10)
    assert shapes.reduced((-1, 3, 4), 0b110, keep=True) == (-1, 1, 1)
