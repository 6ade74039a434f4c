"""The interface of a runtime."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.errors import ArtifactError

Inputs = Mapping[str, NDArray[Any]]
"""Input tensors by name, first axis the items: float32, uint8, or objects of str for BYTES."""


@dataclass(frozen=True)
class TensorSignature:
    """Datatype and shape of one tensor, as a model file declares it."""

    datatype: str
    """Open Inference Protocol datatype, or the runtime's own name for one that has none."""
    shape: tuple[int | None, ...]
    """With the batch dimension first; None where it is dynamic."""


class RuntimeDownError(RuntimeError):
    """What runs a model is down. No input is at fault: other models can answer it."""


class CrashedError(RuntimeError):
    """A call took down the process that ran it, or never returned: an input of it is fatal.

    Attributes:
        is_killed: it ended as where the system lacks memory, which says nothing of the input.
    """

    def __init__(self, text: str, *, is_killed: bool = False) -> None:
        super().__init__(text)
        self.is_killed = is_killed


class EngineAbsentError(ArtifactError):
    """A model that runs once an engine of it is built."""


class LoadedModel(Protocol):
    """One model, ready to run. Several threads may run it at once.

    `tests/contracts/runtimes` holds what every runtime keeps.
    """

    @property
    def inputs(self) -> Mapping[str, TensorSignature]:
        """Input tensors by name, as the file itself declares them."""
        ...

    @property
    def outputs(self) -> Mapping[str, TensorSignature]:
        """Output tensors by name, as the file itself declares them."""
        ...

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        """Run a batch of any size, at least one item.

        Returns:
            The model's first output, array of shape (n_items, output size), float32; the caller's
            own. What an item gets does not depend on the others, but for rounding.

        Raises:
            RuntimeDownError: what runs it is down.
            Exception: an input is absent, or has another type or shape than its signature says; or
                the model fails. The model can be run again.
        """
        ...

    def unload(self) -> None:
        """Give back what it holds, once calls under way have ended. Then a run is a RuntimeError,
        where nothing loads it again. A second unload does nothing."""
        ...


def kind_of(name: str) -> str:
    """What policies call a runtime of this name: `cpu` of `onnxruntime-cpu 1.32.0`."""
    return name.split()[0].removeprefix("onnxruntime-").partition("-")[0]


GPU_KINDS = ("cuda", "tensorrt")
"""Kinds of runtimes that run on a GPU."""


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

    def load(self, path: Path, content: bytes) -> LoadedModel:
        """Load one model.

        Args:
            path: where it was read, for messages; nothing is read there again.
            content: all of the file, so that what was checked is what is loaded.

        Raises:
            ArtifactError: the content is no model that this runtime can run, or not all of one.
        """
        ...


@runtime_checkable
class LoadsLater(Protocol):
    """A `Runtime` that can put a load off until the model is wanted."""

    def load_later(
        self, path: Path, content: bytes, check: Callable[[Path, LoadedModel], None]
    ) -> LoadedModel:
        """A model that is loaded when it is first wanted.

        Args:
            path: where it is read again then.
            content: all of the file; another one is not loaded.
            check: raises an ArtifactError where what was loaded can't serve. Its runs fail then.
        """
        ...
