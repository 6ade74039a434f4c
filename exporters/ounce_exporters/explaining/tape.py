"""A graph that is followed backwards: its tensors at the reference, and nodes that are added."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import NodeProto, helper
from ounce_edge.models.runtimes.text_bytes import encode_texts
from ounce_schemas.task import TaskSpec

from ounce_exporters.explaining.parts import graph_shape
from ounce_exporters.explaining.reference import Reference

Array = NDArray[Any]
Held = Array | np.floating[Any]
_ITEMS = 3


@dataclass
class Tape:
    """The tensors of a graph, and the nodes and constants that are added behind it."""

    usual: dict[str, Array]
    """Tensors that depend on the item, at the reference; shape (1, ...). They have the items first,
    and all others of their dimensions are fixed."""
    fixed: dict[str, Array]
    """Those that do not depend on it."""
    loose: frozenset[str] = frozenset()
    """Those that do, and do not have the items first: shapes, or other outputs of a node."""
    prefix: str = "explaining/"
    nodes: list[NodeProto] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)
    is_linear: bool = True
    """Whether all that was followed so far only adds up and weighs."""
    _changes: dict[str, str] = field(default_factory=dict)

    def add(self, operator: str, *inputs: "str | Held | None", **attributes: Any) -> str:
        """Add a node; the name of its output. Arrays among its inputs become constants."""
        names = [self._named(each) for each in inputs]
        output = f"{self.prefix}{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, names, [output], **attributes))
        return output

    def _named(self, value: "str | Held | None") -> str:
        if value is None or isinstance(value, str):
            return value or ""
        name = f"{self.prefix}constant_{len(self.constants)}"
        self.constants[name] = np.asarray(value)
        return name

    def reshape(self, name: str, shape: Sequence[int]) -> str:
        """A tensor with items of another shape."""
        return self.add("Reshape", name, np.array([-1, *shape], np.int64))

    def change(self, name: str) -> str:
        """What a tensor is over the reference; worked out once."""
        if name not in self._changes:
            self._changes[name] = self.add("Sub", name, self.usual[name])
        return self._changes[name]

    def middle(self, name: str) -> str:
        """The mean of a tensor and of the reference."""
        return self.add("Mul", self.add("Add", name, self.usual[name]), np.float32(0.5))


def make_tape(graph: onnx.ModelProto, task: TaskSpec, reference: Reference) -> Tape:
    """The tape of a graph.

    Args:
        graph: of a model: the task's inputs.
        task: of the model.
        reference: the item that nothing is known of.
    """
    inputs = {}
    for tensor in task.inputs:
        value = reference[tensor.name]
        if tensor.text_bytes is not None:
            value = encode_texts(value, tensor.text_bytes)
        inputs[tensor.name] = value.reshape(1, *graph_shape(tensor))
    one = evaluate(graph, inputs)
    several = evaluate(graph, {k: np.repeat(v, _ITEMS, axis=0) for k, v in inputs.items()})
    depends = set(inputs)
    for node in graph.graph.node:
        if depends.intersection(node.input):
            depends.update(node.output)
    known = one | inputs
    loose = {
        name
        for name in depends & one.keys()
        if np.shape(several[name]) != (_ITEMS, *np.shape(one[name])[1:]) or not np.ndim(one[name])
    }
    usual = {name: known[name] for name in known if name in depends - loose}
    fixed = {name: value for name, value in one.items() if name not in depends}
    return Tape(usual, fixed, frozenset(loose))


def evaluate(graph: onnx.ModelProto, inputs: dict[str, Array]) -> dict[str, Array]:
    """All tensors of a graph for some items; constants too."""
    shown = onnx.ModelProto()
    shown.CopyFrom(graph)
    names = [name for node in graph.graph.node for name in node.output if name]
    del shown.graph.output[:]
    shown.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    options = ort.SessionOptions()
    options.log_severity_level = 4  # a failure raises: no line of the runtime beside it
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(
        shown.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    found = dict(zip(names, session.run(names, inputs), strict=True))
    held = {t.name: onnx.numpy_helper.to_array(t) for t in graph.graph.initializer}
    return held | found
