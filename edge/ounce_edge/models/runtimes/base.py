"""The interface of a runtime."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Inputs = Mapping[str, NDArray[Any]]
"""Input tensors by name, first axis the items: float32, or object arrays of str for BYTES."""


@dataclass(frozen=True)
class TensorSignature:
    """Datatype and shape of one tensor, as a model file declares it."""

    datatype: str
    """Open Inference Protocol datatype, or the runtime's own name for one that has none."""
    shape: tuple[int | None, ...]
    """With the batch dimension first; None where it is dynamic."""


class LoadedModel(Protocol):
    """One model, ready to run."""

    @property
    def inputs(self) -> Mapping[str, TensorSignature]:
        """Input tensors by name, as the file itself declares them."""
        ...

    @property
    def outputs(self) -> Mapping[str, TensorSignature]:
        """Output tensors by name, as the file itself declares them."""
        ...

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        """Run a batch of any size.

        Returns:
            The model's first output, array of shape (n_items, output size), float32.
        """
        ...


class Runtime(Protocol):
    """Loads models; holds what they share, for example one thread pool."""

    @property
    def name(self) -> str:
        """Name and version, for example `onnxruntime-cpu 1.32.0`."""
        ...

    @property
    def threads(self) -> int:
        """Threads that one call may use."""
        ...

    def load(self, path: Path) -> LoadedModel:
        """Load one file.

        Raises:
            ArtifactError: the file is not a model that this runtime can run.
        """
        ...
