"""Objects that a C++ library calls through tables of virtual functions, in Python (Itanium C++ ABI
on x86-64). Which function is where says NVIDIA's header NvInferImpl.h of TensorRT 10.15."""

import ctypes
from collections.abc import Callable, Mapping
from typing import Any

_MOST_DIMENSIONS = 8
_N_FUNCTIONS = 200
"""More than any class has."""
_DESTRUCTOR = 2
"""Places that a virtual destructor takes, in front."""

Shape = tuple[int, ...]


class Dims(ctypes.Structure):
    """A shape; -1: open."""

    _fields_ = (("n", ctypes.c_int32), ("sizes", ctypes.c_int64 * _MOST_DIMENSIONS))


class Weights(ctypes.Structure):
    """Constants: type, address and how many."""

    _fields_ = (("type", ctypes.c_int32), ("values", ctypes.c_void_p), ("count", ctypes.c_int64))


class Permutation(ctypes.Structure):
    """An order of dimensions."""

    _fields_ = (("order", ctypes.c_int32 * _MOST_DIMENSIONS),)


_TYPES: dict[str, Any] = {
    "b": ctypes.c_bool,
    "f": ctypes.c_float,
    "i": ctypes.c_int32,
    "l": ctypes.c_int64,
    "p": ctypes.c_void_p,
    "s": ctypes.c_char_p,
    "u": ctypes.c_uint32,
    "D": ctypes.POINTER(Dims),
    "P": ctypes.POINTER(Permutation),
    "W": Weights,
}
"""By letter: D is a shape by reference, P a permutation, W weights by value."""
_kept: list[Any] = []
"""What C++ has addresses of."""

Function = tuple[str, Callable[..., Any]]
"""Letters of the answer, `:` and the arguments behind `this`, and what is called."""


def shape_of(dims: Any) -> Shape:
    """Of a shape by reference."""
    return tuple(dims.contents.sizes[: dims.contents.n])


def table(names: str = "", functions: Mapping[str, Function] | None = None, answer: int = 0) -> Any:
    """A table of virtual functions.

    Args:
        names: of the class, in their order, with spaces between them.
        functions: by name.
        answer: of all others.
    """
    nothing = _keep(ctypes.CFUNCTYPE(ctypes.c_void_p)(lambda: answer))
    made = _keep((ctypes.c_void_p * _N_FUNCTIONS)(*[_address(nothing)] * _N_FUNCTIONS))
    for name, (letters, function) in (functions or {}).items():
        made[_DESTRUCTOR + place_of(name, names)] = _address(_keep(_callback(letters, function)))
    return made


def place_of(name: str, names: str) -> int:
    """Which one a function is, of names with spaces between them."""
    return names.split().index(name)


def instance(table: Any, *fields: Any) -> int:
    """The address of an object with this table, and these addresses behind it."""
    made = _keep((ctypes.c_void_p * (1 + len(fields)))(ctypes.addressof(table), *fields))
    return ctypes.addressof(made)


def _callback(letters: str, function: Callable[..., Any]) -> Any:
    answer, _, arguments = letters.partition(":")
    types = [ctypes.c_void_p, *(_TYPES[letter] for letter in arguments)]
    if answer != "D":
        return ctypes.CFUNCTYPE(_TYPES[answer] if answer else None, *types)(function)

    def by_place(place: int, *rest: Any) -> int:  # of a large answer the caller says the place
        shape = function(*rest)
        dims = Dims.from_address(place)
        dims.n = len(shape)
        dims.sizes[: len(shape)] = shape
        return place

    return ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, *types)(by_place)


def _keep(made: Any) -> Any:
    _kept.append(made)
    return made


def _address(function: Any) -> int | None:
    return ctypes.cast(function, ctypes.c_void_p).value
