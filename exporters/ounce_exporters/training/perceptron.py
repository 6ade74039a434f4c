"""Layers of products with ReLU between them, learned in PyTorch and written as a graph."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper
from torch import nn


def make_layers(sizes: Sequence[int]) -> nn.Sequential:
    """A network to learn.

    Args:
        sizes: of the inputs, of each hidden layer, and of the outputs.
    """
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


@dataclass(frozen=True)
class Perceptron:
    """What such a network has learned."""

    weights: tuple[NDArray[np.float32], ...]
    """Of each layer, shape (n_before, n_after)."""
    biases: tuple[NDArray[np.float32], ...]
    """Of each layer, shape (n_after,)."""

    @classmethod
    def of(cls, network: nn.Module) -> "Perceptron":
        """The weights of what `make_layers` made."""
        layers = [layer for layer in network.children() if isinstance(layer, nn.Linear)]
        return cls(
            tuple(layer.weight.detach().numpy().T.copy() for layer in layers),
            tuple(layer.bias.detach().numpy().copy() for layer in layers),
        )

    @property
    def size(self) -> int:
        """Learned numbers."""
        return sum(array.size for array in (*self.weights, *self.biases))

    def then(self, scale: float, shift: float) -> "Perceptron":
        """The same, all of its outputs plus `shift`, times `scale`."""
        bias = ((self.biases[-1] + shift) * scale).astype(np.float32)
        weights = (self.weights[-1] * scale).astype(np.float32)
        return Perceptron((*self.weights[:-1], weights), (*self.biases[:-1], bias))

    def outputs(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Array of shape (n_rows, n_outputs)."""
        values = features
        for i, (weights, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            values = (np.maximum(values, 0) if i else values) @ weights + bias
        return values

    def nodes(self, name: str, result: str) -> tuple[list[NodeProto], dict[str, NDArray[Any]]]:
        """The nodes that compute `outputs`, and their constants.

        Args:
            name: of the tensor that they read.
            result: of the tensor that they write.
        """
        nodes: list[NodeProto] = []
        constants: dict[str, NDArray[Any]] = {}
        for i, (weights, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            constants |= {f"weights_{i}": weights, f"bias_{i}": bias}
            if i:
                nodes.append(helper.make_node("Relu", [name], [f"hidden_{i}"]))
                name = f"hidden_{i}"
            made = result if i == len(self.weights) - 1 else f"layer_{i}"
            nodes.append(helper.make_node("Gemm", [name, f"weights_{i}", f"bias_{i}"], [made]))
            name = made
        return nodes, constants
