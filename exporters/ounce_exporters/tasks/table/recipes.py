"""The models of a table's ladder. Imputation, scaling and encoding are part of each."""

from collections.abc import Callable
from functools import partial
from typing import Any

from sklearn.pipeline import Pipeline

from ounce_exporters.recipe import Recipe, TaskData
from ounce_exporters.tasks.table.networks import fit_mlp
from ounce_exporters.tasks.table.preprocessing import preprocessing, with_gaps
from ounce_exporters.tasks.table.target import MOST_BOOSTED_CLASSES
from ounce_exporters.training.boosting import boosting
from ounce_exporters.training.classical import fit_classical
from ounce_exporters.training.forests import decision_tree, forest
from ounce_exporters.training.glass_box import GlassBox
from ounce_exporters.training.kernel_svm import KernelSVM
from ounce_exporters.training.linear import (
    LinearSVM,
    elastic_net,
    logistic_regression,
    ridge_regression,
)

_NAMED_ONLY = ("elastic-net", "linear-svm")
"""Seldom on the frontier beside the other linear models."""


def recipes(data: TaskData, *, balanced: bool = False) -> list[Recipe]:
    """A model of each family; of very many classes, without boosting.

    Args:
        data: the task and its splits.
        balanced: classes count alike, however many rows each has.
    """
    task = data.spec
    n_classes, n_rows = len(task.labels), len(data.train)
    balanced = balanced and n_classes > 0

    def recipe(name: str, algorithm: str, make: Callable[[int], Pipeline]) -> Recipe:
        fit = fit_classical(lambda _, seed: make(seed), balanced=balanced)
        return Recipe(name, "classical", algorithm, fit, by_default=name not in _NAMED_ONLY)

    def scaled(name: str, algorithm: str, make: Callable[[int], Any]) -> Recipe:
        """A model that draws lines or measures distances."""

        def pipeline(seed: int) -> Pipeline:
            return Pipeline([("columns", preprocessing(task)), ("model", make(seed))])

        return recipe(name, algorithm, pipeline)

    def trees(name: str, algorithm: str, make: Callable[[int, list[bool]], Any]) -> Recipe:
        """A model that splits: no scale, so its thresholds are met exactly in float32."""

        def pipeline(seed: int) -> Pipeline:
            steps, texts = with_gaps(task)
            return Pipeline([("columns", steps), ("model", make(seed, texts))])

        return recipe(name, algorithm, pipeline)

    linear = (
        scaled("logistic-regression", "logistic regression", logistic_regression)
        if n_classes
        else scaled("ridge", "ridge regression", lambda _: ridge_regression())
    )
    boosted = [
        trees(
            "glass-box",
            "additive model of features and pairs (GA2M)",
            lambda seed, texts: GlassBox(n_classes, texts, random_state=seed),
        ),
        trees(
            "gradient-boosting",
            "histogram gradient boosting",
            lambda seed, texts: boosting(seed, n_classes=n_classes, categorical=texts),
        ),
    ]
    return [
        linear,
        scaled(
            "elastic-net",
            "elastic net",
            lambda seed: elastic_net(seed, classifies=n_classes > 0),
        ),
        scaled(
            "linear-svm",
            "linear support vector machine",
            lambda _: LinearSVM(n_classes),
        ),
        trees(
            "decision-tree",
            "decision tree (CART)",
            lambda seed, _: decision_tree(seed, n_classes=n_classes),
        ),
        *(boosted if n_classes <= MOST_BOOSTED_CLASSES else []),
        scaled(
            "kernel-svm",
            "support vector machine, Gaussian kernel, at most 256 support vectors",
            lambda seed: KernelSVM(n_classes, random_state=seed),
        ),
        trees(
            "random-forest",
            "random forest",
            lambda seed, _: forest("random", seed, n_classes=n_classes, n_rows=n_rows),
        ),
        trees(
            "extra-trees",
            "extremely randomized trees",
            lambda seed, _: forest("extra", seed, n_classes=n_classes, n_rows=n_rows),
        ),
        Recipe(
            "mlp",
            "neural",
            "8 multilayer perceptrons that share weights, on piecewise-linear numbers",
            partial(fit_mlp, balanced=balanced),
        ),
    ]
