"""What the inputs of an own model are fed with: tensors of the task, or columns of them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from ounce_schemas.errors import ExportError
from ounce_schemas.task import TaskSpec, TensorSpec
from ounce_schemas.wording import counted

from ounce_exporters.ladder.recipe import Inputs
from ounce_exporters.own.answers import Port
from ounce_exporters.own.truths import Spelling, spelling_of

_KINDS: dict[str, tuple[Any, int]] = {
    "tensor(float)": (np.float32, TensorProto.FLOAT),
    "tensor(double)": (np.float64, TensorProto.DOUBLE),
    "tensor(float16)": (np.float16, TensorProto.FLOAT16),
    "tensor(int64)": (np.int64, TensorProto.INT64),
    "tensor(int32)": (np.int32, TensorProto.INT32),
    "tensor(int16)": (np.int16, TensorProto.INT16),
    "tensor(int8)": (np.int8, TensorProto.INT8),
    "tensor(uint8)": (np.uint8, TensorProto.UINT8),
    "tensor(bool)": (np.bool_, TensorProto.BOOL),
}
_TEXT = "tensor(string)"
_TOKENS = {"input_ids", "token_type_ids", "decoder_input_ids"}
"""Names that networks of texts have for their inputs."""


@dataclass(frozen=True)
class Feed:
    """How one input of the model is made of one tensor of the task."""

    port: Port
    tensor: TensorSpec
    picked: tuple[int, ...]
    """Elements of the tensor, in the model's order."""
    offsets: tuple[float, ...]
    """What was taken off each and is added again."""
    truth: Spelling | None = None
    """Where one column writes true and false as texts, and the model takes numbers."""

    @property
    def _shape(self) -> tuple[int, ...]:
        """Of one item; an open dimension takes what is left."""
        return tuple(-1 if d is None else d for d in self.port.shape[1:])

    def array(self, inputs: Inputs) -> NDArray[Any]:
        """The input as NumPy makes it; array of shape (n_items, ...).

        Raises:
            ExportError: whole numbers are wanted, and the task's have gaps or fractions.
        """
        whole = inputs[self.tensor.name]
        values = whole.reshape(len(whole), -1)[:, list(self.picked)]
        if self.truth is not None:
            values = self.truth.numbers(values)
        if any(self.offsets):
            values = values.astype(np.float64) + np.array(self.offsets)
        if self.port.kind != _TEXT:
            dtype = np.dtype(_KINDS[self.port.kind][0])
            if dtype.kind in "iub":
                self._check_whole(values, dtype)
            values = values.astype(dtype)
        return values.reshape(len(whole), *self._shape)

    def without_gaps(self) -> "Feed":
        """The same where a text that is neither true nor false counts as false."""
        return self if self.truth is None else replace(self, truth=replace(self.truth, other=0.0))

    def nodes(self, to: str) -> tuple[list[onnx.NodeProto], dict[str, NDArray[Any]]]:
        """Operators that make the input `to` of the task's tensor, and their constants."""
        nodes: list[onnx.NodeProto] = []
        constants: dict[str, NDArray[Any]] = {}
        last = self.tensor.name

        def add(operator: str, *values: NDArray[Any], **attributes: Any) -> None:
            nonlocal last
            names = [last]
            for value in values:
                names.append(f"feed/{to}/{len(constants)}")
                constants[names[-1]] = value
            last = f"feed/{to}/{operator}/{len(nodes)}"
            nodes.append(helper.make_node(operator, names, [last], **attributes))

        if len(self.tensor.shape) > 1:
            add("Reshape", np.array([-1, self.tensor.size]))
        if self.picked != tuple(range(self.tensor.size)):
            add("Gather", np.array(self.picked), axis=1)
        if self.truth is not None:
            column = last
            add("Equal", np.array([self.truth.false], object))
            zero, other = np.array(0, np.float32), np.array(self.truth.other, np.float32)
            add("Where", zero, other)
            rest, last = last, column
            add("Equal", np.array([self.truth.true], object))
            one = f"feed/{to}/one"
            constants[one] = np.array(1, np.float32)
            nodes.append(helper.make_node("Where", [last, one, rest], [f"feed/{to}/truth"]))
            last = f"feed/{to}/truth"
        if any(self.offsets):
            add("Cast", to=TensorProto.DOUBLE)
            add("Add", np.array(self.offsets))
        kind = TensorProto.STRING if self.port.kind == _TEXT else _KINDS[self.port.kind][1]
        if kind not in (TensorProto.FLOAT, TensorProto.STRING) or any(self.offsets):
            add("Cast", to=kind)
        if self._shape not in ((len(self.picked),), (-1,)):
            add("Reshape", np.array([-1, *_known(self._shape, len(self.picked))]))
        nodes.append(helper.make_node("Identity", [last], [to]))
        return nodes, constants

    def _check_whole(self, values: NDArray[Any], dtype: np.dtype[Any]) -> None:
        exact = values.astype(np.float64)
        bad = ~(np.isfinite(exact) & (exact == np.round(exact))).all(axis=0)
        if bad.any():
            column = _names(self.tensor)[self.picked[int(bad.argmax())]]
            raise ExportError(
                f"input {self.port.name!r} takes whole numbers ({dtype}), and {column!r} has gaps "
                "or fractions: export the model with float inputs"
            )


