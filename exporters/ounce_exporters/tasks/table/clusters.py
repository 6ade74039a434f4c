"""Tasks of clusters: the reference that assigns the rows, and the models that agree with it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.errors import DataError
from ounce_schemas.task import NO_CLUSTER, TaskSpec
from ounce_schemas.wording import counted
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.pipeline import Pipeline

from ounce_exporters.ladder.recipe import Inputs, Split, TaskData
from ounce_exporters.tasks.splits import LEAST_PER_CLASS
from ounce_exporters.tasks.table.categories import MOST_ONE_HOT
from ounce_exporters.tasks.table.preprocessing import preprocessing
from ounce_exporters.tasks.table.target import Target
from ounce_exporters.tasks.unlabelled import cluster_features
from ounce_exporters.training.classical import as_matrix, few_threads, fit_classical
from ounce_exporters.training.cluster_network import ClusterNetwork
from ounce_exporters.training.clusters import (
    ClusterEstimator,
    KMeansClusters,
    MixtureClusters,
)
from ounce_exporters.training.estimator import GraphEstimator
from ounce_exporters.training.featured import fit_behind
from ounce_exporters.training.mixed_rows import has_columns
from ounce_exporters.training.tuning import Family

Reference = Literal["gaussian-mixture", "k-means"]
MOST_TRIED = 10
"""Clusters, where nobody says how many."""
_ROWS_TO_COUNT_BY = 3000


def unassigned(n_rows: int) -> Target:
    """The target of rows before any cluster is known."""
    rows = np.ones(n_rows, np.bool_)
    return Target(rows, np.zeros(n_rows, np.int64), ("cluster-1", NO_CLUSTER), "clusters", ())


def check_columns(spec: TaskSpec) -> None:
    """Refuse columns that only a target could make numbers of.

    Raises:
        DataError: a column has too many categories.
    """
    for tensor in spec.inputs:
        for cell in tensor.cells or ():
            if len(cell.texts or ()) > MOST_ONE_HOT:
                raise DataError(
                    f"column {cell.column!r} has {counted(len(cell.texts or ()), 'text')}: --kind "
                    "clusters "
                    f"takes {MOST_ONE_HOT} at most; leave it out with --without {cell.column}"
                )


def with_clusters(
    data: TaskData, n_clusters: int | None, reference: Reference | None, seed: int
) -> tuple[TaskData, tuple[str, ...]]:
    """The task with the assignment of a reference as its targets, and lines about it.

    Args:
        data: split; the reference learns from the training rows alone.
        n_clusters: how many; None: found out, up to `MOST_TRIED`.
        reference: which model assigns; None: a Gaussian mixture, or k-means where inputs are
            not numbers alone.
        seed: of everything that is random.

    Raises:
        DataError: the columns don't suit, or a cluster has too few rows.
    """
    check_columns(data.spec)
    plain = all(t.datatype == "FP32" and t.channels is None for t in data.spec.inputs)
    kind: Reference = reference or ("gaussian-mixture" if plain else "k-means")
    with few_threads(len(data.train)):
        read = _reader(data)
        rows = read(data.train.inputs)
        distinct = len(np.unique(rows, axis=0))
        if distinct < (n_clusters or 2):
            raise DataError(
                f"{counted(distinct, 'different row makes', 'different rows make')} no "
                f"{n_clusters or 2} clusters"
            )
        n = n_clusters or count_clusters(rows, kind, seed)
        model = make_reference(kind, n, seed).fit(rows)
        while n_clusters is None and n > 2 and smallest(model, rows, n) < LEAST_PER_CLASS:
            n -= 1
            model = make_reference(kind, n, seed).fit(rows)

    def assigned(split: Split) -> Split:
        found = model.outputs(read(split.inputs)).argmax(axis=1)
        return replace(split, targets=found.astype(np.int64))

    labels = (*(f"cluster-{i + 1}" for i in range(n)), NO_CLUSTER)
    made = replace(
        data,
        spec=data.spec.model_copy(update={"labels": labels}),
        train=assigned(data.train),
        validation=assigned(data.validation),
        test=assigned(data.test),
    )
    counts = np.bincount(made.train.targets, minlength=n + 1)
    if counts[:n].min() < LEAST_PER_CLASS:
        raise DataError(
            f"{labels[int(counts[:n].argmin())]} of {n} has "
            f"{counted(counts[:n].min(), 'training row')}: at "
            f"least {LEAST_PER_CLASS} are needed; {_advice(n, kind)}"
        )
    found = "" if n_clusters else " (so many were found; change it with --clusters)"
    sizes = ", ".join(f"{count:,}" for count in counts[:n])
    return made, (
        f"{kind} assigns {n} clusters{found}, of {sizes} training rows; "
        f"{counted(counts[n], 'is', 'are')} far from "
        "all. Accuracy is agreement with this assignment",
    )


def _advice(n_clusters: int, kind: Reference) -> str:
    """What to do where a cluster has too few rows."""
    if n_clusters > 2:
        return "say --clusters with a smaller number"
    other = "k-means" if kind == "gaussian-mixture" else "gaussian-mixture"
    return (
        f"--reference {other} may divide the rows otherwise, and --kind anomaly finds rows that "
        "are unlike the others"
    )


def _reader(data: TaskData) -> Callable[[Inputs], NDArray[np.float64]]:
    """From inputs to the features that the models of the task read."""
    if has_columns(data.spec):
        columns = features(data.spec).fit(as_matrix(data.spec, data.train.inputs))
        return lambda inputs: np.asarray(
            columns.transform(as_matrix(data.spec, inputs)), np.float64
        )
    extractor = cluster_features(data.spec)[0](data)
    return lambda inputs: extractor.features(inputs).astype(np.float64)


def features(spec: TaskSpec) -> ColumnTransformer:
    """What makes features of the columns. A gap is no feature: the gaps would be a cluster."""
    return preprocessing(spec, mark_gaps=False)


def make_reference(kind: Reference, n_clusters: int, seed: int) -> ClusterEstimator:
    """The model whose assignment is the truth, before it has learned."""
    if kind == "k-means":
        return KMeansClusters(n_clusters, seed)
    return MixtureClusters(n_clusters, random_state=seed)


def smallest(model: ClusterEstimator, rows: NDArray[np.float64], n_clusters: int) -> int:
    """How many of some rows the smallest cluster has."""
    found = model.outputs(rows).argmax(axis=1)
    return int(np.bincount(found, minlength=n_clusters + 1)[:n_clusters].min())


def count_clusters(rows: NDArray[np.float64], kind: Reference, seed: int) -> int:
    """How many clusters some rows have, 2 to `MOST_TRIED`.

    Of a mixture the number with the least Bayesian information criterion (G. Schwarz, "Estimating
    the Dimension of a Model", Annals of Statistics 6, 1978). Of k-means the one with the greatest
    silhouette (P. J. Rousseeuw, "Silhouettes", Journal of Computational and Applied Mathematics 20,
    1987).
    """
    chosen = rows
    if len(rows) > _ROWS_TO_COUNT_BY:
        some = np.random.default_rng(seed).choice(len(rows), _ROWS_TO_COUNT_BY, replace=False)
        chosen = rows[np.sort(some)]
    most = min(MOST_TRIED, len(np.unique(chosen, axis=0)) - 1)
    tried = range(2, max(most, 2) + 1)
    if kind == "k-means":
        fits = [KMeans(n, n_init=4, random_state=seed).fit_predict(chosen) for n in tried]
        worth = [silhouette_score(chosen, labels) for labels in fits]
    else:
        made = [MixtureClusters(n, random_state=seed).mixture(chosen) for n in tried]
        worth = [-mixture.bic(chosen) for mixture in made]
    return tried[int(np.argmax(worth))]


def agreement(assigned: NDArray[Any], names: NDArray[Any], column: str) -> str:
    """A line that tells how clusters and a column of the table go together."""
    index = adjusted_rand_score(names, assigned)
    return (
        f"clusters and column {column!r} agree with an adjusted Rand index of {index:.2f} on the "
        "validation rows (1: the same groups, 0: as by chance)"
    )


def families(data: TaskData) -> list[Family]:
    """The families of models of clusters."""
    task, n = data.spec, len(data.spec.labels) - 1
    extract = None if has_columns(task) else cluster_features(task)

    def family(
        name: str,
        kind: Literal["classical", "neural"],
        algorithm: str,
        make: Callable[[int], GraphEstimator],
    ) -> Family:
        def pipeline(_: object, seed: int) -> Pipeline:
            before = [("columns", features(task))] if extract is None else []
            return Pipeline([*before, ("model", make(seed))])

        fit = fit_classical(pipeline)
        if extract is not None:
            fit, algorithm = fit_behind(fit, extract[0]), f"{algorithm}, on {extract[1]}"
        return Family(name, kind, algorithm, lambda: fit, {})

    return [
        family("k-means", "classical", "k-means", lambda seed: KMeansClusters(n, seed)),
        family(
            "diagonal-mixture",
            "classical",
            "Gaussian mixture of diagonal covariances",
            lambda seed: MixtureClusters(n, "diag", seed),
        ),
        family(
            "gaussian-mixture",
            "classical",
            "Gaussian mixture of full covariances",
            lambda seed: MixtureClusters(n, "full", seed),
        ),
        family(
            "cluster-network",
            "neural",
            "network of two layers that learned a Gaussian mixture's distances",
            lambda seed: ClusterNetwork(MixtureClusters(n, "full", seed), random_state=seed),
        ),
    ]
