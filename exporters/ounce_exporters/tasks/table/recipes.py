"""The models of a table's ladder. Imputation, scaling and encoding are part of each."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from ounce_schemas.errors import DataError
from sklearn.pipeline import Pipeline

from ounce_exporters.ladder.recipe import Recipe, TaskData
from ounce_exporters.tasks.image import models as image_models
from ounce_exporters.tasks.sequence import models as sequence_models
from ounce_exporters.tasks.table import anomalies, clusters, text_models
from ounce_exporters.tasks.table.networks import fit_mlp
from ounce_exporters.tasks.table.preprocessing import preprocessing, with_gaps
from ounce_exporters.tasks.table.target import MOST_BOOSTED_CLASSES
from ounce_exporters.tasks.table.workload import why_no_glass_box
from ounce_exporters.training.boosting import boosting
from ounce_exporters.training.classical import fit_classical
from ounce_exporters.training.fine_tuning import Start
from ounce_exporters.training.forests import decision_tree, forest
from ounce_exporters.training.glass_box import GlassBox
from ounce_exporters.training.kernel_svm import KernelSVM
from ounce_exporters.training.linear import (
    LinearSVM,
    elastic_net,
    logistic_regression,
    ridge_regression,
)
from ounce_exporters.training.tuning import Family, Fit, Range

SMALL = {"members": 1, "width": 16, "intervals": 8}
"""Of the light network."""
_NAMED_ONLY = ("elastic-net", "linear-svm")
"""Seldom on the frontier beside the other linear models."""
BOOSTED_LEAVES = {"gradient-boosting": 31, "gradient-boosting-small": 8}
"""Of each tree, where nothing is tuned."""
LIGHT = ("gradient-boosting-small", "random-forest-small", "extra-trees-small", "mlp-small")
"""Made where they are named, and raced by `ounce advise` under a limit of latency or size."""
_LIGHT_TREES = 12
_FOREST = {"n_trees": Range(100, 5, 300, log=True), "min_samples_leaf": Range(1, 1, 20, log=True)}


def recipes(data: TaskData, *, balanced: bool = False, start: Start | None = None) -> list[Recipe]:
    """A model of each family; of very many classes, without boosting.

    Args:
        data: the task and its splits.
        balanced: classes count alike, however many rows each has.
        start: a network that the one of its name starts from.

    Raises:
        DataError: the task has no network that could.
    """
    return [family.recipe() for family in families(data, balanced=balanced, start=start)]


def families(data: TaskData, *, balanced: bool = False, start: Start | None = None) -> list[Family]:
    """The families of models that a table can have; arguments as of `recipes`."""
    if data.spec.kind in ("anomaly", "clusters"):
        if start is not None:
            raise DataError(f"--from is for classes and quantities, not --kind {data.spec.kind}")
        if data.spec.kind == "anomaly":
            return anomalies.families(data)
        return clusters.families(data)
    if data.spec.image is not None:
        return image_models.families(data, balanced=balanced, start=start)
    if data.spec.inputs[0].channels is not None:
        return sequence_models.families(data, balanced=balanced, start=start)
    if start is not None:
        raise DataError("--from is for images and sequences: networks of tables start anew")
    if any(tensor.text_bytes for tensor in data.spec.inputs):
        return text_models.families(balanced=balanced)
    n_classes = len(data.spec.labels)
    balanced = balanced and n_classes > 0
    boosted = _boosted(data, balanced) if n_classes <= MOST_BOOSTED_CLASSES else []
    if why_no_glass_box(data.spec):
        boosted = [family for family in boosted if family.name != "glass-box"]
    light = _light(data, balanced, boosts=bool(boosted))
    return [*_scaled(data, balanced), *boosted, *_trees(data, balanced), *light,
            *_networks(balanced)]  # fmt: skip


def _scaled(data: TaskData, balanced: bool) -> list[Family]:
    """Models that draw lines or measure distances."""
    task, n = data.spec, len(data.spec.labels)

    def family(name: str, algorithm: str, make: Callable[..., Any], **space: Range) -> Family:
        def fit(**options: Any) -> Fit:
            def pipeline(_: object, seed: int) -> Pipeline:
                model = make(seed, **options)
                return Pipeline([("columns", preprocessing(task)), ("model", model)])

            return fit_classical(pipeline, balanced=balanced)

        return Family(name, "classical", algorithm, fit, space, name not in _NAMED_ONLY)

    c = Range(1.0, 1e-3, 1e2, log=True)
    return [
        family("logistic-regression", "logistic regression", logistic_regression, c=c)
        if n
        else family("ridge", "ridge regression", lambda _: ridge_regression()),
        family("elastic-net", "elastic net", partial(elastic_net, classifies=n > 0)),
        family("linear-svm", "linear support vector machine", lambda _: LinearSVM(n)),
        family(
            "kernel-svm",
            "support vector machine, Gaussian kernel, at most 256 support vectors",
            lambda seed, **options: KernelSVM(n, random_state=seed, **options),
            n_vectors=Range(256, 16, 512, log=True),
        ),
    ]


def _boosted(data: TaskData, balanced: bool) -> list[Family]:
    n = len(data.spec.labels)
    return [
        _of_trees(
            data,
            balanced,
            ("glass-box", "additive model of features and pairs (GA2M)"),
            lambda seed, texts, **options: GlassBox(n, texts, random_state=seed, **options),
            pairs=Range(10, 0, 30),
            max_leaf_nodes=Range(4, 2, 8),
            learning_rate=Range(0.1, 0.03, 0.3, log=True),
        ),
        _of_trees(
            data,
            balanced,
            ("gradient-boosting", "histogram gradient boosting"),
            lambda seed, texts, **options: boosting(
                seed, n_classes=n, categorical=texts, **options
            ),
            rounds=Range(100, 5, 400, log=True),
            learning_rate=Range(0.1, 0.02, 0.5, log=True),
            max_leaf_nodes=Range(BOOSTED_LEAVES["gradient-boosting"], 3, 63, log=True),
            min_samples_leaf=Range(20, 2, 100, log=True),
            max_features=Range(1.0, 0.2, 1.0),
        ),
    ]


def _trees(data: TaskData, balanced: bool) -> list[Family]:
    n, n_rows = len(data.spec.labels), len(data.train)
    return [
        _of_trees(
            data,
            balanced,
            ("decision-tree", "decision tree (CART)"),
            lambda seed, _, **options: decision_tree(seed, n_classes=n, **options),
            depth=Range(8, 2, 20),
            min_samples_leaf=Range(5, 1, 50, log=True),
        ),
        *(
            _of_trees(
                data,
                balanced,
                (name, algorithm),
                partial(_forest, kind, n_classes=n, n_rows=n_rows),
                **_FOREST,
            )
            for name, algorithm, kind in (
                ("random-forest", "random forest", "random"),
                ("extra-trees", "extremely randomized trees", "extra"),
            )
        ),
    ]


def _light(data: TaskData, balanced: bool, *, boosts: bool) -> list[Family]:
    """Few small trees: a fifth to a tenth of the others' work."""
    n, n_rows = len(data.spec.labels), len(data.train)
    boosted = _of_trees(
        data,
        balanced,
        ("gradient-boosting-small", "histogram gradient boosting, 25 rounds of 8 leaves"),
        lambda seed, texts, **_: boosting(
            seed,
            n_classes=n,
            categorical=texts,
            rounds=25,
            learning_rate=0.25,
            max_leaf_nodes=BOOSTED_LEAVES["gradient-boosting-small"],
        ),
    )
    forests = [
        _of_trees(
            data,
            balanced,
            (f"{name}-small", f"{algorithm}, {_LIGHT_TREES}"),
            partial(_forest, kind, n_classes=n, n_rows=n_rows, n_trees=_LIGHT_TREES,
                    min_samples_leaf=2),
        )
        for name, algorithm, kind in (
            ("random-forest", "random forest", "random"),
            ("extra-trees", "extremely randomized trees", "extra"),
        )
    ]  # fmt: skip
    return [replace(f, by_default=False) for f in ([boosted] if boosts else []) + forests]


