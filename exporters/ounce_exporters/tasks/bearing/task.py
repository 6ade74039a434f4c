"""Data and recipes of the task `bearing`."""

from collections.abc import Callable

import numpy as np
from ounce_schemas.task import TaskSpec, TensorSpec
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from ounce_exporters.ladder.recipe import FittedModel, Progress, Recipe, TaskData
from ounce_exporters.tasks.bearing.augmentation import roll
from ounce_exporters.tasks.bearing.features import VibrationFeatures
from ounce_exporters.tasks.bearing.networks import Cnn1d, DeepCnn1d, Gru, ResidualCnn1d
from ounce_exporters.tasks.bearing.simulation import LABELS, WINDOW, simulate_evenly
from ounce_exporters.tasks.splits import split_task
from ounce_exporters.training.classical import fit_classical
from ounce_exporters.training.featured import fit_on_features
from ounce_exporters.training.neural import NeuralModel, Training, train

SPEC = TaskSpec(
    name="bearing",
    kind="classification",
    description=(
        "Which part of a rolling-element bearing is damaged, from 1,024 samples of acceleration "
        "at 10,240 Hz, in g."
    ),
    inputs=(TensorSpec(name="input", datatype="FP32", shape=(WINDOW,)),),
    labels=LABELS,
)
SOURCE = (
    "simulated: localised bearing faults after McFadden & Smith (1984) with random slip after "
    "Antoni & Randall (2003), geometry of the SKF 6205"
)
N_WINDOWS = 40_000
"""Split into 20,000 to train, 10,000 to validate and 10,000 to test: there the 95% interval of an
accuracy of 0.95 is 0.4 points to each side."""


QUICK_WINDOWS = 8_000
_BATCH_SIZE = 128
EPOCHS = {"cnn-1d": 18, "deep-cnn-1d": 13, "gru": 5, "residual-cnn-1d": 6}
QUICK_EPOCHS = {"cnn-1d": 10, "residual-cnn-1d": 4}
_QUICK_BATCH_SIZE = 64
"""Smaller than with all windows, so that there are as many steps in less data."""
_QUICK_MODELS = ("decision-tree", *QUICK_EPOCHS)


def load(seed: int, *, quick: bool = False) -> TaskData:
    """Simulate all windows, as many of each class, and split them by seed."""
    n = QUICK_WINDOWS if quick else N_WINDOWS
    windows, targets = simulate_evenly(n, np.random.default_rng(seed))
    return split_task(SPEC, SOURCE, {"input": windows}, targets, seed)


def recipes(data: TaskData, *, quick: bool = False) -> list[Recipe]:
    """Four classical and four neural models; quick: one and two, of fewer epochs."""
    found = [*_classical(), *_networks(quick=quick)]
    return [recipe for recipe in found if recipe.name in _QUICK_MODELS or not quick]


def _classical() -> list[Recipe]:
    return [
        Recipe(
            "decision-tree",
            "classical",
            "decision tree (CART) on vibration features",
            _fit_on_features(_tree),
            3.0,
        ),
        Recipe(
            "logistic-regression",
            "classical",
            "logistic regression on vibration features",
            _fit_on_features(_logistic_regression),
            6.0,
        ),
        Recipe(
            "random-forest",
            "classical",
            "random forest on vibration features",
            _fit_on_features(_random_forest),
            8.0,
        ),
        Recipe(
            "gradient-boosting",
            "classical",
            "gradient boosted trees on vibration features",
            _fit_on_features(_gradient_boosting),
            8.0,
        ),
    ]


def _networks(*, quick: bool) -> list[Recipe]:
    networks: list[tuple[str, str, Callable[[], nn.Module], float]] = [
        ("cnn-1d", "1-D convolutional network on the raw signal, 3 layers", Cnn1d, 1.0),
        (
            "deep-cnn-1d",
            "1-D convolutional network on the raw signal, 4 layers, up to 64 channels",
            DeepCnn1d,
            1.7,
        ),
        (
            "gru",
            "gated recurrent network on the raw signal, 16 frames, 48 units",
            Gru,
            1.7,
        ),
        (
            "residual-cnn-1d",
            "residual 1-D convolutional network on the raw signal, 8 layers, 48 channels",
            ResidualCnn1d,
            6.5,
        ),
    ]
    epochs = QUICK_EPOCHS if quick else EPOCHS
    batch_size = _QUICK_BATCH_SIZE if quick else _BATCH_SIZE
    per_epoch = QUICK_WINDOWS / N_WINDOWS if quick else 1.0
    return [
        Recipe(
            name,
            "neural",
            algorithm,
            _fit_network(make, epochs[name], batch_size),
            2.0 + cost * epochs[name] * per_epoch,
        )
        for name, algorithm, make, cost in networks
        if name in epochs
    ]


def _fit_on_features(
    make: Callable[[TaskSpec, int], Pipeline],
) -> Callable[[TaskData, int, Progress], FittedModel]:
    return fit_on_features(fit_classical(make), lambda _: VibrationFeatures())


def _fit_network(
    make: Callable[[], nn.Module], epochs: int, batch_size: int
) -> Callable[[TaskData, int, Progress], FittedModel]:
    training = Training(epochs, learning_rate=8e-3, batch_size=batch_size, augment=roll)

    def fit(data: TaskData, seed: int, progress: Progress) -> FittedModel:
        windows = data.train.inputs["input"]
        network = train(make, windows, data.train.targets, training, seed, progress)
        return NeuralModel(network, data.spec.inputs[0])

    return fit


def _logistic_regression(_: TaskSpec, seed: int) -> Pipeline:
    return make_pipeline(
        StandardScaler(), LogisticRegression(C=0.1, max_iter=300, random_state=seed)
    )


def _tree(_: TaskSpec, seed: int) -> Pipeline:
    return make_pipeline(
        DecisionTreeClassifier(max_depth=10, min_samples_leaf=50, random_state=seed)
    )


def _random_forest(_: TaskSpec, seed: int) -> Pipeline:
    return make_pipeline(
        RandomForestClassifier(
            n_estimators=60, max_depth=12, min_samples_leaf=4, n_jobs=2, random_state=seed
        )
    )


def _gradient_boosting(_: TaskSpec, seed: int) -> Pipeline:
    return make_pipeline(
        GradientBoostingClassifier(
            n_estimators=50,
            learning_rate=0.3,
            max_depth=4,
            max_features="sqrt",
            subsample=0.5,
            random_state=seed,
        )
    )
