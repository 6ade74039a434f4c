"""Real inputs with their true answers: the test split that `ounce train` leaves beside a task."""

import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_edge.recommender.beliefs.measures import Strata
from ounce_schemas.documents import TASK_FILE, TEST_SPLIT_FILE, read_task
from ounce_schemas.errors import ArtifactError
from ounce_schemas.prediction import NumberOutput, Prediction, TextOutput
from ounce_schemas.task import TaskSpec
from ounce_schemas.wording import shell_word

from ounce_services.devices.tallies import Judgement


@dataclass(frozen=True)
class Samples:
    """A task's test split."""

    spec: TaskSpec
    inputs: dict[str, NDArray[Any]]
    """By tensor name, array of shape (n_items, *item shape), float32 or str objects."""
    targets: NDArray[Any]
    """Label indices, or true values; array of shape (n_items,)."""

    def __len__(self) -> int:
        return len(self.targets)

    @cached_property
    def strata(self) -> Strata:
        """Of the task's measure."""
        spec = self.spec
        return Strata(spec.measure.kind, spec.measured_class, len(spec.labels))

    def judge(self, prediction: Prediction, item: int) -> Judgement:
        """Hold an answer against the truth, by the task's acceptance rule and measure."""
        correct = self.is_acceptable(prediction, item)
        if self.strata.is_plain:
            return Judgement(correct)
        label, labels = _label_of(prediction), self.spec.labels
        predicted = labels.index(label) if label in labels else -1
        stratum = self.strata.of(np.array([predicted]), self.targets[item : item + 1])
        return Judgement(correct, int(stratum[0]))

    def is_acceptable(self, prediction: Prediction, item: int) -> bool:
        """The task's acceptance rule: the label is right, or the value within the tolerance.

        An answer without the output that the rule needs is not acceptable.
        """
        wanted = "label" if self.spec.classifies else "value"
        output = next((o for o in prediction.outputs if o.name == wanted), None)
        if isinstance(output, TextOutput) and output.data:
            return output.data[0] == self.spec.labels[int(self.targets[item])]
        if isinstance(output, NumberOutput) and output.data and self.spec.tolerance is not None:
            truth = float(self.targets[item]) + (self.spec.offset or 0.0)
            return abs(output.data[0] - truth) <= self.spec.tolerance
        return False


def _label_of(prediction: Prediction) -> str | None:
    output = next((o for o in prediction.outputs if o.name == "label"), None)
    return output.data[0] if isinstance(output, TextOutput) and output.data else None


def read_samples(models: Path, task: str) -> Samples:
    """Read `models/<task>/task.json` and the test split beside it.

    Raises:
        ArtifactError: one of them is absent, damaged, or does not fit the other.
    """
    folder = models / task
    if not (folder / TASK_FILE).is_file():
        raise ArtifactError(
            f"{folder / TASK_FILE} is not there: make it with "
            f"`ounce train {task} --models {shell_word(models)}`, or correct --models"
        )
    spec = read_task(folder / TASK_FILE)
    path = folder / TEST_SPLIT_FILE
    try:
        with np.load(path, allow_pickle=False) as arrays:
            split = {name: arrays[name] for name in arrays.files}
    except FileNotFoundError as e:
        raise ArtifactError(
            f"{path} is not there: make it with `ounce train {task} --models {shell_word(models)}`"
        ) from e
    except (OSError, ValueError, zipfile.BadZipFile) as e:
        raise ArtifactError(f"{path}: can't be read as a test split: {e}") from e
    return _checked(spec, split, path)


def _checked(spec: TaskSpec, split: dict[str, NDArray[Any]], path: Path) -> Samples:
    expected = {tensor.name for tensor in spec.inputs} | {"targets"}
    if set(split) != expected:
        raise ArtifactError(f"{path}: holds {sorted(split)}, the task needs {sorted(expected)}")
    targets = split["targets"]
    if targets.ndim != 1 or not len(targets):
        raise ArtifactError(f"{path}: targets have shape {targets.shape}, expected (n_items,)")
    inputs: dict[str, NDArray[Any]] = {}
    for tensor in spec.inputs:
        array = split[tensor.name]
        if array.shape != (len(targets), *tensor.shape):
            raise ArtifactError(
                f"{path}: {tensor.name!r} has shape {array.shape}, "
                f"expected {(len(targets), *tensor.shape)}"
            )
        inputs[tensor.name] = (
            array.astype(str).astype(object)
            if tensor.datatype == "BYTES"
            else np.ascontiguousarray(array, "u1" if tensor.datatype == "UINT8" else "<f4")
        )
    if spec.classifies and not (
        targets.dtype.kind in "iu" and 0 <= targets.min() <= targets.max() < len(spec.labels)
    ):
        raise ArtifactError(f"{path}: targets must be label indices 0 to {len(spec.labels) - 1}")
    return Samples(spec, inputs, targets)