def find_feeds(ports: Sequence[Port], task: TaskSpec) -> list[Feed]:
    """Find what each input of a model is fed with: by the name of a tensor or column, or by type
    and width where one tensor alone fits.

    Raises:
        ExportError: an input has no match, or the batch dimension is fixed.
    """
    tokens = next((port.name for port in ports if port.name in _TOKENS), None)
    if tokens is not None:
        raise ExportError(
            f"input {tokens!r} takes the numbers of a text's tokens, and a worker has no "
            "tokenizer: `ounce train` makes models of texts (--columns NAME=text)"
        )
    feeds = [_find(port, task) for port in ports]
    whole = [f.tensor.name for f in feeds if len(f.picked) > 1]
    for name in set(whole):
        by_place = [
            f for f in feeds if f.tensor.name == name and len(f.picked) > 1 and f.port.name != name
        ]
        if whole.count(name) > 1 and by_place:
            names = ", ".join(repr(f.port.name) for f in by_place)
            raise ExportError(
                f"inputs {names} all fit the task's {name!r}: name them as its columns are named"
            )
    return feeds


def _find(port: Port, task: TaskSpec) -> Feed:
    if port.kind != _TEXT and port.kind not in _KINDS:
        raise ExportError(f"input {port.name!r} is a {port.kind}: numbers or texts can be sent")
    if not port.shape or port.shape[0] is not None:
        fixed = (
            f"is made for {counted(port.shape[0] or 0, 'item')} a call"
            if port.shape
            else "has no dimension"
        )
        raise ExportError(
            f"input {port.name!r} {fixed}: export the model with an open batch dimension "
            "(torch: dynamic_shapes; skl2onnx: FloatTensorType([None, n]))"
        )
    width = _width(port)
    for tensor in task.inputs:
        if tensor.name == port.name and _same_kind(port, tensor) and width in (None, tensor.size):
            return _whole(port, tensor)
    if width in (1, None):
        found = _column(port, task)
        if found is not None:
            return found
    fitting = [t for t in task.inputs if _same_kind(port, t) and width in (None, t.size)]
    if len(fitting) == 1:
        return _whole(port, fitting[0])
    raise ExportError(
        f"input {port.name!r} ({port.kind}, {_show(width)} an item) matches no input and no column "
        f"of task {task.name!r}: it has {'; '.join(_describe(t) for t in task.inputs)}"
    )


def _column(port: Port, task: TaskSpec) -> Feed | None:
    """A column of the task with the input's name, as a person or a converter would write it."""
    for same in (str, _plain):
        for tensor in task.inputs:
            for index, name in enumerate(tensor.columns or ()):
                cell = tensor.cells[index] if tensor.cells else None
                raw = cell is not None and cell.read == "number" and cell.column != name
                if same(name) == same(port.name):
                    offset = 0.0
                elif raw and cell is not None and same(cell.column) == same(port.name):
                    offset = cell.offset or 0.0
                else:
                    continue
                truth = None if port.kind == _TEXT else spelling_of(tensor, index)
                if not _same_kind(port, tensor) and truth is None:
                    wants, has = (
                        ("texts", "numbers") if port.kind == _TEXT else ("numbers", "texts")
                    )
                    raise ExportError(
                        f"input {port.name!r} takes {wants}, and column {name!r} of the task holds "
                        f"{has}: train with --columns '{name}="
                        f"{'category' if port.kind == _TEXT else 'number'}', or export the model "
                        f"with an input of {has}"
                    )
                feed = Feed(port, tensor, (index,), (offset,), truth)
                has_gaps = port.kind in ("tensor(float)", "tensor(double)", "tensor(float16)")
                return feed if has_gaps else feed.without_gaps()
    return None


def _whole(port: Port, tensor: TensorSpec) -> Feed:
    if sum(d is None for d in port.shape[1:]) > 1:
        raise ExportError(f"input {port.name!r} has open dimensions beside the batch: fix them")
    return Feed(port, tensor, tuple(range(tensor.size)), (0.0,) * tensor.size)


def _width(port: Port) -> int | None:
    """Elements of an item; None where a dimension is open."""
    size = 1
    for dimension in port.shape[1:]:
        if dimension is None:
            return None
        size *= dimension
    return size


def _known(shape: tuple[int, ...], size: int) -> tuple[int, ...]:
    """The same without -1, so that the batch may be it."""
    rest = 1
    for dimension in shape:
        rest *= dimension if dimension != -1 else 1
    return tuple(size // rest if d == -1 else d for d in shape)


def _same_kind(port: Port, tensor: TensorSpec) -> bool:
    return (port.kind == _TEXT) == (tensor.datatype == "BYTES")


def _plain(name: str) -> str:
    return re.sub(r"\W+", "_", name.lower()).strip("_")


def _names(tensor: TensorSpec) -> Sequence[str]:
    return tensor.columns or [f"{tensor.name}[{i}]" for i in range(tensor.size)]


def _show(width: int | None) -> str:
    return "any number of values" if width is None else f"{width} value{'s' * (width != 1)}"


def _describe(tensor: TensorSpec) -> str:
    kind = "texts" if tensor.datatype == "BYTES" else "numbers"
    columns = tensor.columns or ()
    shown = ", ".join(map(repr, columns[:8])) + (", ..." if len(columns) > 8 else "")
    return f"{tensor.name!r} ({tensor.size} {kind}{': ' + shown if shown else ''})"
