"""A fake for unit tests: answers or fails as it is told to; no model runs."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.errors import ArtifactError
from ounce_schemas.task import TaskSpec

from ounce_edge.models.runtimes.base import Inputs, LoadedModel, TensorSignature


class FakeModel:
    """Has the signature of `task`; `answer` maps its inputs to its output.

    Without `answer`, item i of a batch gets the first label, with certainty; or the value 0.
    """

    def __init__(
        self, task: TaskSpec, answer: Callable[[Inputs], NDArray[np.float32]] | None = None
    ) -> None:
        self.inputs = {t.name: TensorSignature(t.datatype, (None, *t.shape)) for t in task.inputs}
        self.outputs = {
            task.output.name: TensorSignature(task.output.datatype, (None, *task.output.shape))
        }
        self._width = task.output.size
        self._classes = task.classifies
        self._answer = answer
        self.batch_sizes: list[int] = []
        """Sizes of the batches that were run, in order."""
        self._is_loaded = True

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        """What `answer` says, of shape (n_items, output size).

        Raises:
            ValueError: the inputs are not as the signature says.
            RuntimeError: it was unloaded.
        """
        if not self._is_loaded:
            raise RuntimeError("the model was unloaded")
        for name, signature in self.inputs.items():
            _check_input(name, inputs.get(name), signature)
        n = len(next(iter(inputs.values())))
        self.batch_sizes.append(n)
        if self._answer is not None:
            return self._answer(inputs)
        result = np.zeros((n, self._width), dtype=np.float32)
        if self._classes:
            result[:, 0] = 1.0
        return result

    def unload(self) -> None:
        """From now on a run is an error."""
        self._is_loaded = False


def _check_input(name: str, array: NDArray[Any] | None, signature: TensorSignature) -> None:
    kind = {"BYTES": object, "UINT8": np.uint8}.get(signature.datatype, np.float32)
    if array is None or array.shape[1:] != signature.shape[1:] or array.dtype != kind:
        found = "absent" if array is None else f"{array.dtype}{list(array.shape)}"
        raise ValueError(f"input {name!r} is {found}, not {signature.datatype}{signature.shape}")


class FakeRuntime:
    """Loads the fake models it was given, by the name of the file's folder."""

    name = "fake 0"
    threads = 1

    def __init__(self, models: Mapping[str, FakeModel]) -> None:
        self._models = models

    def load(self, path: Path, content: bytes) -> LoadedModel:
        """The model of that name.

        Raises:
            ArtifactError: none was given.
        """
        try:
            return self._models[path.parent.name]
        except KeyError:
            raise ArtifactError(f"{path}: no fake of that name") from None
