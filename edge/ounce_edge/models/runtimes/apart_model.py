"""A model in a process of its own, and what brings it back."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ounce_edge.models.runtimes.base import Inputs, TensorSignature

if TYPE_CHECKING:
    from ounce_edge.models.runtimes.apart import ApartRuntime


@dataclass
class KeptModel:
    """What is loaded anew in another process."""

    path: Path
    content: bytes
    process: int = 0
    """Number of the process that holds it; 0: none."""
    why_not: str = ""
    """Why it did not come back."""
    left_out_of: int = 0
    """Number of the process behind one that died of its load."""
    is_tried: bool = False
    """Whether a thread loads it again."""


class ApartModel:
    """Implements `LoadedModel`.

    Args:
        runtime: has the process.
        number: of the model there.
        inputs: as the file declares them; likewise the outputs.
    """

    def __init__(
        self,
        runtime: "ApartRuntime",
        number: int,
        inputs: Mapping[str, TensorSignature],
        outputs: Mapping[str, TensorSignature],
    ) -> None:
        self._runtime, self._number = runtime, number
        self.inputs, self.outputs = inputs, outputs
        self._is_loaded = True

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        """As `LoadedModel` says."""
        if not self._is_loaded:
            raise RuntimeError("the model was unloaded")
        return self._runtime.run(self._number, inputs)

    def gpu_times_ms(self, n_items: int, n_calls: int) -> list[float]:
        """As `ApartRuntime` says."""
        return self._runtime.gpu_times_ms(self._number, n_items, n_calls)

    def unload(self) -> None:
        """As `LoadedModel` says."""
        if self._is_loaded:
            self._is_loaded = False
            self._runtime.unload(self._number)

    def __del__(self) -> None:
        if self._is_loaded:
            self._runtime.forget(self._number)
