"""Tensors and layers that only know shapes, types, and the values of small whole numbers, which
shapes are made of; and the C++ objects that stand for them."""

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trials.native_parser.objects import Function, Shape, instance, shape_of, table

Values = NDArray[np.int64] | None

FLOAT, INT8, INT32, BOOL, INT64 = 0, 2, 3, 4, 8
"""Of TensorRT's DataType."""

TENSOR = (
    "setName getName setDimensions getDimensions setType getType setDynamicRange isNetworkInput "
    "isNetworkOutput"
)
LAYER = (
    "getType setName getName getNbInputs getInput getNbOutputs getOutput setInput setPrecision "
    "getPrecision precisionIsSet resetPrecision setOutputType"
)
"""Functions of tensors and of layers, in their order."""
_PROPERTIES = {
    "shuffle": "FirstTranspose:P ReshapeDimensions:D SecondTranspose:P ZeroIsPlaceholder:b",
    "convolution": "NbOutputMaps:l NbGroups:l KernelWeights:W BiasWeights:W PrePadding:D "
    "PostPadding:D PaddingMode:i KernelSizeNd:D StrideNd:D PaddingNd:D DilationNd:D",
    "pooling": "PoolingType:i BlendFactor:f AverageCountExcludesPadding:b PrePadding:D "
    "PostPadding:D PaddingMode:i WindowSizeNd:D StrideNd:D PaddingNd:D",
    "concatenation": "Axis:i",
    "gather": "GatherAxis:i NbElementWiseDims:i Mode:i",
    "slice": "Start:D Size:D Stride:D Mode:i Axes:D",
}
"""Of layers: each is set and asked for, in this order."""


class Tensor:
    """A tensor."""

    def __init__(self, name: str, kind: Callable[[], int], shape: Callable[[], Shape]) -> None:
        self.name = ctypes.c_char_p(name.encode())
        self.kind, self.shape = kind, shape
        self.values: Callable[[], Values] = lambda: None
        self.is_input = self.is_output = False
        self.address = 0


class Layer:
    """A layer, with what was set of it."""

    def __init__(self, inputs: list[Tensor | None], **settings: Any) -> None:
        self.inputs, self.settings = inputs, settings
        self.outputs: list[Tensor] = []
        self.name = ctypes.c_char_p(b"layer")

    def of(self, place: int = 0) -> Tensor:
        """An input that is there."""
        tensor = self.inputs[place]
        assert tensor is not None
        return tensor

    def has(self, place: int) -> bool:
        """Whether there is such an input."""
        return len(self.inputs) > place and self.inputs[place] is not None


