"""A person's own function of whole columns, as operators: one call of it is recorded."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray
from onnx import TensorProto
from ounce_schemas.errors import ExportError

from ounce_exporters.own.elementwise import FUNCTIONS, OF_BITS, OF_TRUTHS, TESTS
from ounce_exporters.own.operators import FEATURES, Operators

_REASON = 200
_LEAST_BYTES = 4
"""Of a type of numbers: narrower ones round, or start anew at their largest."""


class _UntraceableError(BaseException):
    """The function does what has no operator. Its own `except Exception` does not hide that."""


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
        if ufunc is np.matmul:
            return self._turned(*inputs)
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
            name = self._made.add("Where", test._as_truth(), *names)
            return Column(self._made, name, _width(test, yes, no))
        bounds = {"a_min": "min", "a_max": "max"}
        # A bound may be the only column among them.
        if function is np.clip and isinstance(inputs[0], Column) and how.keys() <= bounds.keys():
            return inputs[0].clip(*inputs[1:], **{bounds[k]: v for k, v in how.items()})
        if function in (np.hstack, np.column_stack) or (
            function is np.concatenate and how.get("axis") == 1
        ):
            parts = inputs[0]
            if all(isinstance(part, Column) for part in parts):
                name = self._made.side_by_side([part.end() for part in parts])
                return Column(self._made, name, sum(part._width for part in parts))
        raise _UntraceableError(f"np.{function.__name__}")

    @property
    def shape(self) -> tuple[int, int]:
        """Of one item; how many there are is not known."""
        return 1, self._width

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
        if np.dtype(dtype).kind not in "if" or np.dtype(dtype).itemsize < _LEAST_BYTES:
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

    def _turned(self, left: Any, right: Any) -> "Column":
        """Columns times a matrix that is known, as of a rotation."""
        matrix = np.asarray(right, np.float64) if isinstance(left, Column) else np.empty(0)
        if matrix.ndim != 2:
            raise _UntraceableError("np.matmul of what is no matrix on the right")
        name = self._made.add("MatMul", left.end(), matrix)
        return Column(self._made, name, matrix.shape[1])

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
        are_truths = all(map(_is_truth, inputs))
        if ufunc is np.add and are_truths:
            ufunc = np.logical_or  # NumPy's sum of true and true is true
        make = FUNCTIONS.get(ufunc)
        if make is None or (ufunc in OF_BITS and not are_truths):
            raise _UntraceableError(f"np.{ufunc.__name__}")
        truths = ufunc in OF_TRUTHS
        given = [
            value._as_truth() if truths and isinstance(value, Column) else self._number(value)
            for value in inputs
        ]
        if truths:
            given = [v if isinstance(v, str) else np.asarray(v) != 0 for v in given]
        name = make(self._made, *given)
        return Column(self._made, name, _width(*inputs), truths or ufunc in TESTS)


def _width(*values: Any) -> int:
    """Columns of what is made of values, item by item."""
    return max(value._width if isinstance(value, Column) else np.size(value) for value in values)


def _is_truth(value: Any) -> bool:
    return value._truth if isinstance(value, Column) else np.asarray(value).dtype == np.bool_


def trace(
    function: Any,
    how: dict[str, Any] | None,
    width: int,
    columns: Sequence[str] = (),
    decimals: bool = False,
) -> onnx.ModelProto:
    """A function of numbers as a graph from `FEATURES` to its answer, computed in double precision.

    Args:
        function: takes an array of shape (n_items, width); None gives back what it gets.
        how: its named arguments.
        width: columns of what it takes.
        columns: their names, where it takes a frame.
        decimals: whether 0.1 shall be 0.1, not what it is in float32: that takes longer.

    Raises:
        ExportError: it does what has no operator, or does not answer with columns.
    """
    try:
        first, second = (_record(function, how, width, columns, decimals) for _ in range(2))
        if first != second:
            raise _UntraceableError("two calls differ, as of chance or of what it keeps")
    except (Exception, _UntraceableError) as e:  # whatever a person's function raises
        name = getattr(function, "__name__", type(function).__name__)
        raise ExportError(
            f"the function {name!r} can't be converted: "
            f"{' '.join(str(e).split())[:_REASON]}; use arithmetic, comparisons, np.where and "
            "NumPy's functions of whole columns, or put what it makes into the table as a column"
        ) from e
    return first


def _record(
    function: Any,
    how: dict[str, Any] | None,
    width: int,
    columns: Sequence[str],
    decimals: bool,
) -> onnx.ModelProto:
    made = Operators()
    read = made.decimals if decimals else made.doubles
    given = Column(made, read(FEATURES), width, columns=columns)
    answer = given if function is None else function(given, **(how or {}))
    if not isinstance(answer, Column):
        raise _UntraceableError(f"it answers with a {type(answer).__name__}")
    return made.of_features(width, answer.end())