def _forest(kind: Any, seed: int, texts: list[bool], **options: Any) -> Any:
    return forest(kind, seed, **options)


def _of_trees(
    data: TaskData,
    balanced: bool,
    named: tuple[str, str],
    make: Callable[..., Any],
    **space: Range,
) -> Family:
    """Models that split: no scale, so that thresholds are met exactly in float32."""
    task = data.spec

    def fit(**options: Any) -> Fit:
        def pipeline(_: object, seed: int) -> Pipeline:
            steps, texts = with_gaps(task)
            return Pipeline([("columns", steps), ("model", make(seed, texts, **options))])

        return fit_classical(pipeline, balanced=balanced)

    name, algorithm = named
    return Family(name, "classical", algorithm, fit, space)


def _networks(balanced: bool) -> list[Family]:
    return [
        Family(
            "mlp",
            "neural",
            "multilayer perceptrons that share weights (TabM), on piecewise-linear numbers",
            lambda **options: partial(fit_mlp, balanced=balanced, options=options),
            {
                "members": Range(8, 1, 16, log=True),
                "width": Range(64, 16, 192, log=True),
                "intervals": Range(16, 2, 32, log=True),
                "dropout": Range(0.1, 0.0, 0.4),
                "learning_rate": Range(4e-3, 1e-3, 2e-2, log=True),
            },
        ),
        Family(
            "mlp-small",
            "neural",
            "one multilayer perceptron of 16 units a layer, on piecewise-linear numbers",
            lambda **_: partial(fit_mlp, balanced=balanced, options=SMALL),
            {},
            by_default=False,
        ),
    ]
