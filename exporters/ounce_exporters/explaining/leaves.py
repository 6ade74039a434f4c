"""Where multipliers end: what a graph reads element by element, by column, or byte by byte."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto
from ounce_edge.models.runtimes.text_bytes import encode_texts
from ounce_schemas.errors import ExportError
from ounce_schemas.task import TaskSpec

from ounce_exporters.explaining.byte_contributions import check_bytes, of_bytes
from ounce_exporters.explaining.owners import feature_owners
from ounce_exporters.explaining.parts import Part, places_of
from ounce_exporters.explaining.tape import Tape, evaluate
from ounce_exporters.ladder.recipe import Inputs

_ELEMENTWISE = ("Cast", "IsNaN", "Not", "Where", "Identity", "LayerNormalization")
"""Read an input element by element. Of a window that is first brought to a mean of 0 and a spread
of 1, contributions are of what is read then."""
_ROWS = 2000
_TEXTS = 64


class Leaves:
    """Contributions through all leaves of a graph.

    Args:
        tape: takes the nodes.
        graph: of the model.
        task: of the model.
        parts: of its inputs; those of texts are left out.
        learned: items that the model has learned from.
    """

    def __init__(
        self,
        tape: Tape,
        graph: onnx.ModelProto,
        task: TaskSpec,
        parts: Sequence[Part],
        learned: Inputs,
    ) -> None:
        self._tape, self._graph, self._task, self._learned = tape, graph, task, learned
        texts = {tensor.name for tensor in task.inputs if tensor.text_bytes is not None}
        self._rest = task.model_copy(
            update={"inputs": tuple(t for t in task.inputs if t.name not in texts)}
        )
        self._parts = [part for part in parts if part.tensor not in texts]
        self._n_bytes = sum(t.size * (t.text_bytes or 0) for t in task.inputs)
        self._made_by = {name: node for node in graph.graph.node for name in node.output}
        self._of_parts: list[str] = []
        self._of_bytes: list[str] = []

    @property
    def width(self) -> int:
        """Contributions of an item."""
        return len(self._parts) + self._n_bytes

    def add(self, node: NodeProto, multiplier: str) -> None:
        """Take a leaf.

        Args:
            node: that gives it.
            multiplier: of its output.

        Raises:
            ExportError: some of its elements depend on several parts.
        """
        leaf = node.output[0]
        if self._n_bytes and self._reads_text(leaf):
            check_bytes(self._values_of_texts, self._texts, leaf)
            self._of_bytes.append(of_bytes(self._tape, leaf, multiplier, self._n_bytes))
            return
        owners = self._owners(node)
        into = np.zeros((len(owners), len(self._parts)), np.float32)
        into[np.arange(len(owners)), owners] = 1.0
        each = self._tape.add("Mul", multiplier, self._tape.change(leaf))
        flat = self._tape.reshape(each, (len(owners),))
        self._of_parts.append(self._tape.add("MatMul", flat, into))

    def joined(self) -> str:
        """Contributions of all parts, then of all bytes; shape (n, width).

        Raises:
            ExportError: the score depends on none of the inputs of a kind.
        """
        found = []
        for n, some in ((len(self._parts), self._of_parts), (self._n_bytes, self._of_bytes)):
            if n and not some:
                raise ExportError("the score does not depend on some of the inputs")
            if n:
                found.append(some[0] if len(some) == 1 else self._tape.add("Sum", *some))
        return found[0] if len(found) == 1 else self._tape.add("Concat", *found, axis=1)

    @cached_property
    def _texts(self) -> NDArray[np.uint8]:
        """Some that the model has learned from."""
        tensor = next(t for t in self._task.inputs if t.text_bytes is not None)
        return encode_texts(self._learned[tensor.name][:_TEXTS], tensor.text_bytes or 0)

    def _values_of_texts(self, texts: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        name = next(t.name for t in self._task.inputs if t.text_bytes is not None)
        return self._values({name: texts})

    def _values(self, changed: Inputs) -> dict[str, NDArray[Any]]:
        """All tensors of the graph; inputs that are not given are those of the reference."""
        n = len(next(iter(changed.values())))
        given = {
            tensor.name: np.repeat(self._tape.usual[tensor.name], n, axis=0)
            for tensor in self._task.inputs
        }
        return evaluate(self._graph, given | dict(changed))

    def _reads_text(self, leaf: str) -> bool:
        """Whether texts change it, the other inputs being those of the reference."""
        values = self._values_of_texts(self._texts)[leaf]
        return bool((values != self._tape.usual[leaf]).any())

    def _owners(self, node: NodeProto) -> NDArray[np.intp]:
        """The part of each element."""
        source = self._source(node)
        if source is not None:
            places = places_of(self._parts, source).ravel()
            if len(places) == self._tape.usual[node.output[0]].size:
                return places
        return self._owners_by_column(node)

    def _owners_by_column(self, node: NodeProto) -> NDArray[np.intp]:
        error = ExportError(f"no rule carries contributions through {node.op_type}")
        if any(tensor.columns is None for tensor in self._rest.inputs):
            raise error
        sizes = np.cumsum([tensor.size for tensor in self._rest.inputs])[:-1]

        def transform(matrix: NDArray[Any]) -> NDArray[Any]:
            blocks = np.split(matrix, sizes, axis=1)
            changed = {
                tensor.name: block.reshape(-1, *tensor.shape).astype(
                    np.float32 if tensor.datatype == "FP32" else object
                )
                for tensor, block in zip(self._rest.inputs, blocks, strict=True)
            }
            return self._values(changed)[node.output[0]].reshape(len(matrix), -1)

        rows = [
            self._learned[tensor.name][:_ROWS].reshape(-1, tensor.size).astype(object)
            for tensor in self._rest.inputs
        ]
        owners = feature_owners(transform, self._rest, np.concatenate(rows, axis=1))
        if owners is None:
            raise error
        places = [places_of(self._parts, t.name).ravel() for t in self._rest.inputs]
        return np.asarray(np.concatenate(places)[owners])

    def _source(self, node: NodeProto) -> str | None:
        """The input that a node's output is read from element by element; None: in another way."""
        inputs = {tensor.name for tensor in self._task.inputs}
        found, todo = set[str](), [(node.op_type, list(node.input))]
        while todo:
            kind, names = todo.pop()
            if kind not in (*_ELEMENTWISE, "Expand", "Constant"):
                return None
            for name in names[:1] if kind == "Expand" else names:
                if name in inputs:
                    found.add(name)
                elif name in self._made_by:
                    before = self._made_by[name]
                    todo.append((before.op_type, list(before.input)))
        return found.pop() if len(found) == 1 else None
