"""What a task brings to a ladder: its data and the recipes of its models."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import onnx
from numpy.typing import NDArray
from ounce_schemas.card import BackboneOrigin, ModelCard
from ounce_schemas.task import TaskSpec

Inputs = Mapping[str, NDArray[Any]]
"""Input tensors by name, first axis the items: float32, uint8, or objects of str for BYTES."""

Progress = Callable[[float], None]
"""Called with the share done, in [0, 1]."""


@dataclass(frozen=True)
class Split:
    """Some items of a task's data."""

    inputs: Inputs
    targets: NDArray[Any]
    """Label indices, int64, or values, float32; array of shape (n_items,)."""
    soft: NDArray[np.float32] | None = None
    """What a network learns in their place: probabilities of the classes, shape
    (n_items, n_labels), or values, shape (n_items,)."""

    @property
    def lesson(self) -> NDArray[Any]:
        """What a network learns: `soft`, or the targets."""
        return self.targets if self.soft is None else self.soft

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class Groups:
    """Whose each validation item is, by a column of the table."""

    column: str
    names: NDArray[np.object_]
    """Texts, array of shape (n_validation,)."""


@dataclass(frozen=True)
class TaskData:
    """A task and its data, split once by seed, and stratified where there are classes.

    Models learn from `train`; calibration, and whatever chooses a model or threshold, sees
    `validation`; `test` is only reported. The splits are disjoint, but for `folds`.
    """

    spec: TaskSpec
    source: str
    train: Split
    validation: Split
    test: Split
    sha256: str
    """Digest of inputs and targets before splitting."""
    folds: NDArray[np.int64] | None = None
    """Fold of each row of `train`, or -1 where every model learns from it; shape (n_train,).
    `validation` then holds the rows of a fold, in their order, and each is answered by a model that
    has not learned from it. None: `validation` is apart from `train`."""
    clusters: NDArray[np.int64] | None = None
    """Which validation items tell of each other, such as neighbours in time: they have the same
    number. Shape (n_validation,). None: none do."""
    groups: Groups | None = None
    """By which figures are told apart."""
    units: NDArray[np.int64] | None = None
    """Whose each row of `train` is, where validation and test hold rows of others; shape
    (n_train,)."""


class FittedModel(Protocol):
    """A trained model in its native library."""

    @property
    def parameters(self) -> int:
        """Learned numbers: weights, or thresholds and leaf values."""
        ...

    def predict(self, inputs: Inputs) -> NDArray[np.float32]:
        """Native prediction before calibration.

        Returns:
            Logits of shape (n_items, n_labels): logarithms of class probabilities, up to a constant
            of each item. Or values of shape (n_items, 1).
        """
        ...

    def to_onnx(self) -> onnx.ModelProto:
        """The same as a graph: the task's input tensors with a dynamic batch dimension, and one
        output of the shape that `predict` returns, float32, named `uncalibrated`.

        Raises:
            ExportError: the model can't be converted.
        """
        ...


@runtime_checkable
class KeepsWeights(Protocol):
    """A fitted model from whose weights another one can start."""

    def write_weights(self, folder: Path) -> None:
        """Write them beside the model."""
        ...


@dataclass(frozen=True)
class Recipe:
    """How one model of a ladder is made."""

    name: str
    family: Literal["classical", "neural"]
    algorithm: str
    fit: Callable[[TaskData, int, Progress], FittedModel]
    """Arguments: data (only `train` is used to learn), seed, progress."""
    effort: float = 1.0
    """How long it takes against the other models of the ladder, to tell the time that is left."""
    by_default: bool = True
    """Whether it is made where nobody names the models to make."""
    most_rows: int | None = None
    """It learns from a sample of so many rows where there are more."""
    balanced: bool = False
    """Whether it learns as if all classes were equally frequent."""
    form_of: str | None = None
    """Model that it is another form of; it is left out where it gains nothing."""
    above: float | None = None
    """It is left out where its measure, on the validation items, is not greater."""
    backbone: BackboneOrigin | None = None
    """The network whose features it reads, of a model on one that was made elsewhere."""
    given: Callable[["Recipe", Sequence[ModelCard]], "Recipe"] | None = None
    """Makes of it, by the cards of the models before it, the recipe that is built."""
