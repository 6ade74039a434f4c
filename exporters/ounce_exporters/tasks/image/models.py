"""The models of a task of images."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.task import TaskSpec
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from ounce_exporters.ladder.recipe import FittedModel, Progress, TaskData
from ounce_exporters.training.classical import fit_classical
from ounce_exporters.training.convolutions import residual_cnn, small_cnn
from ounce_exporters.training.crossfit import select
from ounce_exporters.training.featured import fit_on_features
from ounce_exporters.training.fine_tuning import Start, fit_network, started
from ounce_exporters.training.forests import forest
from ounce_exporters.training.linear import logistic_regression, ridge_regression
from ounce_exporters.training.neural import NeuralModel, Training
from ounce_exporters.training.pixels import (
    ImageAugmentation,
    ImageNetwork,
    Pixels,
    pixel_features,
)
from ounce_exporters.training.sampling import balanced_rows
from ounce_exporters.training.tuning import Family

LINEAR_SIDE = 28
TREE_SIDE = 14
_BATCH_SIZE = 32
_PATIENCE = 5
"""Epochs without a gain."""
_LEAST_STEPS = 300
"""Of few images a network learns longer."""


class Lesson(NamedTuple):
    """A network and how long it learns."""

    algorithm: str
    side: int
    """Pixels of the longer side that it reads at most."""
    epochs: int
    make: Callable[[tuple[int, int, int], int], nn.Module]
    """Called with channels, height and width, and the number of outputs."""


NETWORKS = {
    "small-cnn": Lesson("convolutional network, 2 layers", 16, 30, small_cnn),
    "cnn": Lesson(
        "convolutional network, 3 layers, up to 64 channels",
        32,
        20,
        partial(small_cnn, widths=(16, 32, 64)),
    ),
    "residual-cnn": Lesson(
        "residual convolutional network, 9 layers, up to 64 channels",
        64,
        15,
        partial(residual_cnn, channels=32),
    ),
}
"""From light to heavy."""


def families(data: TaskData, *, balanced: bool, start: Start | None = None) -> list[Family]:
    """Two classical and three neural families, from light to heavy."""
    classifies = data.spec.classifies
    n_outputs = len(data.spec.labels) or 1

    def linear(_: TaskSpec, seed: int) -> Pipeline:
        model = logistic_regression(seed, c=0.01) if classifies else ridge_regression()
        return make_pipeline(StandardScaler(), model)

    def trees(_: TaskSpec, seed: int) -> Pipeline:
        n = len(data.train)
        return make_pipeline(forest("random", seed, n_classes=len(data.spec.labels), n_rows=n))

    def classical(
        name: str, algorithm: str, make: Callable[[TaskSpec, int], Pipeline], side: int
    ) -> Family:
        fit = fit_on_features(
            fit_classical(make, balanced=balanced and classifies),
            partial(pixel_features, side=side),
        )
        return Family(name, "classical", algorithm, lambda **_: fit, {})

    def neural(name: str, lesson: Lesson) -> Family:
        fit = partial(_fit_network, lesson=lesson, balanced=balanced and classifies)
        return Family(name, "neural", lesson.algorithm, lambda **_: fit, {})

    found = [
        classical(
            "logistic-regression" if classifies else "ridge",
            f"{'logistic' if classifies else 'ridge'} regression on standardized pixels",
            linear,
            LINEAR_SIDE,
        ),
        classical("random-forest", "random forest on pixels", trees, TREE_SIDE),
        *(neural(name, lesson) for name, lesson in NETWORKS.items()),
    ]
    if start is None:
        return found
    images = data.train.inputs[data.spec.inputs[0].name]
    untrained = {
        name: partial(_make, lesson, images, n_outputs) for name, lesson in NETWORKS.items()
    }
    return started(found, start, untrained)


def _fit_network(
    data: TaskData,
    seed: int,
    progress: Progress,
    *,
    lesson: Lesson,
    balanced: bool,
    start: Start | None = None,
) -> FittedModel:
    tensor, learned = data.spec.inputs[0], data.train
    if balanced:
        learned = select(learned, balanced_rows(learned.targets, seed))
    images = learned.inputs[tensor.name]
    batches = -(-len(images) // _BATCH_SIZE)
    training = Training(
        max(lesson.epochs, _LEAST_STEPS // batches),
        learning_rate=5e-3,
        batch_size=_BATCH_SIZE,
        augment=ImageAugmentation(),
        patience=_PATIENCE,
    )

    network = partial(_make, lesson, images, len(data.spec.labels) or 1)
    fitted = fit_network(network, (images, learned.lesson), training, seed, progress, start=start)
    return NeuralModel(fitted, tensor)


def _make(lesson: Lesson, images: NDArray[np.uint8], n_outputs: int) -> nn.Module:
    pixels = Pixels(images, lesson.side)
    return ImageNetwork(pixels, lesson.make(pixels.shape, n_outputs))
