"""Data and recipes of the task `digits`."""

from collections.abc import Callable, Mapping

import numpy as np
from ounce_schemas.task import TaskSpec, TensorSpec
from sklearn.datasets import load_digits
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from ounce_exporters.ladder.recipe import FittedModel, Progress, Recipe, TaskData
from ounce_exporters.tasks.digits.augmentation import distort
from ounce_exporters.tasks.digits.networks import Mlp, ResidualCnn, SmallCnn
from ounce_exporters.tasks.splits import split_task
from ounce_exporters.training.classical import fit_classical
from ounce_exporters.training.neural import NeuralModel, Training, train

SPEC = TaskSpec(
    name="digits",
    kind="classification",
    description="Which digit a person wrote, from an image of 8 by 8 pixels, row by row.",
    inputs=(TensorSpec(name="input", datatype="FP32", shape=(64,), minimum=0, maximum=16),),
    labels=tuple("0123456789"),
)
SOURCE = (
    "scikit-learn's bundled digits: test part of UCI Optical Recognition of Handwritten Digits, "
    "Alpaydin and Kaynak 1998, CC BY 4.0"
)


EPOCHS = {"mlp": 60, "small-cnn": 60, "residual-cnn": 25}
QUICK_EPOCHS = {"mlp": 60, "small-cnn": 40, "residual-cnn": 8}
_MANY_EPOCHS = 10
"""From here on the average may reach further back: its first weights are forgotten in time."""
_QUICK_MODELS = ("decision-tree", "logistic-regression", *QUICK_EPOCHS)


def load(seed: int, *, quick: bool = False) -> TaskData:
    """The 1,797 images, split by seed; all of them also where it is to be quick."""
    images, targets = load_digits(return_X_y=True)
    inputs = {"input": images.astype(np.float32)}
    return split_task(SPEC, SOURCE, inputs, targets.astype(np.int64), seed)


def recipes(data: TaskData, *, quick: bool = False) -> list[Recipe]:
    """Four classical and three neural models; quick: two and three, of fewer epochs."""
    found = [*_classical(), *_networks(QUICK_EPOCHS if quick else EPOCHS)]
    return [recipe for recipe in found if recipe.name in _QUICK_MODELS or not quick]


def _classical() -> list[Recipe]:
    return [
        Recipe("decision-tree", "classical", "decision tree (CART)", fit_classical(_tree), 0.2),
        Recipe(
            "logistic-regression",
            "classical",
            "logistic regression on standardized pixels",
            fit_classical(_logistic_regression),
            0.4,
        ),
        Recipe(
            "gradient-boosting",
            "classical",
            "gradient boosted trees",
            fit_classical(_gradient_boosting),
            1.5,
        ),
        Recipe("random-forest", "classical", "random forest", fit_classical(_random_forest), 1.0),
    ]


def _networks(epochs: Mapping[str, int]) -> list[Recipe]:
    return [
        Recipe(
            "mlp",
            "neural",
            "multilayer perceptron, 64-64-32-10",
            _fit_network(Mlp, Training(epochs=epochs["mlp"], learning_rate=5e-3, augment=distort)),
            4.0,
        ),
        Recipe(
            "small-cnn",
            "neural",
            "convolutional network, 2 layers",
            _fit_network(
                SmallCnn, Training(epochs=epochs["small-cnn"], learning_rate=1e-2, augment=distort)
            ),
            3.0,
        ),
        Recipe(
            "residual-cnn",
            "neural",
            "residual convolutional network, 9 layers, up to 128 channels",
            _fit_network(
                ResidualCnn,
                Training(
                    epochs=epochs["residual-cnn"],
                    learning_rate=4e-3,
                    batch_size=32,
                    averaging=0.99 if epochs["residual-cnn"] > _MANY_EPOCHS else 0.98,
                    augment=distort,
                ),
            ),
            2.0 + epochs["residual-cnn"],
        ),
    ]


def _fit_network(
    make: Callable[[], nn.Module], training: Training
) -> Callable[[TaskData, int, Progress], FittedModel]:
    def fit(data: TaskData, seed: int, progress: Progress) -> FittedModel:
        images = data.train.inputs["input"]
        network = train(make, images, data.train.targets, training, seed, progress)
        return NeuralModel(network, data.spec.inputs[0])

    return fit


def _logistic_regression(_: TaskSpec, seed: int) -> Pipeline:
    return make_pipeline(
        StandardScaler(), LogisticRegression(C=0.1, max_iter=1000, random_state=seed)
    )


def _tree(_: TaskSpec, seed: int) -> Pipeline:
    return make_pipeline(DecisionTreeClassifier(min_samples_leaf=2, random_state=seed))


def _random_forest(_: TaskSpec, seed: int) -> Pipeline:
    return make_pipeline(RandomForestClassifier(n_estimators=100, random_state=seed))


def _gradient_boosting(_: TaskSpec, seed: int) -> Pipeline:
    return make_pipeline(
        GradientBoostingClassifier(
            n_estimators=80,
            learning_rate=0.2,
            max_depth=3,
            max_features="sqrt",
            subsample=0.8,
            random_state=seed,
        )
    )
