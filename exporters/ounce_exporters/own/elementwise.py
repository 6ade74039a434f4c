"""NumPy's functions of single numbers as operators in double precision."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from ounce_exporters.own.operators import Operators
from ounce_exporters.own.pieces import smooth

_ERF_ENDS = 6.0
"""Beyond it is 1 or -1 in double precision; ONNX Runtime has it in float32 alone."""


def _one(operator: str, **how: Any) -> Callable[..., str]:
    return lambda made, *given: made.add(operator, *given, **how)


def _number(value: float) -> NDArray[np.float64]:
    return np.array(value, np.float64)


def _scaled_log(base: float) -> Callable[..., str]:
    return lambda made, x: made.add("Div", made.add("Log", x), _number(np.log(base)))


def _left(made: Operators, x: Any, y: Any) -> tuple[str, str]:
    """What a division leaves with the sign of x, and whether the divisor has the other."""
    left = made.add("Mod", x, y, fmod=1)
    return left, made.add("Less", made.add("Mul", left, y), _number(0))


def _remainder(made: Operators, x: Any, y: Any) -> str:
    left, turned = _left(made, x, y)
    return made.add("Where", turned, made.add("Add", left, y), left)


def _floor_divide(made: Operators, x: Any, y: Any) -> str:
    """By what is left, as NumPy does: 1 / 0.1 is rounded to 10, and 0.1 goes into 1 nine times."""
    left, turned = _left(made, x, y)
    times = made.add("Round", made.add("Div", made.add("Sub", x, left), y))
    whole = made.add("Sub", times, made.doubles(turned))
    return made.add("Where", made.add("Equal", y, _number(0)), made.add("Div", x, y), whole)


def _hyperbolic(operator: str) -> Callable[..., str]:
    def make(made: Operators, x: Any) -> str:
        both = made.add("Exp", x), made.add("Exp", made.add("Neg", x))
        return made.add("Div", made.add(operator, *both), _number(2))

    return make


TESTS: dict[Any, Callable[..., str]] = {
    np.greater: _one("Greater"),
    np.greater_equal: _one("GreaterOrEqual"),
    np.less: _one("Less"),
    np.less_equal: _one("LessOrEqual"),
    np.equal: _one("Equal"),
    np.not_equal: lambda made, x, y: made.add("Not", made.add("Equal", x, y)),
    np.isnan: _one("IsNaN"),
}
"""Make true and false of numbers."""
OF_BITS: dict[Any, Callable[..., str]] = {
    np.bitwise_and: _one("And"),
    np.bitwise_or: _one("Or"),
    np.invert: _one("Not"),
}
"""Of whole numbers they would make others."""
OF_TRUTHS: dict[Any, Callable[..., str]] = {
    np.logical_and: _one("And"),
    np.logical_or: _one("Or"),
    np.logical_not: _one("Not"),
    **OF_BITS,
}
"""Make true and false of true and false."""
FUNCTIONS: dict[Any, Callable[..., str]] = {
    np.add: _one("Add"),
    np.subtract: _one("Sub"),
    np.multiply: _one("Mul"),
    np.true_divide: _one("Div"),
    np.floor_divide: _floor_divide,
    np.remainder: _remainder,
    np.power: _one("Pow"),
    np.square: lambda made, x: made.add("Mul", x, x),
    np.sqrt: _one("Sqrt"),
    np.negative: _one("Neg"),
    np.positive: _one("Identity"),
    np.absolute: _one("Abs"),
    np.fabs: _one("Abs"),
    np.sign: _one("Sign"),
    np.floor: _one("Floor"),
    np.ceil: _one("Ceil"),
    np.rint: _one("Round"),
    np.minimum: _one("Min"),
    np.maximum: _one("Max"),
    np.exp: _one("Exp"),
    np.exp2: lambda made, x: made.add("Exp", made.add("Mul", x, _number(np.log(2)))),
    np.expm1: lambda made, x: made.add("Sub", made.add("Exp", x), _number(1)),
    np.log: _one("Log"),
    np.log1p: lambda made, x: made.add("Log", made.add("Add", x, _number(1))),
    np.log2: _scaled_log(2),
    np.log10: _scaled_log(10),
    np.sin: _one("Sin"),
    np.cos: _one("Cos"),
    np.tan: lambda made, x: made.add("Div", made.add("Sin", x), made.add("Cos", x)),
    np.sinh: _hyperbolic("Sub"),
    np.cosh: _hyperbolic("Add"),
    np.tanh: _one("Tanh"),
    erf: lambda made, x: smooth(made, x, erf, _ERF_ENDS),
    np.deg2rad: lambda made, x: made.add("Mul", x, _number(np.pi / 180)),
    np.radians: lambda made, x: made.add("Mul", x, _number(np.pi / 180)),
    **TESTS,
    **OF_TRUTHS,
}
"""By the function of NumPy: its operators, in double precision."""
