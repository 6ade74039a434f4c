"""Heads on the features of a frozen backbone: a linear model, and a small network."""

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from ounce_schemas.task import TaskSpec
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from ounce_exporters.ladder.recipe import FittedModel, Progress, Recipe, TaskData
from ounce_exporters.own.backbone import Backbone
from ounce_exporters.own.feeding import Range
from ounce_exporters.own.frozen_features import FrozenFeatures
from ounce_exporters.training.classical import fit_classical
from ounce_exporters.training.crossfit import select
from ounce_exporters.training.featured import FEATURES, Fit, fit_behind
from ounce_exporters.training.linear import logistic_regression, ridge_regression
from ounce_exporters.training.neural import NeuralModel, Training, fit_task
from ounce_exporters.training.sampling import balanced_rows

_HIDDEN = 64
_BATCH_SIZE = 32
_LEAST_STEPS, _LEAST_EPOCHS, _MOST_EPOCHS = 600, 10, 60


def head_recipes(data: TaskData, backbone: Backbone, pixels: Range, balanced: bool) -> list[Recipe]:
    """A linear model and a small network on a backbone's features.

    Args:
        data: the task and its splits.
        backbone: what computes the features.
        pixels: what a backbone of images reads.
        balanced: classes count alike, however many items each has.

    Raises:
        ExportError: the backbone does not fit the task.
    """
    FrozenFeatures(backbone, data, pixels)  # refused here, before any model learns
    classifies = data.spec.classifies
    origin, features = backbone.origin, partial(_features, backbone, pixels)

    def linear(_: TaskSpec, seed: int) -> Pipeline:
        model = logistic_regression(seed, c=0.1) if classifies else ridge_regression()
        return make_pipeline(StandardScaler(), model)

    heads: list[tuple[str, str, Fit]] = [
        (
            "backbone-linear",
            f"{'logistic' if classifies else 'ridge'} regression",
            fit_classical(linear, balanced=balanced and classifies),
        ),
        (
            "backbone-mlp",
            f"multilayer perceptron of {_HIDDEN} units",
            partial(_fit_mlp, balanced=balanced and classifies),
        ),
    ]
    return [
        Recipe(
            name,
            "neural",
            f"{algorithm} on {origin.tensor} of {origin.file}, which is frozen",
            fit_behind(fit, features),
            backbone=origin,
        )
        for name, algorithm, fit in heads
    ]


def _features(backbone: Backbone, pixels: Range, data: TaskData) -> FrozenFeatures:
    return FrozenFeatures(backbone, data, pixels)


class MlpHead(nn.Module):
    """Standardized features, one hidden layer, dropout.

    Args:
        features: to learn from, array of shape (n_items, n_features).
        n_outputs: logits or values.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, features: NDArray[np.float32], n_outputs: int) -> None:
        super().__init__()
        wide = features.astype(np.float64)
        spread = wide.std(axis=0)
        spread = np.where(spread > 0, spread, 1.0)
        self.register_buffer("mean", torch.tensor(wide.mean(axis=0), dtype=torch.float32))
        self.register_buffer("scale", torch.tensor(1.0 / spread, dtype=torch.float32))
        self.layers = nn.Sequential(
            nn.Linear(features.shape[1], _HIDDEN),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(_HIDDEN, n_outputs),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Logits or values, shape (n_items, n_outputs)."""
        outputs: Tensor = self.layers((features - self.mean) * self.scale)
        return outputs


def _fit_mlp(data: TaskData, seed: int, progress: Progress, *, balanced: bool) -> FittedModel:
    learned = data.train
    if balanced:
        learned = select(learned, balanced_rows(learned.targets, seed))
    features = learned.inputs[FEATURES]
    batches = -(-len(features) // _BATCH_SIZE)
    epochs = min(max(_LEAST_EPOCHS, _LEAST_STEPS // batches), _MOST_EPOCHS)
    training = Training(epochs, learning_rate=4e-3, batch_size=_BATCH_SIZE)
    n_outputs = len(data.spec.labels) or 1
    network = fit_task(
        partial(MlpHead, features, n_outputs), features, learned.lesson, training, seed, progress
    )
    return NeuralModel(network, data.spec.inputs[0])
