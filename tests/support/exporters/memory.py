"""A model that knows what it has learned from."""

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from ounce_exporters.ladder.recipe import Inputs


@dataclass
class Memory:
    """A model that says 1 of each row that it has learned from, and 0 of every other."""

    rows: frozenset[float]
    parameters: int = 0

    def predict(self, inputs: Inputs) -> NDArray[np.float32]:
        known = [float(row) in self.rows for row in inputs["input"][:, 0]]
        return np.array([[1.0 - k, k] for k in known], np.float32)

    def to_onnx(self) -> onnx.ModelProto:
        raise NotImplementedError
