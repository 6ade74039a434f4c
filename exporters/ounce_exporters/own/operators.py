"""Operators that are put together one by one, alone or behind graphs that read the same inputs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ounce_exporters.export.graphs import IR_VERSION, normalize, with_prefix

FEATURES = "features"
"""Name of the input of a graph that is made of operators alone."""
DIGITS = 7
"""Of decimals that float32 tells apart, whatever their size."""
_ANSWER = "answer"
_END = 2**31 - 1
ML_OPSET = 3
STEPS_OPSET = 18
"""The latest that skl2onnx's converters are written for."""


class Operators:
    """Operators, and their constants."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, operator: str, *inputs: str | NDArray[Any], **attributes: Any) -> str:
        """Add an operator, and return the name of what it makes."""
        made = f"made/{len(self.nodes)}/{operator}"
        names = []
        for i, value in enumerate(inputs):
            if isinstance(value, str):
                names.append(value)
            else:
                names.append(f"{made}/{i}")
                self.constants.append(numpy_helper.from_array(value, names[-1]))
        self.nodes.append(helper.make_node(operator, names, [made], made, **attributes))
        return made

    def two(self, operator: str, *inputs: str | NDArray[Any], **attributes: Any) -> tuple[str, str]:
        """The same of an operator that makes two."""
        first = self.add(operator, *inputs, **attributes)
        self.nodes[-1].output.append(f"{first}/second")
        return first, f"{first}/second"

    def doubles(self, name: str) -> str:
        """The same in double precision."""
        return self.add("Cast", name, to=TensorProto.DOUBLE)

    def decimals(self, name: str) -> str:
        """Float32 as the doubles that a table has: 0.1 is 0.1 where it is the number of at most
        `DIGITS` that float32 rounds to it."""
        exact = self.doubles(name)
        size = self.add("Clip", self.add("Abs", exact), np.array(1e-9), np.array(1e9))
        tens = self.add("Floor", self.add("Div", self.add("Log", size), np.array(np.log(10))))
        places = self.add("Max", self.add("Sub", np.array(DIGITS - 1.0), tens), np.array(0.0))
        shift = self.add("Pow", np.array(10.0), places)
        found = self.add("Div", self.add("Round", self.add("Mul", exact, shift)), shift)
        rounded = self.doubles(self.add("Cast", found, to=TensorProto.FLOAT))
        return self.add("Where", self.add("Equal", rounded, exact), found, exact)

    def columns(self, name: str, places: Sequence[int] | NDArray[np.int64]) -> str:
        """Columns of an array of shape (n_items, n_columns), in this order."""
        return self.add("Gather", name, np.array(places, np.int64), axis=1)

    def last_column(self, name: str) -> str:
        """The last column, array of shape (n_items, 1): that of the second of two labels."""
        return self.add("Slice", name, np.array([-1]), np.array([_END]), np.array([1]))

    def side_by_side(self, names: Sequence[str]) -> str:
        """All columns beside each other."""
        return self.add("Concat", *names, axis=1)

    def mean(self, names: Sequence[str], weights: NDArray[np.float64]) -> str:
        """The weighted mean of float32 arrays of one shape."""
        shares = (weights / weights.sum()).astype(np.float32)
        parts = [self.add("Mul", n, np.array(w)) for n, w in zip(names, shares, strict=True)]
        return self.add("Sum", *parts)

    def graph(
        self,
        inputs: Sequence[onnx.ValueInfoProto],
        name: str,
        opsets: Sequence[onnx.OperatorSetIdProto],
    ) -> onnx.ModelProto:
        """The graph whose one output, float32 of shape (n_items, n_columns), is what is named."""
        self.nodes.append(
            helper.make_node("Cast", [name], [_ANSWER], _ANSWER, to=TensorProto.FLOAT)
        )
        output = helper.make_tensor_value_info(_ANSWER, TensorProto.FLOAT, ["batch", None])
        graph = helper.make_graph(self.nodes, "operators", inputs, [output], self.constants)
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)

    def of_features(self, width: int, name: str) -> onnx.ModelProto:
        """The graph of `FEATURES`, float32 of shape (n_items, width), to what is named."""
        given = helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, ["batch", width])
        return self.graph([given], name, [helper.make_opsetid("", STEPS_OPSET)])


class Joined(Operators):
    """Operators behind graphs that read the same inputs."""

    def __init__(self, members: Sequence[onnx.ModelProto]) -> None:
        super().__init__()
        parts = [
            with_prefix(member, f"member{i}/", keep=member.graph.input)
            for i, member in enumerate(members)
        ]
        self.outputs = [part.graph.output[0].name for part in parts]
        self.nodes += [node for part in parts for node in part.graph.node]
        self.constants += [weight for part in parts for weight in part.graph.initializer]
        self._inputs = {given.name: given for part in parts for given in part.graph.input}
        self._opsets: dict[str, int] = {}
        for part in parts:
            for opset in part.opset_import:
                known = self._opsets.get(opset.domain, 0)
                self._opsets[opset.domain] = max(known, opset.version)

    def end(self, name: str) -> onnx.ModelProto:
        """The graph whose one output is what is named."""
        opsets = [helper.make_opsetid(domain, v) for domain, v in self._opsets.items()]
        return normalize(self.graph(list(self._inputs.values()), name, opsets))
