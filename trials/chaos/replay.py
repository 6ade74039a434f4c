"""What is right: the same models in one process, one input at a time."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from ounce_edge.models.catalogue import load_ladder
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime


class LadderReplay:
    """Runs any model of a ladder; each input that it has seen is looked up."""

    def __init__(self, models: Path, task: str) -> None:
        ladder = load_ladder(models, task, OnnxCpuRuntime())
        self._served = {served.card.model: served for served in ladder.models}
        [self._input] = ladder.task.inputs
        self._known: dict[tuple[str, bytes], NDArray[np.float32]] = {}
        self.labels = list(ladder.task.labels)

    def __call__(self, model: str, features: bytes) -> NDArray[np.float32] | None:
        """Probabilities, shape (n_labels,); None of a model that the ladder lacks."""
        found = self._known.get((model, features))
        if found is None:
            served = self._served.get(model)
            if served is None:
                return None
            array = np.frombuffer(features, "<f4").reshape(1, *self._input.shape)
            found = served.loaded.run({self._input.name: array})[0]
            self._known[model, features] = found
        return found
