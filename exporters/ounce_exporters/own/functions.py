"""A person's own function of whole columns, as operators: one call of it is recorded."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray
from onnx import TensorProto
from ounce_schemas.errors import ExportError

from ounce_exporters.own.operators import FEATURES, Operators

_REASON = 200


class _UntraceableError(TypeError):
    """The function does what has no operator."""


class Column(NDArrayOperatorsMixin):
    """Stands for an array of shape (n_items, n_columns) whose values are not known."""

    __array_priority__ = 1000

    def __init__(
        self,
        made: Operators,
        name: str,
        width: int,
        truth: bool = False,
        columns: Sequence[str] = (),
    ) -> None:
        self._made = made
        self._name = name
        self._width = width
        self._truth = truth
        """Whether it holds true and false."""
        self._columns = list(columns)
        """Names, where it stands for a frame."""

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **how: Any) -> "Column":
        """A function of NumPy that goes element by element."""
        if method != "__call__" or how:
            raise _UntraceableError(f"np.{ufunc.__name__} with {method} {', '.join(how)}")
        return self._call(ufunc, inputs)

    def __array_function__(
        self, function: Any, types: Any, inputs: Any, how: dict[str, Any]
    ) -> "Column":
        """Another function of NumPy."""
        if function is np.where and len(inputs) == 3 and not how:
            test, yes, no = inputs
            if not isinstance(test, Column):
                raise _UntraceableError("np.where of a test that is known before")
            names = [self._number(value) for value in (yes, no)]
            widths = [v._width for v in (test, yes, no) if isinstance(v, Column)]
            name = self._made.add("Where", test._as_truth(), *names)
            return Column(self._made, name, max(widths))
        if function is np.clip and not how.keys() - {"a_min", "a_max"}:
            return self.clip(*inputs[1:], **{k[2:]: v for k, v in how.items()})
        if function in (np.hstack, np.column_stack) or (
            function is np.concatenate and how.get("axis") == 1
        ):
            parts = inputs[0]
            if all(isinstance(part, Column) for part in parts):
                name = self._made.side_by_side([part.end() for part in parts])
                return Column(self._made, name, sum(part._width for part in parts))
        raise _UntraceableError(f"np.{function.__name__}")

    def __array__(self, *args: Any, **how: Any) -> NDArray[Any]:
        """None: its values are not known."""
        raise _UntraceableError("it makes an array of its values")

    def __bool__(self) -> bool:
        """None: its values are not known."""
        raise _UntraceableError("it asks whether values are true, as `if` does")

    def __getitem__(self, key: Any) -> "Column":
        """Columns by a list of places, or by a slice; of a frame by their names."""
        names = [key] if isinstance(key, str) else key
        if isinstance(names, list) and names and all(name in self._columns for name in names):
            there = np.array([self._columns.index(name) for name in names])
            name = self._made.columns(self._name, there)
            return Column(self._made, name, len(there), self._truth, names)
        if isinstance(key, tuple) and len(key) == 2 and key[0] == slice(None):
            places = key[1]
            if isinstance(places, slice):
                places = list(range(self._width))[places]
            if isinstance(places, list | np.ndarray) and np.asarray(places).dtype.kind == "i":
                there = np.arange(self._width)[np.asarray(places)]
                name = self._made.columns(self._name, there)
                return Column(self._made, name, len(there), self._truth)
        raise _UntraceableError(f"it picks [{key!r}]: pick columns with x[:, [0, 1]]")

    def astype(self, dtype: Any, **_: Any) -> "Column":
        """Numbers of another type: whole ones lose their fractions."""
        if np.dtype(dtype).kind not in "iuf":
            raise _UntraceableError(f"it makes {np.dtype(dtype)} of numbers")
        name = self.end()
        if np.dtype(dtype).kind != "f":
            name = self._made.doubles(self._made.add("Cast", name, to=TensorProto.INT64))
        return Column(self._made, name, self._width)

    def clip(self, min: Any = None, max: Any = None) -> "Column":
        """Bounded by numbers."""
        result = self
        if min is not None:
            result = result._call(np.maximum, (result, min))
        return result if max is None else result._call(np.minimum, (result, max))

    def toarray(self) -> "Column":
        """Itself, as of a sparse matrix."""
        return self

    todense = to_numpy = to_frame = copy = toarray

    def fillna(self, value: float) -> "Column":
        """A number where a value is missing, as of a frame."""
        gap = self._made.add("IsNaN", self.end())
        name = self._made.add("Where", gap, np.array(value, np.float64), self.end())
        return Column(self._made, name, self._width, columns=self._columns)

    def abs(self) -> "Column":
        """Without signs, as of a frame."""
        return self._call(np.absolute, (self,))

    def end(self) -> str:
        """The name of what it is, in numbers."""
        return self._made.doubles(self._name) if self._truth else self._name

    def _number(self, value: Any) -> str | NDArray[Any]:
        if not isinstance(value, Column):
            constant = np.asarray(value, np.float64)
            if constant.ndim > 2 or (constant.ndim == 2 and len(constant) > 1):
                raise _UntraceableError(f"it uses an array of shape {constant.shape}")
            return constant
        return value.end()

    def _as_truth(self) -> str:
        if self._truth:
            return self._name
        same = self._made.add("Equal", self._name, np.array(0.0))
        return self._made.add("Not", same)

    def _call(self, ufunc: np.ufunc, inputs: tuple[Any, ...]) -> "Column":
        make = _FUNCTIONS.get(ufunc)
        if make is None:
            raise _UntraceableError(f"np.{ufunc.__name__}")
        width = max(
            value._width if isinstance(value, Column) else np.size(value) for value in inputs
        )
        truths = ufunc in _OF_TRUTHS
        given = [
            value._as_truth() if truths and isinstance(value, Column) else self._number(value)
            for value in inputs
        ]
        if truths:
            given = [v if isinstance(v, str) else np.asarray(v) != 0 for v in given]
        return Column(self._made, make(self._made, *given), width, truths or ufunc in _TESTS)


def _one(operator: str, **how: Any) -> Callable[..., str]:
    return lambda made, *given: made.add(operator, *given, **how)


def _number(value: float) -> NDArray[np.float64]:
    return np.array(value, np.float64)


def _scaled_log(base: float) -> Callable[..., str]:
    return lambda made, x: made.add("Div", made.add("Log", x), _number(np.log(base)))


def _floor_divide(made: Operators, x: Any, y: Any) -> str:
    return made.add("Floor", made.add("Div", x, y))


def _hyperbolic(operator: str) -> Callable[..., str]:
    def make(made: Operators, x: Any) -> str:
        both = made.add("Exp", x), made.add("Exp", made.add("Neg", x))
        return made.add("Div", made.add(operator, *both), _number(2))

    return make


_TESTS: dict[Any, Callable[..., str]] = {
    np.greater: _one("Greater"),
    np.greater_equal: _one("GreaterOrEqual"),
    np.less: _one("Less"),
    np.less_equal: _one("LessOrEqual"),
    np.equal: _one("Equal"),
    np.not_equal: lambda made, x, y: made.add("Not", made.add("Equal", x, y)),
    np.isnan: _one("IsNaN"),
}
"""Make true and false of numbers."""
_OF_TRUTHS: dict[Any, Callable[..., str]] = {
    np.logical_and: _one("And"),
    np.logical_or: _one("Or"),
    np.logical_not: _one("Not"),
    np.bitwise_and: _one("And"),
    np.bitwise_or: _one("Or"),
    np.invert: _one("Not"),
}
"""Make true and false of true and false."""
_FUNCTIONS: dict[Any, Callable[..., str]] = {
    np.add: _one("Add"),
    np.subtract: _one("Sub"),
    np.multiply: _one("Mul"),
    np.true_divide: _one("Div"),
    np.floor_divide: _floor_divide,
    np.remainder: lambda made, x, y: made.add(
        "Sub", x, made.add("Mul", _floor_divide(made, x, y), y)
    ),
    np.power: _one("Pow"),
    np.square: lambda made, x: made.add("Mul", x, x),
    np.sqrt: _one("Sqrt"),
    np.reciprocal: _one("Reciprocal"),
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
    np.deg2rad: lambda made, x: made.add("Mul", x, _number(np.pi / 180)),
    np.radians: lambda made, x: made.add("Mul", x, _number(np.pi / 180)),
    **_TESTS,
    **_OF_TRUTHS,
}
"""By the function of NumPy: its operators, in double precision."""


def trace(
    function: Any, how: dict[str, Any] | None, width: int, columns: Sequence[str] = ()
) -> onnx.ModelProto:
    """A function of numbers as a graph from `FEATURES` to its answer, computed in double precision.

    Args:
        function: takes an array of shape (n_items, width); None gives back what it gets.
        how: its named arguments.
        width: columns of what it takes.
        columns: their names, where it takes a frame.

    Raises:
        ExportError: it does what has no operator, or does not answer with columns.
    """
    made = Operators()
    given = Column(made, made.doubles(FEATURES), width, columns=columns)
    try:
        answer = given if function is None else function(given, **(how or {}))
        if not isinstance(answer, Column):
            raise _UntraceableError(f"it answers with a {type(answer).__name__}")
    except Exception as e:  # whatever a person's function raises
        name = getattr(function, "__name__", type(function).__name__)
        raise ExportError(
            f"the function {name!r} can't be converted: "
            f"{' '.join(str(e).split())[:_REASON]}; use arithmetic, comparisons, np.where and "
            "NumPy's functions of whole columns, or put what it makes into the table as a column"
        ) from e
    return made.of_features(width, answer.end())
