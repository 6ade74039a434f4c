"""The models of a task of images."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from ounce_schemas.task import TaskSpec
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from ounce_exporters.crossfit import select
from ounce_exporters.recipe import FittedModel, Progress, TaskData
from ounce_exporters.sampling import balanced_rows
from ounce_exporters.training.classical import fit_classical
from ounce_exporters.training.convolutions import residual_cnn, small_cnn
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
from ounce_exporters.training.tuning import Family

LINEAR_SIDE = 28
TREE_SIDE = 14
_BATCH_SIZE = 32
_LEAST_STEPS = 300
"""Of few images a network learns longer."""


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

    def neural(name: str, algorithm: str, lesson: _Lesson) -> Family:
        fit = partial(_fit_network, lesson=lesson, balanced=balanced and classifies)
        return Family(name, "neural", algorithm, lambda **_: fit, {})

    found = [
        classical(
            "logistic-regression" if classifies else "ridge",
            f"{'logistic' if classifies else 'ridge'} regression on standardized pixels",
            linear,
            LINEAR_SIDE,
        ),
        classical("random-forest", "random forest on pixels", trees, TREE_SIDE),
        neural(
            "small-cnn",
            "convolutional network, 2 layers",
            _Lesson(16, 30, lambda shape: small_cnn(shape, n_outputs)),
        ),
        neural(
            "cnn",
            "convolutional network, 3 layers, up to 64 channels",
            _Lesson(32, 20, lambda shape: small_cnn(shape, n_outputs, widths=(16, 32, 64))),
        ),
        neural(
            "residual-cnn",
            "residual convolutional network, 9 layers, up to 64 channels",
            _Lesson(64, 15, lambda shape: residual_cnn(shape, n_outputs, channels=32)),
        ),
    ]
    return found if start is None else started(found, start)


class _Lesson(NamedTuple):
    """A network and how long it learns."""

    side: int
    """Pixels of the longer side that it reads at most."""
    epochs: int
    make: Callable[[tuple[int, int, int]], nn.Module]
    """Called with channels, height and width."""


def _fit_network(
    data: TaskData,
    seed: int,
    progress: Progress,
    *,
    lesson: _Lesson,
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
    )

    def network() -> nn.Module:
        pixels = Pixels(images, lesson.side)
        return ImageNetwork(pixels, lesson.make(pixels.shape))

    fitted = fit_network(network, (images, learned.lesson), training, seed, progress, start=start)
    return NeuralModel(fitted, tensor)
