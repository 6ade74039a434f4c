"""Models of the worker that can be isolated: a call is a look at a flag dearer."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ounce_edge.models.runtimes.base import Inputs, LoadedModel, Runtime, TensorSignature
from ounce_edge.models.runtimes.isolation import Isolation
from ounce_edge.models.runtimes.kept_file import KeptFile


class IsolableRuntime:
    """A runtime of the worker whose models can be isolated. Implements `Runtime`.

    Args:
        runtime: loads them here.
        isolation: runs them elsewhere, while it is on.
    """

    def __init__(self, runtime: Runtime, isolation: Isolation) -> None:
        self._runtime, self._isolation = runtime, isolation

    @property
    def name(self) -> str:
        """Of the runtime."""
        return self._runtime.name

    @property
    def threads(self) -> int:
        """Of the runtime."""
        return self._runtime.threads

    def load(self, path: Path, content: bytes) -> LoadedModel:
        """As `Runtime` says; while isolation is on, in the process first."""
        isolation, number = self._isolation, self._isolation.number()
        if isolation.is_on:
            isolation.load(number, path, content)
        loaded = self._runtime.load(path, content)
        kept = KeptFile(path, hashlib.sha256(content).digest())
        return IsolableModel(number, kept, loaded, isolation)


class IsolableModel:
    """Implements `LoadedModel`.

    Args:
        number: its own, of the isolation.
        file: is read again for the process.
        loaded: the model in the worker.
        isolation: runs it elsewhere, while it is on.
    """

    def __init__(
        self, number: int, file: KeptFile, loaded: LoadedModel, isolation: Isolation
    ) -> None:
        self.number, self.file = number, file
        self._model, self._isolation = loaded, isolation
        self.inputs: Mapping[str, TensorSignature] = loaded.inputs
        self.outputs: Mapping[str, TensorSignature] = loaded.outputs
        self._is_loaded = True

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        """As `LoadedModel` says."""
        if self._isolation.is_on and self._is_loaded:
            answer = self._isolation.run(self.number, self.file, inputs)
            if answer is not None:
                return answer
        return self._model.run(inputs)

    def unload(self) -> None:
        """As `LoadedModel` says."""
        self._is_loaded = False
        self._isolation.unload(self.number)
        self._model.unload()
        self.file.close()

    def __del__(self) -> None:
        self._isolation.forget(self.number)
