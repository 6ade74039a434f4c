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


def recipes(data: TaskData, *, balanced: bool = False) -> list[Recipe]:
    """A model of each family; of very many classes, without boosting.

    Args:
        data: the task and its splits.
        balanced: classes count alike, however many rows each has.
    """
    task = data.spec
    n_classes, n_rows = len(task.labels), len(data.train)
    balanced = balanced and n_classes > 0

    def classical(
        name: str, algorithm: str, make: Callable[[int], Any], *, scale: bool = False, **more: Any
    ) -> Recipe:
        def pipeline(_: object, seed: int) -> Pipeline:
            # Trees need no scale; without it their thresholds are met exactly in float32.
            steps = preprocessing(task, scale=scale)
            return Pipeline([("columns", steps), ("model", make(seed))])

        return Recipe(
            name, "classical", algorithm, fit_classical(pipeline, balanced=balanced), **more
        )

    def of_gaps(name: str, algorithm: str, make: Callable[..., Any], **more: Any) -> Recipe:
        def pipeline(_: object, seed: int) -> Pipeline:
            steps, is_text = with_gaps(task)
            return Pipeline([("columns", steps), ("model", make(seed, is_text))])

        return Recipe(
            name, "classical", algorithm, fit_classical(pipeline, balanced=balanced), **more
        )

    linear = (
        classical("logistic-regression", "logistic regression", logistic_regression, scale=True)
        if n_classes
        else classical("ridge", "ridge regression", lambda _: ridge_regression(), scale=True)
    )
    boosted = [
        of_gaps(
            "glass-box",
            "additive model of features and pairs (GA2M)",
            lambda seed, texts: GlassBox(n_classes, texts, random_state=seed),
        ),
        of_gaps(
            "gradient-boosting",
            "histogram gradient boosting",
            lambda seed, texts: boosting(seed, n_classes=n_classes, categorical=texts),
        ),
    ]
    return [
        linear,
        classical(
            "elastic-net",
            "elastic net",
            lambda seed: elastic_net(seed, classifies=n_classes > 0),
            scale=True,
            by_default=False,
        ),
        classical(
            "linear-svm",
            "linear support vector machine",
            lambda _: LinearSVM(n_classes),
            scale=True,
            by_default=False,
        ),
        classical(
            "decision-tree",
            "decision tree (CART)",
            lambda seed: decision_tree(seed, n_classes=n_classes),
        ),
        *(boosted if n_classes <= MOST_BOOSTED_CLASSES else []),
        classical(
            "kernel-svm",
            "support vector machine, Gaussian kernel, at most 256 support vectors",
            lambda seed: KernelSVM(n_classes, random_state=seed),
            scale=True,
        ),
        classical(
            "random-forest",
            "random forest",
            lambda seed: forest("random", seed, n_classes=n_classes, n_rows=n_rows),
        ),
        classical(
            "extra-trees",
            "extremely randomized trees",
            lambda seed: forest("extra", seed, n_classes=n_classes, n_rows=n_rows),
        ),
        Recipe(
            "mlp",
            "neural",
            "8 multilayer perceptrons that share weights, on piecewise-linear numbers",
            partial(fit_mlp, balanced=balanced),
        ),
    ]
