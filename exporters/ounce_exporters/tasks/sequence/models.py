"""The models of a task of sequences."""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.task import TaskSpec
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from ounce_exporters.ladder.recipe import FittedModel, Progress, TaskData
from ounce_exporters.tasks.table.target import MOST_BOOSTED_CLASSES
from ounce_exporters.training.boosting import boosting
from ounce_exporters.training.classical import fit_classical
from ounce_exporters.training.crossfit import select
from ounce_exporters.training.featured import fit_on_features
from ounce_exporters.training.fine_tuning import Start, fit_network, started
from ounce_exporters.training.linear import logistic_regression, ridge_margins, ridge_regression
from ounce_exporters.training.minirocket import minirocket
from ounce_exporters.training.neural import NeuralModel, Training
from ounce_exporters.training.sampling import balanced_rows
from ounce_exporters.training.sequences import (
    SequenceCNN,
    SequenceGRU,
    SequenceMLP,
    Steps,
    statistics,
)
from ounce_exporters.training.tuning import Family

_LEAST_BATCH, _MOST_BATCH = 8, 64
_LEAST_STEPS, _MOST_EPOCHS = 2_000, 60
"""Batches that a network learns from, also of few sequences; and how often of each."""
_LEAST_EPOCHS = 10


_Make = Callable[[Steps, int, int], nn.Module]
"""Called with what standardizes, the number of outputs, and that of steps."""
NETWORKS: dict[str, tuple[str, _Make]] = {
    "mlp-1d": ("multilayer perceptron on means of ten stretches", SequenceMLP),
    "cnn-1d": (
        "convolutional network over time, 3 layers",
        lambda steps, n_outputs, _: SequenceCNN(steps, n_outputs),
    ),
    "gru": (
        "gated recurrent network, 32 units",
        lambda steps, n_outputs, _: SequenceGRU(steps, n_outputs),
    ),
}
"""Algorithm and maker by name, from light to heavy."""


def families(data: TaskData, *, balanced: bool, start: Start | None = None) -> list[Family]:
    """Three classical and three neural families."""
    n_classes = len(data.spec.labels)
    balanced = balanced and n_classes > 0

    def linear(_: TaskSpec, seed: int) -> Pipeline:
        model = logistic_regression(seed, c=0.1) if n_classes else ridge_regression()
        return make_pipeline(StandardScaler(), model)

    def ridge(_: TaskSpec, seed: int) -> Pipeline:
        return make_pipeline(StandardScaler(), ridge_margins() if n_classes else ridge_regression())

    def boosted(_: TaskSpec, seed: int) -> Pipeline:
        return make_pipeline(boosting(seed, n_classes=n_classes, categorical=[]))

    def classical(
        name: str,
        algorithm: str,
        make: Callable[[TaskSpec, int], Pipeline],
        extractor: Callable[[TaskData], nn.Module],
    ) -> Family:
        fit = fit_on_features(fit_classical(make, balanced=balanced), extractor)
        return Family(name, "classical", algorithm, lambda **_: fit, {})

    def neural(name: str, algorithm: str, make: _Make) -> Family:
        fit = partial(_fit_network, make=make, balanced=balanced)
        return Family(name, "neural", algorithm, lambda **_: fit, {})

    regression = "logistic" if n_classes else "ridge"
    found = [
        classical(
            f"{regression}-regression" if n_classes else regression,
            f"{regression} regression on statistics of each channel",
            linear,
            statistics,
        ),
        classical(
            "gradient-boosting",
            "histogram gradient boosting on statistics of each channel",
            boosted,
            statistics,
        ),
        classical(
            "minirocket",
            "a twelfth of MiniRocket's kernels and ridge regression",
            ridge,
            minirocket,
        ),
        *(neural(name, algorithm, make) for name, (algorithm, make) in NETWORKS.items()),
    ]
    if n_classes > MOST_BOOSTED_CLASSES:
        found = [family for family in found if family.name != "gradient-boosting"]
    if start is None:
        return found
    sequences = data.train.inputs[data.spec.inputs[0].name]
    untrained = {
        name: partial(_make, make, sequences, n_classes or 1)
        for name, (_, make) in NETWORKS.items()
    }
    return started(found, start, untrained)


def _fit_network(
    data: TaskData,
    seed: int,
    progress: Progress,
    *,
    make: _Make,
    balanced: bool,
    start: Start | None = None,
) -> FittedModel:
    tensor, learned = data.spec.inputs[0], data.train
    if balanced:
        learned = select(learned, balanced_rows(learned.targets, seed))
    sequences = learned.inputs[tensor.name]
    batch_size = min(max(len(sequences) // 16, _LEAST_BATCH), _MOST_BATCH)
    batches = -(-len(sequences) // batch_size)
    epochs = min(max(_LEAST_EPOCHS, _LEAST_STEPS // batches), _MOST_EPOCHS)
    training = Training(epochs, learning_rate=4e-3, batch_size=batch_size)

    network = partial(_make, make, sequences, len(data.spec.labels) or 1)
    fitted = fit_network(
        network, (sequences, learned.lesson), training, seed, progress, start=start
    )
    return NeuralModel(fitted, tensor)


def _make(make: _Make, sequences: NDArray[np.float32], n_outputs: int) -> nn.Module:
    return make(Steps(sequences), n_outputs, sequences.shape[1])