class Graph:
    """Tensors and layers, by the addresses of their C++ objects."""

    def __init__(self) -> None:
        self.n_layers = 0
        self.warnings: list[str] = []
        """Where it was asked for what no network would do."""
        self.layers: dict[int, Layer] = {}
        self.plain = table()
        """Of objects without functions."""
        self._n_changes = 0
        self._tensors: dict[int, Tensor] = {}
        self._nothing = instance(self.plain)
        self._tensor_table = table(TENSOR, self._tensor_functions())
        self._layer_table = table(LAYER, self._layer_functions())
        self._property_tables = {
            name: self._properties(letters.split()) for name, letters in _PROPERTIES.items()
        }

    def at(self, address: int) -> Tensor:
        """A tensor, by the address of its object."""
        return self._tensors[address]

    def tensor(self, name: str, kind: Callable[[], int], shape: Callable[[], Shape]) -> Tensor:
        """Another one."""
        tensor = Tensor(name, kind, shape)
        implementation = instance(self._tensor_table)
        tensor.address = instance(self.plain, implementation)
        self._tensors[implementation] = self._tensors[tensor.address] = tensor
        return tensor

    def layer(
        self,
        inputs: list[Tensor | None],
        kind: Callable[[Layer], int],
        shape: Callable[[Layer], Shape],
        values: Callable[[Layer], Values] = lambda layer: None,
        properties: str | None = None,
        n_outputs: int = 1,
        **settings: Any,
    ) -> int:
        """Another one; the address of its C++ object."""
        layer = Layer(inputs, **settings)
        self.n_layers += 1
        self._n_changes += 1
        for _ in range(n_outputs):
            name = f"layer {self.n_layers}"
            tensor = self.tensor(name, lambda: kind(layer), self._once(lambda: shape(layer)))
            tensor.values = self._once(lambda: values(layer))
            layer.outputs.append(tensor)
        common = instance(self._layer_table)
        own = self._nothing
        if properties is not None:
            own = instance(self._property_tables[properties])
        address = instance(self.plain, common, own)
        for place in (common, own, address):
            self.layers[place] = layer
        return address

    def _once(self, compute: Callable[[], Any]) -> Callable[[], Any]:
        """Computed anew only where something was changed since."""
        found: list[Any] = [-1, None]

        def answer() -> Any:
            if found[0] != self._n_changes:
                found[:] = self._n_changes, compute()
            return found[1]

        return answer

    def _tensor_functions(self) -> dict[str, Function]:
        of = self._tensors

        def set_name(this: int, name: bytes) -> None:
            of[this].name = ctypes.c_char_p(name)

        def set_shape(this: int, dims: Any) -> None:
            shape = shape_of(dims)
            of[this].shape = lambda: shape

        def set_kind(this: int, kind: int) -> None:
            of[this].kind = lambda: kind

        return {
            "setName": (":s", set_name),
            "getName": ("p:", lambda this: _address_of(of[this].name)),
            "setDimensions": (":D", set_shape),
            "getDimensions": ("D:", lambda this: of[this].shape()),
            "setType": (":i", set_kind),
            "getType": ("i:", lambda this: of[this].kind()),
            "isNetworkInput": ("b:", lambda this: of[this].is_input),
            "isNetworkOutput": ("b:", lambda this: of[this].is_output),
        }

    def _layer_functions(self) -> dict[str, Function]:
        of = self.layers

        def set_name(this: int, name: bytes) -> None:
            of[this].name = ctypes.c_char_p(name)

        def set_input(this: int, place: int, tensor: int) -> None:
            self._n_changes += 1
            inputs = of[this].inputs
            inputs.extend([None] * (place + 1 - len(inputs)))
            inputs[place] = self._tensors[tensor]

        def set_kind(this: int, place: int, kind: int) -> None:
            of[this].outputs[place].kind = lambda: kind

        def output(this: int, place: int) -> int:
            outputs = of[this].outputs
            return outputs[place].address if place < len(outputs) else 0

        return {
            "getType": ("i:", lambda this: of[this].settings.get("type", 0)),
            "setName": (":s", set_name),
            "getName": ("p:", lambda this: _address_of(of[this].name)),
            "getNbInputs": ("i:", lambda this: len(of[this].inputs)),
            "getInput": ("p:i", lambda this, place: of[this].of(place).address),
            "getNbOutputs": ("i:", lambda this: len(of[this].outputs)),
            "getOutput": ("p:i", output),
            "setInput": (":ip", set_input),
            "setOutputType": (":ii", set_kind),
        }

    def _properties(self, properties: Sequence[str]) -> Any:
        names: list[str] = []
        functions: dict[str, Function] = {}
        for one in properties:
            name, letter = one.split(":")
            names += [f"set{name}", f"get{name}"]
            functions[f"set{name}"] = (f":{letter}", self._setter(name, letter))
            if letter in "ilbD":
                functions[f"get{name}"] = (f"{letter}:", self._getter(name, letter))
        return table(" ".join(names), functions)

    def _setter(self, name: str, letter: str) -> Callable[[int, Any], None]:
        def put(this: int, value: Any) -> None:
            if letter == "D":
                value = shape_of(value)
            elif letter == "P":
                value = tuple(value.contents.order)
            self._n_changes += 1
            self.layers[this].settings[name] = value

        return put

    def _getter(self, name: str, letter: str) -> Callable[[int], Any]:
        return lambda this: self.layers[this].settings.get(name, () if letter == "D" else 0)


def _address_of(text: ctypes.c_char_p) -> int:
    return ctypes.cast(text, ctypes.c_void_p).value or 0
